"""What an argument is made of, as a tree of short texts from which a later difference is told.

A leaf is a text such as ``3``, ``'adam'`` or ``ndarray float64 (3, 4) #91d9490aff3114e0``; a branch is a pair of a
text (``list of 3``, ``Model``) and of its parts by their place (``[2]``, ``['lr']``, ``.alpha``). Behind the text
stand, where it does not say all, `` @`` with the digest of the code that comes along and `` #`` with the value's.
"""

from __future__ import annotations

from collections.abc import Callable

from ezpyp.hashing import SECRET, FunctionIdentity, Hole, code_identity, describe, is_secret, short_digest
from ezpyp.schema._arrays import array_text, is_table, table_parts, table_text
from ezpyp.schema._parts import CODE, CONTAINERS, Parts, atom_text, is_open, length, parts_of, size_text

Tree = str | tuple[str, dict[str, "Tree"]]

LEAVES_LIMIT = 4096
"""Characters of one argument's tree; a larger one is recorded by its digest."""

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
_AROUND = 5  # what JSON puts around a text


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
        self._room = 0
        self._above: list[int] = []

    def tree(self, value: object, upstream: Callable[[int], str]) -> Tree:
        """The tree of one argument; its first line alone where it would be too large.

        Args:
            value: The argument.
            upstream: Gives the name of the step that a hole stands for, by the hole's index.
        """
        self._room, self.holds_steps, self.codes = LEAVES_LIMIT, False, {}
        self._upstream = upstream
        self._above.clear()
        try:
            return self._tree(value)
        except _TooLargeError:
            return f"{size_text(value)} #{short_digest(value)}"

    def _tree(self, value: object) -> Tree:
        kind = type(value)
        if kind in _PLAIN:
            return self._spent(plain_text(value))
        if kind is Hole:
            self.holds_steps = True
            return self._spent(step_text(self._upstream(value.index), value))  # type: ignore[attr-defined,arg-type]  # a Hole
        text = atom_text(value) or array_text(value)
        if text is not None:
            return self._spent(text)
        if id(value) in self._above:
            return self._spent("the same as what holds it")
        self._above.append(id(value))
        text = self._spent(self._header(value, kind))
        parts = self._parts(table_parts(value) if is_table(value) else parts_of(value))
        self._above.pop()
        return (text, parts) if parts else text

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
        text = table_text(value) if is_table(value) else size_text(value)
        return f"{text}{code}{digest}"

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


def plain_text(value: object) -> str:
    """A plain value, with a digest where its text does not say all of it."""
    text = describe(value)
    return f"{text} #{short_digest(value)}" if text.endswith("...") or text[0] == "<" else text


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
