"""The schema's rule: a name that has a result means one thing for ever."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from ezpyp.store import Edge, KnownStep, StepRecord


@dataclass(frozen=True, slots=True)
class Promises:
    """What a location has promised so far.

    Attributes:
        by_name: Every step recorded under a name, oldest first.
        bound: Ids of those under which a result was stored.
        current: Ids of the steps of the newest revision.
        same_python: Tells whether a recorded function belongs to this Python: a promise holds one key per Python.
        edges: Gives the upstreams of a recorded step.
        name_of: Gives the name of a recorded step.
    """

    by_name: Mapping[str, Sequence[KnownStep]]
    bound: set[int]
    current: set[int]
    same_python: Callable[[KnownStep], bool]
    edges: Callable[[int], Sequence[Edge]]
    name_of: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Conflict:
    """A name that has a result and would get another meaning."""

    position: int
    old: KnownStep


@dataclass(slots=True)
class Verdict:
    """What the rule says of a new schema.

    Attributes:
        conflicts: Names that would change their meaning.
        new: Names never seen before.
        repaired: Names with another key whose older ones never gave a result.
        grown: Steps whose collections of steps grew or shrank, and what lies below them.
        returned: (name, key) pairs that an older revision held and the newest does not.
    """

    conflicts: list[Conflict] = field(default_factory=list)
    new: list[int] = field(default_factory=list)
    repaired: list[int] = field(default_factory=list)
    grown: list[int] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)

    def note(self, left_out: int, revised: Sequence[str]) -> str:
        """What a revision does, in words."""
        parts = [
            f"{len(found)} {what}"
            for found, what in (
                (self.new, "new"),
                (self.repaired, "mended"),
                (self.grown, "grown"),
                (self.returned, "as in an earlier revision"),
                (revised, "revised"),
            )
            if found
        ]
        parts += [f"{left_out} left out"] if left_out else []
        return ", ".join(parts) or "no step"


def judge(records: Sequence[StepRecord], promises: Promises) -> Verdict:
    """Judge new steps, given in order of declaration, by what was promised before."""
    return _Judge(records, promises).verdict


class _Judge:
    """Goes through new steps in order of declaration, so that upstreams are judged before what needs them."""

    def __init__(self, records: Sequence[StepRecord], promises: Promises) -> None:
        self._records = records
        self._promises = promises
        self.verdict = Verdict()
        # The recorded step that each new one still is, or has merely grown from; None for any other.
        self._kept: list[KnownStep | None] = []
        for position in range(len(records)):
            self._kept.append(self._judge(position))

    def _judge(self, position: int) -> KnownStep | None:
        record = self._records[position]
        known = self._promises.by_name.get(record.name, ())
        if not known:
            self.verdict.new.append(position)
            return None
        same = next((step for step in known if step.key == record.key), None)
        if same is not None:
            if same.id not in self._promises.current:
                self.verdict.returned.append(position)
            return same
        return self._judge_change(position, record, self._newest_bound(known))

    def _judge_change(self, position: int, record: StepRecord, old: KnownStep | None) -> KnownStep | None:
        if old is None:
            self.verdict.repaired.append(position)
            return None
        if self._has_grown(record, old):
            self.verdict.grown.append(position)
            return old
        self.verdict.conflicts.append(Conflict(position, old))
        return None

    def _newest_bound(self, known: Sequence[KnownStep]) -> KnownStep | None:
        promises = self._promises
        bound = [step for step in known if step.id in promises.bound and promises.same_python(step)]
        return max(bound, key=lambda step: (step.id in promises.current, step.id), default=None)

    def _has_grown(self, record: StepRecord, old: KnownStep) -> bool:
        """Whether only members of collections came or went, and every upstream that stayed is still the same."""
        if record.shape is None or record.shape != old.shape:
            return False
        before = [(self._promises.name_of(edge.upstream), edge.slot) for edge in self._promises.edges(old.id)]
        now = [(self._records[up].name, slot) for up, _, slot in record.edges]
        stayed = {name for name, _ in before}
        # An upstream that stayed by name but changed its meaning is another reason than growth.
        if any(self._records[up].name in stayed and self._kept[up] is None for up, _, _ in record.edges):
            return False
        return _collections_agree(_by_place(before), _by_place(now))


def _by_place(edges: Sequence[tuple[str, str]]) -> dict[str, list[tuple[str, str]]]:
    """Edges grouped by the collection they stand in; a bare argument is a place of its own."""
    places: dict[str, list[tuple[str, str]]] = {}
    for name, slot in edges:
        ends = [slot.find(mark) for mark in ("[]", "{") if mark in slot]
        places.setdefault(slot[: min(ends)] + "[]" if ends else slot, []).append((name, slot))
    for members in places.values():
        if all("{}" in slot for _, slot in members):
            members.sort()  # a set has no order to keep
    return places


def _collections_agree(before: Mapping[str, list[tuple[str, str]]], now: Mapping[str, list[tuple[str, str]]]) -> bool:
    if before.keys() != now.keys():
        return False
    return all(
        _members_agree(before[place], now[place]) if place.endswith("[]") else before[place] == now[place]
        for place in before
    )


def _members_agree(before: Sequence[object], now: Sequence[object]) -> bool:
    """At least one member stayed, and those that stayed kept their order."""
    in_both = set(before) & set(now)
    stayed = [member for member in before if member in in_both]
    return bool(stayed) and stayed == [member for member in now if member in in_both]
