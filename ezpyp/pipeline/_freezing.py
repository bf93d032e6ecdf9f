"""Freezing against a location: the rule is judged, then the promise is recorded. Rank 0 only."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ezpyp.errors import SchemaConflictError
from ezpyp.graph import Program
from ezpyp.hashing import FILE_DIGESTS, FunctionIdentity
from ezpyp.schema import (
    Cause,
    Promises,
    Revise,
    Stored,
    Upstream,
    Verdict,
    allowed_changes,
    changes_of,
    conflict_message,
    function_causes,
    judge,
    records_of,
    schema_text,
)
from ezpyp.store import (
    Index,
    KnownStep,
    StepRecord,
    all_steps,
    bound_steps,
    columns_of,
    edges_of,
    function_identity_of,
    function_tags,
    latest_revision,
    manifest_of,
    mend_steps,
    record_functions,
    record_markers,
    record_revision,
    record_steps,
    recorded_durations,
    replace_file,
    save_file_digests,
    shared_text,
    steps_of_revision,
    unsound_steps,
)

SCHEMA_NAME = "pipeline.schema"
_HERE = "location of pipeline.schema"


@dataclass(frozen=True, slots=True)
class Frozen:
    """What freezing recorded.

    Attributes:
        revision: Number of the revision that the program is.
        step_ids: Row id of each step by position; None where they were not needed.
    """

    revision: int
    step_ids: list[int] | None


def freeze(index: Index, program: Program, revise: Revise) -> Frozen:
    """Record a program as the newest revision of a location that is held.

    Raises:
        SchemaConflictError: A name that has a result would change its meaning; nothing was written.
    """
    in_doubt = record_markers(index)
    _remember_files(index)
    revision, digest = latest_revision(index.connection)
    # One digest over all names and keys: an unchanged script needs no look at its steps at all.
    if digest == program.digest and not in_doubt:
        if not (index.location / SCHEMA_NAME).is_file() or index.noted(_HERE) != str(index.location):
            _export(index, records_of(program), all_steps(index.connection), bound_steps(index.connection))
        return Frozen(revision, None)
    return _Freezing(index, program, revise).freeze(revision)


def _remember_files(index: Index) -> None:
    """Keep the digests of files that this process has read."""
    fresh = FILE_DIGESTS.fresh_for(str(index.location))
    if fresh:
        with index.writing() as connection:
            save_file_digests(connection, fresh)


def step_ids_of(connection: sqlite3.Connection, program: Program, revision: int) -> list[int]:
    """Row ids of the steps of a recorded program, by position.

    Raises:
        KeyError: The row of one is not there: the index is damaged.
    """
    ids = {(step.name, step.key): step.id for step in steps_of_revision(connection, revision)}
    return [ids[name, key] for name, key in zip(program.names, program.keys, strict=True)]


class _Freezing:
    """One judgement, and the records that follow from it."""

    def __init__(self, index: Index, program: Program, revise: Revise) -> None:
        self._index = index
        self._connection = index.connection
        self._program = program
        self._revise = revise
        self._records = records_of(program)
        recorded = all_steps(self._connection)
        self._by_id = {step.id: step for step in recorded}
        # A row that a bad disk changed promises nothing; where the program has the step, it is written as it was.
        self._unsound = [self._by_id[id_] for id_ in unsound_steps(self._connection)]
        self._known = [step for step in recorded if step not in self._unsound] if self._unsound else recorded
        self._bound = bound_steps(self._connection) if self._known else set()
        self._causes: dict[tuple[int, bytes], Sequence[Cause]] = {}

    def freeze(self, revision: int) -> Frozen:
        before = {step.id for step in steps_of_revision(self._connection, revision)} if revision else set()
        promises = self._promises(before)
        verdict = judge(self._records, promises)
        revised = self._check(verdict)
        return self._record(before, verdict, revised, revision)

    def _promises(self, current: set[int]) -> Promises:
        by_name: dict[str, list[KnownStep]] = {}
        for step in self._known:
            by_name.setdefault(step.name, []).append(step)
        tags = function_tags(self._connection)
        here = python_tag()
        return Promises(
            by_name, self._bound, current,
            lambda step: tags[step.function] == here,
            lambda step: edges_of(self._connection, step),
            lambda step: self._by_id[step].name,
        )  # fmt: skip

    def _check(self, verdict: Verdict) -> list[str]:
        """Names that were revised because the user asked for it; a conflict otherwise."""
        allowed = allowed_changes(self._revise, self._records)
        refused = [conflict for conflict in verdict.conflicts if conflict.position not in allowed]
        if not refused:
            return [self._records[conflict.position].name for conflict in verdict.conflicts]
        changes = {
            self._records[conflict.position].name: self._changes(conflict.position, conflict.old)
            for conflict in refused
        }
        own = [cause.kind for causes in changes.values() for cause in causes if cause.kind != "upstream"]
        only_arguments = bool(own) and set(own) == {"argument"}
        raise SchemaConflictError(
            conflict_message(str(self._index.location), changes, self._price(verdict), only_arguments),
            changed=tuple(changes),
        )

    def _changes(self, position: int, old: KnownStep) -> list[Cause]:
        record = self._records[position]
        then = [(edge.slot, self._upstream(self._by_id[edge.upstream])) for edge in edges_of(self._connection, old.id)]
        now = [(slot, self._upstream(self._records[up])) for up, _, slot in record.edges]
        function = self._program.identities[self._program.steps[position].function]
        place = (function.file, function.line)
        stored = Stored(lambda step: manifest_of(self._connection, step), self._argument_code, place)
        return changes_of(record, old, self._function_causes(old.function, position), (then, now), stored)

    def _upstream(self, step: KnownStep | StepRecord) -> Upstream:
        return Upstream(0, step.name, step.key.hex())

    def _function_causes(self, old: int, position: int) -> Sequence[Cause]:
        """What changed in a step's function; once for all steps of a sweep."""
        now = self._program.identities[self._program.steps[position].function]
        if (old, now.digest) not in self._causes:
            self._causes[old, now.digest] = function_causes(function_identity_of(self._connection, old), now)
        return self._causes[old, now.digest]

    def _argument_code(self, digest: str) -> FunctionIdentity | None:
        text = shared_text(self._connection, digest)
        return None if text is None else FunctionIdentity.from_json(text)

    def _price(self, verdict: Verdict) -> tuple[int, float]:
        """Steps that would run again, and what they took when they last ran, s."""
        changed = {conflict.position: conflict.old.id for conflict in verdict.conflicts}
        return len(changed), sum(recorded_durations(self._connection, changed.values()).values())

    def _record(self, before: set[int], verdict: Verdict, revised: Sequence[str], revision: int) -> Frozen:
        known = {(step.name, step.key): step.id for step in self._known}
        digest = self._program.digest
        with self._index.writing() as connection:
            functions = record_functions(connection, self._program.identities.values(), python_tag())
            known |= self._mend(functions)
            ids = record_steps(connection, self._records, known, functions)
            after = set(ids)
            # The same steps in another order are no new revision.
            if after != before or not revision:
                names = {record.name for record in self._records}
                left_out = sum(self._by_id[id_].name not in names for id_ in before - after)
                revision = record_revision(connection, digest, before, after, verdict.note(left_out, revised))
        _export(self._index, self._records, self._known, self._bound)
        return Frozen(revision, ids)

    def _mend(self, functions: Mapping[bytes, int]) -> dict[tuple[str, bytes], int]:
        """Write damaged rows of the program's own steps as they were; their ids."""
        if not self._unsound:
            return {}
        records = {(record.name, record.key): record for record in self._records}
        ids = {(step.name, step.key): step.id for step in self._unsound if (step.name, step.key) in records}
        mend_steps(self._connection, {id_: columns_of(records[which], functions) for which, id_ in ids.items()})
        return ids


def _export(index: Index, records: Sequence[StepRecord], known: Iterable[KnownStep], bound: set[int]) -> None:
    """Write ``pipeline.schema``: the current revision, then names bound earlier and now left out."""
    names = {record.name for record in records}
    left_out = {step.name: step for step in known if step.id in bound and step.name not in names}
    text = schema_text(records, left_out.values(), str(index.location))
    replace_file(Path(index.location) / SCHEMA_NAME, text)
    index.note(_HERE, str(index.location))


def python_tag() -> str:
    """What tells bytecodes apart."""
    return sys.implementation.cache_tag or sys.implementation.name
