"""A pipeline's steps, frozen: identities, phases and edges by position."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from xxhash import xxh3_128_digest

from ezpyp.errors import DeclarationError
from ezpyp.graph.names import settle_names
from ezpyp.hashing.code.identity import FunctionIdentity
from ezpyp.hashing.encode import encode
from ezpyp.steps.step import Decorated, Slot, Step

# Transitive reduction of ``depends_on`` lists.


def reduced(
    candidates: set[int],
    others: Sequence[int],
    phases: Sequence[int],
    upstreams: Callable[[int], Sequence[int]],
) -> tuple[int, ...]:
    """Leave out the candidates that another candidate, or one of the others, depends on anyway.

    Returns:
        The candidates that remain, in order.

    Example:
        >>> chain = {0: (), 1: (0,), 2: (1,)}
        >>> reduced({0, 1, 2}, (), [0, 1, 2], chain.__getitem__)
        (2,)
    """
    if len(candidates) + len(others) < 2 or not candidates:
        return tuple(sorted(candidates))
    # Nothing below the lowest candidate can reach one: that bound keeps the search local in long chains.
    floor = min(phases[position] for position in candidates)
    remaining = set(candidates)
    stack = [position for position in {*candidates, *others} if phases[position] > floor]
    seen = set(stack)
    while stack:
        for upstream in upstreams(stack.pop()):
            remaining.discard(upstream)
            if upstream not in seen and phases[upstream] > floor:
                seen.add(upstream)
                stack.append(upstream)
    return tuple(sorted(remaining))


@dataclass(frozen=True, slots=True)
class Program:
    """Steps by position, in order of declaration; every upstream stands before what needs it.

    Attributes:
        steps: The steps, each call once.
        names: Their names.
        keys: Their keys, 16 bytes each.
        phases: Length of the longest dependency chain below each.
        values: Positions of the upstreams whose results are arguments, one a slot.
        orders: Positions of the upstreams that only have to be done before, after reduction.
        declared: Positions of what ``depends_on`` names, reduced among itself: their keys, never their
            values, decide whether a result can be taken over.
        identities: What each function is.
        prefixes: What every key of a function begins with.
        merged: How many calls of each function name were the very same call as another.
    """

    steps: tuple[Step, ...]
    names: tuple[str, ...]
    keys: tuple[bytes, ...]
    phases: tuple[int, ...]
    values: tuple[tuple[int, ...], ...]
    orders: tuple[tuple[int, ...], ...]
    declared: tuple[tuple[int, ...], ...]
    identities: dict[Decorated, FunctionIdentity]
    prefixes: dict[Decorated, bytes]
    merged: dict[str, int]

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def digest(self) -> bytes:
        """Digest of all names and keys in order: two programs with one digest promise the same."""
        names = "\0".join(self.names).encode("utf-8", "surrogatepass")
        return xxh3_128_digest(b"".join(self.keys) + len(names).to_bytes(8, "little") + names)

    def consumed(self) -> set[int]:
        """Positions of the steps whose results are arguments of others: no other result has to be kept at hand."""
        return {up for values in self.values for up in values}

    def upstreams(self, position: int) -> tuple[int, ...]:
        """Everything that must be done before a step; a position may stand in it twice."""
        return self.values[position] + self.orders[position]

    def input_key(self, position: int, token: Callable[[int], bytes]) -> bytes:
        """The key with what upstreams gave in place of their keys."""
        step = self.steps[position]
        material = b"input" + self.prefixes[step.function] + _framed(step.encoding)
        material += slot_material(step.slots, [token(up) for up in self.values[position]])
        if self.declared[position] or self.orders[position]:
            order_only = {*self.declared[position], *self.orders[position]}
            material += b"".join(sorted(self.keys[up] for up in order_only))
        return xxh3_128_digest(material)


_NO_GROUP = frozenset({None})


def slot_material(slots: Sequence[Slot], tokens: Sequence[bytes]) -> bytes:
    """What stands for the upstreams of a step, slot by slot; the members of a set in order of their bytes."""
    # `group` is the third field; a generator over names would cost 1 us a step.
    if {slot[2] for slot in slots} <= _NO_GROUP:
        return b"".join(tokens)
    parts: list[bytes] = []
    groups: dict[int, list[bytes]] = {}
    for slot, token in zip(slots, tokens, strict=True):
        if slot.group is None:
            parts.append(token)
        else:
            picked = encode((slot.path,), ("part",)) if slot.path else b""
            groups.setdefault(slot.group, []).append(token + _framed(picked))
    return b"".join(parts) + b"".join(b"".join(sorted(groups[group])) for group in sorted(groups))


def _framed(part: bytes) -> bytes:
    return len(part).to_bytes(4, "little") + part


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the cyclic collector: what goes over all steps makes many records, and no cycles.

    It would look at all of them again and again; at 100,000 steps that is a third of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


class Builder:
    """Builds a `Program` from declared steps, in time linear in steps and edges.

    Args:
        identify: Gives the identity of a function.
        prefix: Gives what the keys of a function begin with, from the function and its identity.
    """

    def __init__(
        self,
        identify: Callable[[Decorated], FunctionIdentity],
        prefix: Callable[[Decorated, FunctionIdentity], bytes],
    ) -> None:
        self._identify = identify
        self._prefix = prefix
        self._positions: dict[int, int] = {}  # by id of the step: hashing a step would call Python code
        self._steps: list[Step] = []
        self._keys: list[bytes] = []
        self._phases: list[int] = []
        self._values: list[tuple[int, ...]] = []
        self._orders: list[tuple[int, ...]] = []
        self._declared: list[tuple[int, ...]] = []
        self._merged: dict[str, int] = {}
        self._identities: dict[Decorated, FunctionIdentity] = {}
        self._prefixes: dict[Decorated, bytes] = {}
        self._of_function: dict[Decorated, tuple[int, ...]] = {}

    def build(self, steps: Sequence[Step]) -> Program:
        """Freeze steps: keys first, then names, which do not depend on them."""
        known: dict[tuple[str, bytes], int] = {}
        for step in steps:
            self._add(step, known)
        names = settle_names(self._steps, self._values)
        for step, name, key, phase in zip(self._steps, names, self._keys, self._phases, strict=True):
            step.settle(name, key, phase)
        for step in steps:
            if step.twin is not None:
                position = self._positions[id(step)]
                step.settle(names[position], self._keys[position], self._phases[position])
        return Program(
            tuple(self._steps), tuple(names), tuple(self._keys), tuple(self._phases), tuple(self._values),
            tuple(self._orders), tuple(self._declared), self._identities, self._prefixes, self._merged,
        )  # fmt: skip

    def _add(self, step: Step, known: dict[tuple[str, bytes], int]) -> None:
        function = step.function
        prefix = self._prefixes.get(function) or self._enter(function)
        if step.slots or function.options.depends_on:
            values, declared, orders = self._edges(step)
            keys = self._keys
            tail = slot_material(step.slots, [keys[up] for up in values]) + b"".join(sorted(keys[up] for up in orders))
            key = xxh3_128_digest(prefix + _framed(step.encoding) + tail)
            phase = 1 + max((self._phases[up] for up in values + orders), default=-1)
        else:
            values = declared = orders = ()
            key = xxh3_128_digest(prefix + len(step.encoding).to_bytes(4, "little") + step.encoding)
            phase = 0
        position = known.setdefault((function.name, key), len(self._steps))
        self._positions[id(step)] = position
        if position < len(self._steps):
            step.twin = self._steps[position]
            self._merged[function.name] = self._merged.get(function.name, 1) + 1
            return
        step.twin = None
        self._steps.append(step)
        self._keys.append(key)
        self._phases.append(phase)
        self._values.append(values)
        self._orders.append(orders)
        self._declared.append(declared)

    def _enter(self, function: Decorated) -> bytes:
        self._identities[function] = self._identify(function)
        prefix = self._prefixes[function] = self._prefix(function, self._identities[function])
        return prefix

    def _edges(self, step: Step) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
        """Positions of the value upstreams, of ``depends_on``, and of the order-only upstreams that remain."""
        values = tuple([self._position(slot.step, step) for slot in step.slots])
        function = step.function
        if not function.options.depends_on:
            return values, (), ()
        declared = self._of_function.get(function)
        if declared is None:
            given = {self._position(upstream, step) for upstream in function.options.depends_on}
            declared = self._of_function[function] = self._reduced(given, ())
        return values, declared, self._reduced(set(declared) - set(values), values) if values else declared

    def _reduced(self, candidates: set[int], values: tuple[int, ...]) -> tuple[int, ...]:
        return reduced(candidates, values, self._phases, lambda up: self._values[up] + self._orders[up])

    def _position(self, upstream: Step, user: Step) -> int:
        try:
            return self._positions[id(upstream)]
        except KeyError:
            raise DeclarationError(
                f"{user.function.name!r} depends on {upstream!r}, whose function was defined anew since: "
                f"declare {user.function.name!r} again as well"
            ) from None
