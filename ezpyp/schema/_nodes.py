"""A recorded argument, read back: the tree of texts that `Leaves` made, taken apart node by node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

_MARKED = re.compile(r"(?s)(.*?)(?: @([0-9a-f]{16}))?(?: ~(\d+\.[0-9a-f]+\.[0-9a-f]*))?(?: #([0-9a-f]{12,16}))?")
ARRAY = re.compile(r"(\w+) (?:(.+) )?(\([\d, ]*\))( order F)?")
SIZE = re.compile(r"(\w+) of \d+")
_STEP = "TMP for "
_LINE = 200


class Node(NamedTuple):
    """A recorded tree, taken apart.

    Attributes:
        text: Its own text.
        code: Digest of the code that comes along; "" where none does.
        digest: Digest of the value where the text and the parts do not say all; else "".
        parts: The trees below it, by place.
        sketch: What tells where a long one changed; see `sketch`.
    """

    text: str
    code: str
    digest: str
    parts: dict[str, Any]
    sketch: str

    @property
    def kind(self) -> str:
        """What stands before size, shape or value."""
        sized = SIZE.fullmatch(self.text) or ARRAY.fullmatch(self.text)
        return sized[1] if sized else self.text

    @property
    def is_steps(self) -> bool:
        """Whether it is a collection of steps alone, too many to write down."""
        return not (self.parts or self.digest) and bool(SIZE.fullmatch(self.text)) and not self.text.endswith(" 0")

    @property
    def step(self) -> str:
        """The step that it stands for, with what is picked of its result; "" for any other value."""
        return self.text.removeprefix(_STEP) if self.text.startswith(_STEP) else ""


def node(tree: object) -> Node:
    """Take the topmost node of a tree apart."""
    text, parts = tree if isinstance(tree, list | tuple) else (str(tree), {})
    found = _MARKED.fullmatch(text)
    return (
        Node(found[1], found[2] or "", found[4] or "", parts, found[3] or "") if found else Node(text, "", "", {}, "")
    )


def short(tree: object) -> str:
    """A tree as text: a leaf, or what kind of thing it is."""
    return node(tree).text


def clipped(text: str) -> str:
    """A text that stays on a line."""
    return text if len(text) <= _LINE else f"{text[: _LINE - 3]}..."


def leaves_of(path: str, tree: object) -> Iterator[str]:
    """The leaves of a branch as ``path = text``; nothing for a tree that is one leaf, or none."""
    for place, part in (node(tree).parts if isinstance(tree, list | tuple) else {}).items():
        if isinstance(part, str):
            yield f"{path}{place} = {clipped(short(part))}"
        yield from leaves_of(path + place, part)
