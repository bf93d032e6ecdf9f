"""The words of a conflict: what changed, what it would cost, and the way on."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ezpyp.hashing import FunctionIdentity
from ezpyp.schema._cause import Cause
from ezpyp.schema._compare import IdentityOf
from ezpyp.schema._difference import Recorded, causes_of
from ezpyp.schema._upstreams import Upstream, upstream_of
from ezpyp.store import KnownStep, StepRecord

Edges = Iterable[tuple[str, Upstream]]

_SHOWN = 10
_SHOWN_UPSTREAMS = 4
_NAMED_ROOTS = 5


class Stored(NamedTuple):
    """What is known beside a step's own row.

    Attributes:
        trees_of: Gives the trees of a recorded step's arguments.
        identity_of: Gives the code that arguments brought along, by its digest.
        place: File and line of the function as it is now.
    """

    trees_of: Callable[[int], Mapping[str, object]]
    identity_of: IdentityOf
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
    codes = dict(record.manifest.shared) if record.manifest else {}

    def identity(digest: str) -> FunctionIdentity | None:
        return FunctionIdentity.from_json(codes[digest]) if digest in codes else stored.identity_of(digest)

    was = _recorded(known, upstreams[0], stored.trees_of(known.id))
    file, line = stored.place
    now = replace(recorded_of(record, upstreams[1]), file=file, line=line)
    return causes_of(was, now, functions, identity)


def recorded_of(record: StepRecord, edges: Edges) -> Recorded:
    """What the key of a declared step is made of.

    Args:
        record: The step.
        edges: Its upstreams by slot.
    """
    return _recorded(record, edges, _trees(record))


def _recorded(row: StepRecord | KnownStep, edges: Edges, trees: Mapping[str, object]) -> Recorded:
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
