"""Finds the steps among arguments, and puts results in their place later."""

from __future__ import annotations

import copy
import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ezpyp.describe import Hole
from ezpyp.errors import DeclarationError, EzpypError
from ezpyp.hashing.encode import encode
from ezpyp.steps.copying import Copier, Snapshots
from ezpyp.steps.step import Reference, Slot, Step, Sweep

SEQUENCES = (list, tuple, deque)
SETS = (set, frozenset)

PLAIN_TYPES = frozenset({int, float, complex, bool, str, bytes, type(None)})
"""Types of values that hold no step and cannot change: they need no walk and no copy."""

BARE_TYPES = PLAIN_TYPES | {Hole}
"""Types of arguments that are plain, or a step's result as it is: the arguments of a chain."""


def collect(values: tuple[object, ...]) -> tuple[tuple[object, ...], tuple[Slot, ...]]:
    """Replace every step among bound values by a hole.

    Returns:
        The values, rebuilt where they hold steps, and one slot a hole.
    """
    if _WHOLE_TYPES.issuperset(map(type, values)):
        return _whole_results(values)
    if not _holds(values, (Reference, Sweep)):
        return values, ()
    slots: list[Slot] = []

    def hole(reference: Reference, group: int | None) -> Hole:
        # In a set the path counts with the upstream, where members are put in order; see the keys.
        hole = Hole(len(slots), () if group is not None else reference.path)
        slots.append(Slot(reference.step, reference.path, group, hole))
        return hole

    return _Rebuilding(values, (Reference, Sweep), hole).replaced(), tuple(slots)


_WHOLE_TYPES = PLAIN_TYPES | {Step}


def _whole_results(values: tuple[object, ...]) -> tuple[tuple[object, ...], tuple[Slot, ...]]:
    """The same for plain values and bare steps: 2 us instead of 8."""
    slots: list[Slot] = []
    replaced: list[object] = []
    for value in values:
        if isinstance(value, Step):
            hole = Hole(len(slots))
            slots.append(Slot(value, (), None, hole))
            value = hole  # noqa: PLW2901 - what stands for the step
        replaced.append(value)
    return tuple(replaced), tuple(slots)


def fill(
    values: tuple[object, ...],
    slots: Sequence[Slot],
    contents: Sequence[object],
    snapshots: Snapshots | None = None,
) -> tuple[object, ...]:
    """Deep copies of bound values with the contents in place of the holes.

    What two arguments share stays shared, and the contents themselves are not copied. Two views of one array become
    two arrays.

    Args:
        values: Bound values, with holes.
        slots: One a hole.
        contents: What takes the place of each hole.
        snapshots: Keeps large arrays for the other steps that are given them; by default each is copied.

    Raises:
        DeclarationError: A value cannot be copied.
        ArgumentMutatedError: A large array is not what it was when the run began.
    """
    if BARE_TYPES.issuperset(map(type, values)):
        # The step of a chain: 0.5 us instead of 5.
        return tuple([contents[value.index] if type(value) is Hole else value for value in values])
    holes = {id(slot.hole): content for slot, content in zip(slots, contents, strict=True)}
    try:
        filled: tuple[object, ...] = Copier(holes, snapshots or Snapshots()).copy(values)
    except EzpypError:
        raise
    except RecursionError as error:
        raise DeclarationError(
            f"an argument cannot be copied, and no step gets the original: it is nested too deep ({error}). "
            "Pass a flat form of it, or raise the limit with sys.setrecursionlimit()"
        ) from error
    except Exception as error:
        raise DeclarationError(
            f"an argument cannot be copied, and no step gets the original ({type(error).__name__}: {error}): "
            "pass what it is made from"
        ) from error
    return filled


def labelled(values: tuple[object, ...], labels: Sequence[object]) -> tuple[object, ...]:
    """Bound values with labels in place of the holes, for a text; nothing else is copied."""
    return _Rebuilding(values, (Hole,), lambda hole, _: labels[hole.index]).replaced()


class _Rebuilding:
    """Rebuilds the containers that hold what is to be replaced, and no others.

    Args:
        values: Where to look.
        targets: Classes of what is to be replaced.
        replacement: Gives what takes its place; the number of the set in which it stands, if it stands in one.
    """

    def __init__(
        self,
        values: tuple[object, ...],
        targets: tuple[type, ...],
        replacement: Callable[[Any, int | None], object],
    ) -> None:
        self._values = values
        self._targets = targets
        self._replacement = replacement
        self._holders = _holders(values, targets)
        self._rebuilt: dict[int, Any] = {}
        self._groups = 0

    def replaced(self) -> tuple[object, ...]:
        try:
            return tuple([self._visit(value, None) for value in self._values])
        except RecursionError as error:
            raise DeclarationError(
                f"a step among the arguments is nested too deep ({error}): pass it less deep, "
                "or raise the limit with sys.setrecursionlimit()"
            ) from error

    def _visit(self, value: Any, group: int | None) -> object:
        if isinstance(value, Sweep):
            return [self._replacement(step, None) for step in value]
        if isinstance(value, self._targets):
            return self._replacement(value, group)
        if id(value) in self._rebuilt:
            return self._rebuilt[id(value)]
        if id(value) not in self._holders:
            return value
        self._rebuilt[id(value)] = rebuilt = self._container(value)
        return rebuilt

    def _container(self, value: Any) -> object:
        if isinstance(value, SETS):
            self._groups += 1
            return type(value)(self._each(value, self._groups))
        if isinstance(value, tuple):
            members = self._each(value)
            return type(value)._make(members) if hasattr(value, "_make") else _as_type(value, members)
        empty = self._rebuilt[id(value)] = copy.copy(value)  # before its members: they may lead back to it
        if isinstance(value, dict):
            parts = self._each(part for item in value.items() for part in item)
            empty.clear()
            empty.update(zip(parts[::2], parts[1::2], strict=True))
        elif isinstance(value, (list, deque)):
            members = self._each(value)
            empty.clear()
            empty.extend(members)
        else:
            for field in dataclasses.fields(value):
                object.__setattr__(empty, field.name, self._visit(getattr(value, field.name), None))
        return empty

    def _each(self, members: Iterable[object], group: int | None = None) -> list[object]:
        return [member if type(member) in PLAIN_TYPES else self._visit(member, group) for member in members]


def _as_type(value: tuple[object, ...], members: list[object]) -> tuple[object, ...]:
    return tuple(members) if type(value) is tuple else type(value)(members)


def _holds(value: object, targets: tuple[type, ...]) -> bool:
    """Whether a target stands anywhere in a value; by a stack of its own, so that depth does not matter."""
    stack, seen = [value], set()
    while stack:
        top = stack.pop()
        if isinstance(top, targets):
            return True
        if id(top) not in seen:
            seen.add(id(top))
            stack.extend(_open_children(top))
    return False


def _holders(values: tuple[object, ...], targets: tuple[type, ...]) -> set[int]:
    """Ids of the containers that hold a target, at any depth."""
    above: dict[int, list[object]] = {}
    found: list[object] = []
    stack: list[object] = [values]
    while stack:
        top = stack.pop()
        for child in _open_children(top):
            if isinstance(child, targets):
                found.append(top)
            elif id(child) in above:
                above[id(child)].append(top)
            else:
                above[id(child)] = [top]
                stack.append(child)
    holders: set[int] = set()
    while found:
        holder = found.pop()
        if id(holder) not in holders:
            holders.add(id(holder))
            found.extend(above.get(id(holder), ()))
    return holders


def _open_children(value: object) -> list[object]:
    """The parts of a container that may hold something, or be it."""
    children = children_of(value)
    # One pass in C tells whether a list of a million numbers needs a look at its members at all.
    if not children or PLAIN_TYPES.issuperset(map(type, children)):
        return []
    return [child for child in children if type(child) not in PLAIN_TYPES]


def children_of(value: object) -> Iterable[object]:
    """The parts of a container in which steps are looked for."""
    if isinstance(value, (*SEQUENCES, *SETS)):
        return value
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return [getattr(value, field.name, None) for field in dataclasses.fields(value)]
    return ()


# Where steps stand among arguments, and what is left of arguments without them.

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

    def visit(part: Any) -> object:
        if isinstance(part, Hole):
            return Hole(0, part.path)
        if id(part) in above:
            return _AGAIN
        above.add(id(part))
        left = _left_of(part, visit)
        above.discard(id(part))
        return left

    return visit(value)


def _left_of(value: Any, visit: Callable[[Any], object]) -> object:
    if isinstance(value, dict):
        kept = {}
        for key, member in value.items():
            if not isinstance(member, Hole):
                kept[key] = member if type(member) in PLAIN_TYPES else visit(member)
        return kept if len(kept) == len(value) else {**kept, "members": _MEMBERS}
    if isinstance(value, (*SEQUENCES, *SETS)):
        rest = [
            member if type(member) in PLAIN_TYPES else visit(member) for member in value if not isinstance(member, Hole)
        ]
        if isinstance(value, SETS):
            # In an order that does not hang on the hash seed.
            rest.sort(key=lambda member: encode((member,), ("member",)))
        marked = rest if len(rest) == len(value) else [*rest, _MEMBERS]
        return (type(value).__name__, marked)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: visit(getattr(value, field.name, None)) for field in dataclasses.fields(value)}
        return (type(value).__qualname__, fields)
    return value
