"""Finds the steps among arguments, and puts results in their place later."""

from __future__ import annotations

import copy
import dataclasses
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from ezpyp.errors import DeclarationError, EzpypError
from ezpyp.hashing import Hole
from ezpyp.steps._copying import Copier
from ezpyp.steps._driving import Visit, driven
from ezpyp.steps._reference import Reference
from ezpyp.steps._snapshots import Snapshots
from ezpyp.steps._step import Slot, Step
from ezpyp.steps._sweep import Sweep

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
        return tuple([driven((value, None), self._visit) for value in self._values])

    def _visit(self, placed: tuple[Any, int | None]) -> Visit:
        value, group = placed
        if isinstance(value, Sweep):
            return [self._replacement(step, None) for step in value]
        if isinstance(value, self._targets):
            return self._replacement(value, group)
        if id(value) in self._rebuilt:
            return self._rebuilt[id(value)]
        if id(value) not in self._holders:
            return value
        self._rebuilt[id(value)] = rebuilt = yield from self._container(value)
        return rebuilt

    def _container(self, value: Any) -> Visit:
        if isinstance(value, SETS):
            self._groups += 1
            return type(value)((yield from _each(value, self._groups)))
        if isinstance(value, tuple):
            members = yield from _each(value)
            return type(value)._make(members) if hasattr(value, "_make") else _as_type(value, members)
        empty = self._rebuilt[id(value)] = copy.copy(value)  # before its members: they may lead back to it
        if isinstance(value, dict):
            parts = yield from _each(part for item in value.items() for part in item)
            empty.clear()
            empty.update(zip(parts[::2], parts[1::2], strict=True))
        elif isinstance(value, (list, deque)):
            members = yield from _each(value)
            empty.clear()
            empty.extend(members)
        else:
            for field in dataclasses.fields(value):
                object.__setattr__(empty, field.name, (yield getattr(value, field.name), None))
        return empty


def _each(members: Iterable[object], group: int | None = None) -> Visit:
    made = []
    for member in members:
        made.append(member if type(member) in PLAIN_TYPES else (yield member, group))  # noqa: PERF401 - it yields
    return made


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
