"""What an argument is made of, as a tree of short texts from which a later difference is told.

A leaf is a text such as ``3``, ``'adam'`` or ``ndarray float64 (3, 4) #91d9490aff3114e0``; a branch is a pair of a
text (``list of 3``, ``Model``) and of its parts by their place (``[2]``, ``['lr']``, ``.alpha``). Behind the text
stand, where it does not say all, `` @`` with the digest of the code that comes along, `` ~`` with the sketch of a
long value, from which the place of a change is told, and `` #`` with the value's digest.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from ezpyp.hashing import SECRET, FunctionIdentity, Hole, code_identity, describe, is_secret, short_digest, sketch
from ezpyp.schema._arrays import array_text, is_table, table_parts, table_text
from ezpyp.schema._parts import CODE, CONTAINERS, Parts, atom_text, is_open, length, parts_of, size_text

Tree = str | tuple[str, dict[str, "Tree"]]

LEAVES_LIMIT = 4096
"""Characters of one argument's tree; a larger one is recorded by its digest."""

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
_AROUND = 5  # what JSON puts around a text
_ANY_DEPTH = 10**9


class _Detail(NamedTuple):
    """How much of an argument is written down.

    Attributes:
        whole: Whether long texts are written out.
        depth: Below how many containers others are told by their digest.
        sketched: Whether what is cut or not written out has a sketch.
    """

    whole: bool
    depth: int
    sketched: bool


# The first that does not take too much room.
_DETAILS = (
    _Detail(True, _ANY_DEPTH, True),
    _Detail(False, _ANY_DEPTH, False),
    _Detail(False, 1, True),
    _Detail(False, 1, False),
)


class _TooLargeError(Exception):
    """The tree would be larger than is recorded."""


class Leaves:
    """Makes the trees of one freezing.

    Attributes:
        holds_steps: Whether a step stands in the argument whose tree was made last.
        codes: Functions and classes of the user's in that argument, by the digest that stands in its tree.
    """

    def __init__(self) -> None:
        self.holds_steps = False
        self.codes: dict[str, FunctionIdentity] = {}
        self._identities: dict[int, FunctionIdentity | None] = {}
        self._upstream: Callable[[int], str] = str
        self._whole: tuple[object, str] = None, ""
        self._room = 0
        self._detail = _DETAILS[0]
        self._above: list[int] = []

    def tree(self, value: object, upstream: Callable[[int], str], digest: str = "") -> Tree:
        """The tree of one argument, as far down as there is room; at the least its first line.

        Args:
            value: The argument.
            upstream: Gives the name of the step that a hole stands for, by the hole's index.
            digest: Its short digest, where that is known: of a large argument it takes the most time.
        """
        self._upstream = upstream
        self._whole = value, digest
        for self._detail in _DETAILS:
            self._room, self.holds_steps, self.codes = LEAVES_LIMIT, False, {}
            self._above.clear()
            try:
                return self._tree(value)
            except _TooLargeError:
                continue
        self.codes = {}
        return self._closed(value, is_sketched=True)

    def _tree(self, value: object) -> Tree:
        kind = type(value)
        if kind in _PLAIN:
            return self._spent(self._plain(value))
        if kind is Hole:
            self.holds_steps = True
            return self._spent(step_text(self._upstream(value.index), value))  # type: ignore[attr-defined,arg-type]  # a Hole
        text = self._enum(value) if isinstance(value, Enum) else atom_text(value) or array_text(value)
        if text is not None:
            return self._spent(text)
        if id(value) in self._above:
            return self._spent("the same as what holds it")
        if len(self._above) >= self._detail.depth:
            return self._spent(self._closed(value, is_sketched=self._detail.sketched))
        self._above.append(id(value))
        text = self._spent(self._header(value, kind))
        parts = self._parts(table_parts(value) if is_table(value) else parts_of(value))
        self._above.pop()
        return (text, parts) if parts else text

    def _plain(self, value: object) -> str:
        text = describe(value)
        if says_all(text):
            return text
        if isinstance(value, str | bytes) and self._detail.whole and len(value) <= LEAVES_LIMIT:
            text = repr(value)
            # JSON makes six characters of one that is not ASCII.
            self._room -= len(quoted(text)) - len(text)
        elif self._detail.sketched:
            text += _sketched(value)
        return f"{text} #{self._digest(value)}"

    def _closed(self, value: object, *, is_sketched: bool) -> str:
        """What is not looked into: kind and size, and a digest."""
        if type(value) in (list, tuple) and value and all(type(part) is Hole for part in value):  # type: ignore[attr-defined]  # a list
            # Nothing else stands without a digest: which steps they are, the upstreams tell.
            return size_text(value)
        return f"{_size(value)}{_sketched(value) if is_sketched else ''} #{self._digest(value)}"

    def _digest(self, value: object) -> str:
        whole, digest = self._whole
        return digest if digest and value is whole else short_digest(value)

    def _enum(self, value: Enum) -> str:
        kind = type(value)
        return f"{kind.__name__}.{value.__dict__.get('_name_')}{self._code(kind)} #{short_digest(value)}"

    def _parts(self, parts: Parts) -> dict[str, Tree]:
        made = {}
        for place, name, part in parts:
            self._spent(place)
            made[place] = self._spent(secret_text(part)) if is_secret(name) else self._tree(part)
        return made

    def _header(self, value: object, kind: type) -> str:
        if isinstance(value, CONTAINERS) and length(value) * _AROUND > self._room:
            raise _TooLargeError
        code = self._code(value if isinstance(value, CODE) else kind)
        digest = "" if is_open(value) else f" #{short_digest(value)}"
        return f"{_size(value)}{code}{digest}"

    def _code(self, value: object) -> str:
        """The digest of a function or class of the user's, whose identity is recorded beside the tree."""
        if id(value) not in self._identities:
            self._identities[id(value)] = _identity(value)
        identity = self._identities[id(value)]
        if identity is None:
            return ""
        digest = identity.digest.hex()[:16]
        self.codes[digest] = identity
        return f" @{digest}"

    def _spent(self, text: str) -> str:
        self._room -= len(text) + _AROUND
        if self._room < 0:
            raise _TooLargeError
        return text


def _size(value: object) -> str:
    return table_text(value) if is_table(value) else size_text(value)


def _sketched(value: object) -> str:
    found = sketch(value)
    return f" ~{found}" if found else ""


def says_all(text: str) -> bool:
    """Whether the text of a plain value says all of it."""
    return not text.endswith("...") and text[0] != "<"


def step_text(name: str, hole: Hole) -> str:
    """A step among arguments, with what is picked of its result."""
    return f"TMP for {name}{''.join(f'[{describe(part)}]' for _, part in hole.path)}"


def secret_text(value: object) -> str:
    """What is recorded of a secret."""
    return f"{SECRET} #{short_digest(value)}"


def _identity(value: object) -> FunctionIdentity | None:
    try:
        return code_identity(value)
    except Exception:  # noqa: BLE001  # code that cannot be read is no error: its name and digest are recorded
        return None
