"""The schema's rule: a name that has a result means one thing for ever."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, NamedTuple

from ezpyp.errors import OptionError, UnknownStepError
from ezpyp.explain.record import FunctionRecord
from ezpyp.store.rows import Edge, KnownStep, StepRecord

if TYPE_CHECKING:
    from ezpyp.explain.step_diff import Cause, Recorded, RecordOf, Upstream

    Edges = Iterable[tuple[str, Upstream]]


class Promises(NamedTuple):
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


class Conflict(NamedTuple):
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


# Which changes of meaning the user asked for.

Revise = bool | tuple[str, ...]


def asked_for(environ: Mapping[str, str], *choices: bool | Iterable[str] | None) -> Revise:
    """``EZPYP_REVISE`` if it is set, else the first choice that is not None.

    Example:
        >>> asked_for({"EZPYP_REVISE": "beta,gamma"}, True)
        ('beta', 'gamma')
        >>> asked_for({"EZPYP_REVISE": "0"}, True), asked_for({}, None, True)
        (False, True)
    """
    text = environ.get("EZPYP_REVISE", "").strip()
    if text:
        return text == "1" if text in ("0", "1") else tuple(name.strip() for name in _split(text) if name.strip())
    choice = next((choice for choice in choices if choice is not None), False)
    if isinstance(choice, str):
        return (choice,)
    if isinstance(choice, bool):
        return choice
    names = tuple(choice) if isinstance(choice, Iterable) else (choice,)
    if not all(isinstance(name, str) for name in names):
        raise OptionError(f"revise is True, False or a list of step names, not {choice!r}")
    return names


def _split(text: str) -> list[str]:
    """Split at commas outside brackets: ``beta[x=1,y=2],gamma``."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def allowed_changes(revise: Revise, records: Sequence[StepRecord]) -> set[int]:
    """Positions of the steps that may change: those named, and what depends on them.

    Raises:
        UnknownStepError: A name that was asked for fits no step.
    """
    if isinstance(revise, bool):
        return set(range(len(records))) if revise else set()
    allowed: set[int] = set()
    for name in revise:
        found = {position for position, record in enumerate(records) if _fits(record.name, name)}
        if not found:
            raise UnknownStepError(f"revise names {name!r}, but there is no such step", name=name, candidates=())
        allowed |= found
    for position, record in enumerate(records):
        if any(up in allowed for up, _, _ in record.edges):
            allowed.add(position)
    return allowed


def _fits(name: str, wanted: str) -> bool:
    """A whole name, the name of the function, or a glob in which brackets are literal."""
    pattern = wanted.replace("[", "[[]")
    return name == wanted or name.split("[", maxsplit=1)[0] == wanted or fnmatchcase(name, pattern)


# The words of a conflict: what changed, what it would cost, and the way on.


_SHOWN = 10
_SHOWN_UPSTREAMS = 4
_NAMED_ROOTS = 5


class Stored(NamedTuple):
    """What is known beside a step's own row.

    Attributes:
        trees_of: Gives the trees of a recorded step's arguments.
        record_of: Gives the code that arguments brought along, by its digest.
        place: File and line of the function as it is now.
    """

    trees_of: Callable[[int], Mapping[str, object]]
    record_of: RecordOf
    place: tuple[str, int] = ("", 0)


def changes_of(
    record: StepRecord,
    known: KnownStep,
    functions: Sequence[Cause],
    upstreams: tuple[Edges, Edges],
    stored: Stored,
) -> list[Cause]:
    """Everything that differs between a step as recorded and as declared.

    Args:
        record: The step as declared.
        known: The step as recorded.
        functions: What changed in its function; see `function_causes`.
        upstreams: Upstreams by slot, then and now.
        stored: What is known beside.
    """
    from ezpyp.explain.step_diff import causes_of  # only what changed is explained: 6 ms at import

    codes = dict(record.manifest.shared) if record.manifest else {}

    def recorded(digest: str) -> FunctionRecord | None:
        return FunctionRecord.from_json(codes[digest]) if digest in codes else stored.record_of(digest)

    was = _recorded(known, upstreams[0], stored.trees_of(known.id))
    file, line = stored.place
    now = replace(recorded_of(record, upstreams[1]), file=file, line=line)
    return causes_of(was, now, functions, recorded)


def recorded_of(record: StepRecord, edges: Edges) -> Recorded:
    """What the key of a declared step is made of."""
    return _recorded(record, edges, _trees(record))


def _recorded(row: StepRecord | KnownStep, edges: Edges, trees: Mapping[str, object]) -> Recorded:
    from ezpyp.explain.step_diff import Recorded, upstream_of

    loaded = json.loads(row.params), trees, json.loads(row.settings or "{}")
    # A promise holds one key a Python: two that are compared here are of the same one.
    return Recorded(row.name, row.key.hex(), row.codec, *loaded, "", upstream_of(edges), row.args, row.kwargs)


def _trees(record: StepRecord) -> dict[str, object]:
    """The trees of a record that is not written yet."""
    if record.manifest is None:
        return {}
    shared = dict(record.manifest.shared)

    def resolved(tree: object) -> object:
        return json.loads(shared[tree[1:]]) if isinstance(tree, str) and tree.startswith("@") else tree

    trees = resolved(json.loads(record.manifest.row))
    return {name: resolved(tree) for name, tree in trees.items()}  # type: ignore[attr-defined]  # an object of JSON


def conflict_message(
    location: str, changes: Mapping[str, Sequence[Cause]], price: tuple[int, float], only_arguments: bool
) -> str:
    """The whole message of a `SchemaConflictError`."""
    count, seconds = price
    lines = [f"{len(changes)} step(s) at {location} have results and would change their meaning:"]
    lines += [f"  {name}: {'; '.join(_texts(causes))}" for name, causes in list(changes.items())[:_SHOWN]]
    if len(changes) > _SHOWN:
        lines.append(f"  and {len(changes) - _SHOWN} more")
    took = "under 0.01 s" if seconds < 0.01 else f"{seconds:.2f} s"
    lines.append(f"Nothing was written. {count} step(s) would run again ({took} when they last ran).")
    lines.append("The way on: another location for another study;")
    if only_arguments:
        lines.append("  or a sweep, where only arguments differ (function.map([...]) keeps the old and the new);")
    roots = [name for name, causes in changes.items() if any(cause.kind != "upstream" for cause in causes)]
    named = f"revise={roots}, " if 0 < len(roots) <= _NAMED_ROOTS else ""
    lines.append(f"  or {named}revise=True or EZPYP_REVISE=1 (older results stay: get_result(name, revision=...)).")
    return "\n".join(lines)


def _texts(causes: Sequence[Cause]) -> list[str]:
    own = [cause.text for cause in causes if cause.kind != "upstream"]
    above = [cause.text for cause in causes if cause.kind == "upstream"]
    more = [f"and {len(above) - _SHOWN_UPSTREAMS} more upstreams"] if len(above) > _SHOWN_UPSTREAMS else []
    return [*own, *above[:_SHOWN_UPSTREAMS], *more]
