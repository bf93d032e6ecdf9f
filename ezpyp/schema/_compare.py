"""The difference of two recorded arguments: which leaf changed, from what to what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from ezpyp.hashing import SECRET, FunctionIdentity, difference
from ezpyp.schema._cause import Cause

IdentityOf = Callable[[str], FunctionIdentity | None]

_MARKED = re.compile(r"(?s)(.*?)(?: @([0-9a-f]{16}))?(?: #([0-9a-f]{12,16}))?")
_ARRAY = re.compile(r"(\w+) (?:(.+) )?(\([\d, ]*\))")
_SIZE = re.compile(r"(\w+) of \d+")
_STEP = "TMP for "
_FILE = "<File> "
_SHOWN_PARTS = 4


class _Node(NamedTuple):
    """A recorded tree, taken apart."""

    text: str
    code: str
    digest: str
    parts: dict[str, Any]

    @property
    def kind(self) -> str:
        """What stands before size, shape or value."""
        sized = _SIZE.fullmatch(self.text) or _ARRAY.fullmatch(self.text)
        return sized[1] if sized else self.text


def _node(tree: object) -> _Node:
    text, parts = tree if isinstance(tree, list | tuple) else (str(tree), {})
    found = _MARKED.fullmatch(text)
    return _Node(found[1], found[2] or "", found[3] or "", parts) if found else _Node(text, "", "", parts)


def short(tree: object) -> str:
    """A tree as text: a leaf, or what kind of thing it is."""
    return _node(tree).text


def leaves_of(path: str, tree: object) -> Iterator[str]:
    """The leaves of a branch as ``path = text``; nothing for a tree that is one leaf, or none."""
    for place, part in (_node(tree).parts if isinstance(tree, list | tuple) else {}).items():
        if isinstance(part, str):
            yield f"{path}{place} = {short(part)}"
        yield from leaves_of(path + place, part)


class Comparison:
    """Compares the trees of arguments.

    Args:
        identity_of: Gives the recorded identity of a function or class that an argument brings along.
        with_steps: Whether a step that stands in another one's place is told of as an argument.
    """

    def __init__(self, identity_of: IdentityOf, *, with_steps: bool = False) -> None:
        self._identity_of = identity_of
        self._with_steps = with_steps

    def causes(self, path: str, old: object, new: object, owner: str = "") -> Iterator[Cause]:
        """What differs between two trees.

        Args:
            path: The argument, or the part of it, such as ``x[2]``.
            old: Its tree then.
            new: Its tree now.
            owner: Class of the instance that it is an attribute of.
        """
        # As text: the order of a dictionary's keys counts, and equal dictionaries do not tell it.
        if json.dumps(old) == json.dumps(new):
            return
        was, now = _node(old), _node(new)
        if not self._with_steps and was.text.startswith(_STEP) and now.text.startswith(_STEP):
            return
        found = [*self._code(path, was, now), *self._insides(path, was, now, owner)]
        yield from found
        if not found and not (was.parts and self._only_steps(was, now)):
            yield _leaf(path, was, now, owner)

    def _only_steps(self, was: _Node, now: _Node) -> bool:
        """Whether nothing of two branches differs but the steps in them, which are told of as upstreams."""
        if was[:3] == now[:3] and list(was.parts) == list(now.parts):
            return True
        return was.kind == now.kind and was.parts.keys() ^ now.parts.keys() != self._own(was, now)

    def _own(self, was: _Node, now: _Node) -> set[str]:
        """The places that came or went, but for those of steps."""
        different = {**was.parts, **now.parts}.items()
        places = was.parts.keys() ^ now.parts.keys()
        return {place for place, part in different if place in places and (self._with_steps or not _is_step(part))}

    def _code(self, path: str, was: _Node, now: _Node) -> Iterator[Cause]:
        """What changed in a function or a class that the argument brings along."""
        if was.code == now.code or not (was.code and now.code):
            return
        before, after = self._identity_of(was.code), self._identity_of(now.code)
        if before is None or after is None or was.text != now.text:
            return
        for change in difference(before, after):
            text = f"argument {path}: {now.text}, {change}"
            yield Cause("argument", text, path, change.file, change.line, change.old, change.new)

    def _insides(self, path: str, was: _Node, now: _Node, owner: str) -> Iterator[Cause]:
        if was.kind != now.kind or not (was.parts or now.parts):
            return
        if _ARRAY.fullmatch(now.text):  # a data frame: rows that come change every column
            yield from self._table(path, was, now)
            return
        is_instance = not _SIZE.fullmatch(now.text) and not now.text.startswith("<")
        held_by = now.text if is_instance else owner
        moved = _moved(was, now)
        own = self._own(was, now)
        came, went = moved or _came_and_went(was, now)
        if own or (moved and not all(map(_is_step, (came | went).values()))):
            yield _resized(path, was, now, came, went)
        if moved:
            return
        for place, part in now.parts.items():
            if place in was.parts:
                yield from self.causes(path + place, was.parts[place], part, held_by if place[0] == "." else "")

    def _table(self, path: str, was: _Node, now: _Node) -> Iterator[Cause]:
        shapes = [_ARRAY.fullmatch(node.text) for node in (was, now)]
        rows = [shape[3].partition(",")[0] for shape in shapes if shape]
        came, went = _came_and_went(was, now)
        if came or went or rows[0] != rows[1]:
            yield _resized(path, was, now, came, went)
        if rows[0] == rows[1]:
            for place, part in now.parts.items():
                if place in was.parts:
                    yield from self.causes(path + place, was.parts[place], part)


def _is_step(tree: object) -> bool:
    return isinstance(tree, str) and tree.startswith(_STEP)


def _came_and_went(was: _Node, now: _Node) -> tuple[dict[str, object], dict[str, object]]:
    """The parts whose places only one of the two has."""
    return (
        {place: part for place, part in now.parts.items() if place not in was.parts},
        {place: part for place, part in was.parts.items() if place not in now.parts},
    )


def _moved(was: _Node, now: _Node) -> tuple[dict[str, object], dict[str, object]] | None:
    """What came into or left a sequence at one place, while all before and behind it stayed; else None."""
    if not next(iter([*now.parts, *was.parts]), "").startswith("[0]") or len(was.parts) == len(now.parts):
        return None
    old, new = list(was.parts.values()), list(now.parts.values())
    most = min(len(old), len(new))
    start = _agreeing(old, new, most)
    end = _agreeing(old[::-1], new[::-1], most - start)
    if start + end < most:
        return None
    came, went = list(now.parts.items())[start : len(new) - end], list(was.parts.items())[start : len(old) - end]
    return dict(came), dict(went)


def _agreeing(old: Sequence[object], new: Sequence[object], most: int) -> int:
    return next((i for i in range(most) if old[i] != new[i]), most)


def _resized(path: str, was: _Node, now: _Node, came: dict[str, object], went: dict[str, object]) -> Cause:
    """Parts that came and went, in one line."""
    lines = [f"{was.text} -> {now.text}"] if was.text != now.text else []
    for parts, what in ((came, "added"), (went, "removed")):
        shown = [_spelled(path, place, part) for place, part in list(parts.items())[:_SHOWN_PARTS]]
        more = f" and {len(parts) - _SHOWN_PARTS} more" if len(parts) > _SHOWN_PARTS else ""
        lines += [f"{', '.join(shown)}{more} {what}"] if shown else []
    only = [*came, *went]
    text = f"argument {path}: {', '.join(lines)}"
    if len(only) != 1:
        return Cause("argument", text, path, old=was.text, new=now.text)
    old, new = ("".join(_value(*part) for part in parts.items()) for parts in (went, came))
    return Cause("argument", text, path + only[0], old=old, new=new)


def _spelled(path: str, place: str, part: object) -> str:
    return place[1:-1] if place[0] == "{" else f"{path}{place} = {short(part)}"


def _value(place: str, part: object) -> str:
    return place[1:-1] if place[0] == "{" else short(part)


def _leaf(path: str, was: _Node, now: _Node, owner: str) -> Cause:
    """A leaf that changed, or a branch of which nothing more is known."""
    of = f" ({owner})" if owner else ""
    return Cause("argument", f"argument {path}{of}{_words(path, was, now)}", path, "", 0, was.text, now.text)


def _words(path: str, was: _Node, now: _Node) -> str:
    if was.text == now.text:
        return _unseen(path, was, now)
    arrays = _ARRAY.fullmatch(was.text), _ARRAY.fullmatch(now.text)
    if arrays[0] and arrays[1] and arrays[0][1] == arrays[1][1]:
        pairs = [(arrays[0][group], arrays[1][group]) for group in (2, 3)]
        (dtypes, shapes) = pairs
        same = [pair[0] for pair in pairs if pair[0] == pair[1] and pair[0]]
        told = [f"dtype {dtypes[0]} -> {dtypes[1]}"] if dtypes[0] != dtypes[1] else []
        told += [f"shape {shapes[0]} -> {shapes[1]}"] if shapes[0] != shapes[1] else []
        return f": {' '.join([arrays[1][1], *same])}, {', '.join(told)}"
    kinds = number_kind(was.text), number_kind(now.text)
    types = f" ({kinds[0]} -> {kinds[1]})" if all(kinds) and kinds[0] != kinds[1] else ""
    return f" {was.text} -> {now.text}{types}"


def _unseen(path: str, was: _Node, now: _Node) -> str:
    if now.text == SECRET:
        return " changed (a secret, known by its digest only)"
    if _ARRAY.fullmatch(now.text):
        return f": {now.text}, values changed"
    if now.text.startswith(_FILE):
        return f": content of {now.text.removeprefix(_FILE)} changed"
    if now.parts and list(was.parts) != list(now.parts) and was.parts.keys() == now.parts.keys():
        return f": another order of {now.text}: {_order(was)} -> {_order(now)}"
    return f": changed somewhere in {path} ({now.text})"


def _order(node: _Node) -> str:
    return ", ".join([place[1:-1] for place in node.parts][:_SHOWN_PARTS])


def number_kind(text: str) -> str:
    """The type of a number from its text; "" for what is none.

    Example:
        >>> [number_kind(text) for text in ("1", "1.0", "True", "1e-3", "(1+2j)", "'1'", "nan")]
        ['int', 'float', 'bool', 'float', 'complex', '', 'float']
    """
    if text in ("True", "False"):
        return "bool"
    for kind in (int, float, complex):
        try:
            kind(text)
        except ValueError:
            continue
        return kind.__name__
    return ""
