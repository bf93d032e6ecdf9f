"""Where steps stand among arguments, and what is left of arguments without them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from typing import Any

from ezpyp.hashing import Hole, encode
from ezpyp.steps._collect import BARE_TYPES, PLAIN_TYPES, SEQUENCES, SETS
from ezpyp.steps._driving import Visit, driven

_Place = tuple[Any, str]
"""A place as the one that it lies in and its own piece of text: whole texts would grow with the square of the depth."""


def located(values: tuple[object, ...], parameters: tuple[str, ...]) -> list[str]:
    """Where each hole stands: ``x``, ``parts[]`` in a sequence, ``parts{}`` in a set, ``parts{'a'}`` in a dict.

    The place within its own collection is left out: it is what changes when a sweep grows.
    """
    if BARE_TYPES.issuperset(map(type, values)):
        return [_picked(name, value) for name, value in zip(parameters, values, strict=True) if type(value) is Hole]
    places: dict[int, str] = {}
    for parameter, value in zip(parameters, values, strict=True):
        _locate(value, parameter, places)
    return [places[index] for index in sorted(places)]


def _picked(place: str, hole: Hole) -> str:
    """A place with what is picked of the result."""
    return f"{place} -> {''.join(f'[{part!r}]' for _, part in hole.path)}" if hole.path else place


def _locate(root: object, parameter: str, places: dict[int, str]) -> None:
    """Walk one argument; a container that holds itself is walked once."""
    seen: set[int] = set()
    start: _Place = (None, parameter)
    stack: list[tuple[object, _Place, _Place]] = [(root, start, start)]
    while stack:
        value, here, as_member = stack.pop()
        if isinstance(value, Hole):
            places[value.index] = _picked(_text(as_member), value)
        elif id(value) not in seen:
            seen.add(id(value))
            members = [member for member in _members(value) if type(member[0]) not in PLAIN_TYPES]
            stack += [(member, (here, piece), (here, as_part)) for member, piece, as_part in reversed(members)]


def _text(place: _Place | None) -> str:
    pieces = []
    while place is not None:
        place, piece = place
        pieces.append(piece)
    return "".join(reversed(pieces))


def _members(value: object) -> Iterator[tuple[object, str, str]]:
    """Each part of a container, with its own place and its place as a member of a collection."""
    if isinstance(value, dict):
        for key, member in value.items():
            yield key, ".keys", ".keys[]"
            if type(member) not in PLAIN_TYPES:
                yield member, f"[{key!r}]", f"{{{key!r}}}"
    elif isinstance(value, SETS):
        yield from ((member, "{}", "{}") for member in value)
    elif isinstance(value, SEQUENCES):
        yield from ((member, f"[{i}]", "[]") for i, member in enumerate(value))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            yield getattr(value, field.name, None), f".{field.name}", f".{field.name}"


_MEMBERS = "\0steps of this collection"
_AGAIN = "\0a container that holds this one"


def skeleton(value: Any) -> Any:
    """A value with the steps of its collections left out and its other holes made alike.

    Two steps whose skeletons agree differ at most in which steps they have, and in how many.
    """
    above: set[int] = set()

    def visit(part: Any) -> Visit:
        if isinstance(part, Hole):
            return Hole(0, part.path)
        if id(part) in above:
            return _AGAIN
        above.add(id(part))
        left = yield from _left_of(part)
        above.discard(id(part))
        return left

    return driven(value, visit)


def _left_of(value: Any) -> Visit:
    if isinstance(value, dict):
        kept = {}
        for key, member in value.items():
            if not isinstance(member, Hole):
                kept[key] = member if type(member) in PLAIN_TYPES else (yield member)
        return kept if len(kept) == len(value) else {**kept, "members": _MEMBERS}
    if isinstance(value, (*SEQUENCES, *SETS)):
        rest = []
        for member in value:
            if not isinstance(member, Hole):
                rest.append(member if type(member) in PLAIN_TYPES else (yield member))  # noqa: PERF401 - it yields
        if isinstance(value, SETS):
            # In an order that does not hang on the hash seed.
            rest.sort(key=lambda member: encode((member,), ("member",)))
        marked = rest if len(rest) == len(value) else [*rest, _MEMBERS]
        return (type(value).__name__, marked)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {}
        for field in dataclasses.fields(value):
            fields[field.name] = yield getattr(value, field.name, None)
        return (type(value).__qualname__, fields)
    return value
