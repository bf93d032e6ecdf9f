"""What a step's arguments are made of, as it goes into the step's row: made once for each argument of a freezing."""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from ezpyp.hashing import FunctionIdentity, Hole, is_secret, short_digest
from ezpyp.schema._leaves import LEAVES_LIMIT, Leaves, says_all, secret_text
from ezpyp.steps import PLAIN_TYPES
from ezpyp.store import Manifest, packed_manifest


class _Entry(NamedTuple):
    """One argument: its short text, and what is recorded of its tree."""

    text: str
    tree: str
    codes: dict[str, FunctionIdentity]


class Manifests:
    """Makes the texts and manifests of the steps of one freezing.

    An object that 10,000 steps are given is looked through and digested once.
    """

    def __init__(self) -> None:
        self._leaves = Leaves()
        self._known: dict[int, _Entry] = {}
        self._codes: dict[str, str] = {}

    def of(
        self, parameters: tuple[str, ...], values: tuple[object, ...], texts: list[str], upstream: Callable[[int], str]
    ) -> tuple[str, Manifest | None]:
        """``params`` (JSON of parameter -> short text) and manifest of one step.

        Args:
            parameters: Their names.
            values: Bound values, with holes for steps.
            texts: A short text of each, with the steps' names in it.
            upstream: Gives the name of the step that a hole stands for, by the hole's index.
        """
        params: dict[str, str] = {}
        trees: dict[str, str] = {}
        codes: dict[str, str] = {}
        for name, value, text in zip(parameters, values, texts, strict=True):
            if type(value) is Hole:
                params[name] = text
            elif is_secret(name):
                params[name] = secret_text(value)
            elif type(value) in PLAIN_TYPES and says_all(text):
                params[name] = text
            else:
                entry = self._entry(value, text, upstream)
                params[name], trees[name] = entry.text, entry.tree
                codes |= {digest: self._packed(digest, code) for digest, code in entry.codes.items()}
        text = "{" + ", ".join([f"{quoted(name)}: {quoted(text)}" for name, text in params.items()]) + "}"
        return text, packed_manifest(trees, codes) if trees else None

    def _entry(self, value: object, text: str, upstream: Callable[[int], str]) -> _Entry:
        known = self._known.get(id(value))
        if known is None:
            digest = short_digest(value)
            tree = _text_tree(value, digest) if type(value) is str else ""
            tree = tree or json.dumps(self._leaves.tree(value, upstream, digest), separators=(",", ":"))
            known = _Entry(f"{text} #{digest}", tree, self._leaves.codes)
            if not self._leaves.holds_steps:
                self._known[id(value)] = known
        return known

    def _packed(self, digest: str, code: FunctionIdentity) -> str:
        if digest not in self._codes:
            self._codes[digest] = code.to_json()
        return self._codes[digest]


def _text_tree(value: str, digest: str) -> str:
    """The same tree of a text by hand, 20 us quicker: a path of a hundred characters is no rare argument."""
    tree = quoted(f"{value!r} #{digest}") if len(value) <= LEAVES_LIMIT else ""
    return tree if len(tree) <= LEAVES_LIMIT else ""
