"""Freezing against a location: the rule is judged, then the promise is recorded. Rank 0 only."""

from __future__ import annotations

import sqlite3
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from ezpyp.errors import ArgumentMutatedError, DuplicateNameError, SchemaConflictError, StateChangedError
from ezpyp.explain.record import FunctionRecord, record_of
from ezpyp.graph.program import Builder, Program
from ezpyp.hashing.code.identity import FunctionIdentity, function_identity, innermost, undecorated
from ezpyp.hashing.files import FILE_DIGESTS
from ezpyp.hashing.large_arrays import LARGE_BUFFERS
from ezpyp.hashing.plain import KEY_FORMAT
from ezpyp.schema.records import records_of, schema_text
from ezpyp.schema.rule import Promises, Revise, Stored, Verdict, allowed_changes, changes_of, conflict_message, judge
from ezpyp.steps.arguments import BARE_TYPES
from ezpyp.steps.step import Decorated, Step
from ezpyp.store.codecs.encoded import get_codec
from ezpyp.store.damage import record_markers
from ezpyp.store.index import Index, replace_file, save_file_digests
from ezpyp.store.rows import FunctionRow, KnownStep, StepRecord
from ezpyp.store.runs import recorded_durations
from ezpyp.store.schema_rows import (
    all_steps,
    bound_steps,
    check_intact,
    corrupt_steps,
    edges_of,
    function_record,
    function_tags,
    known_functions,
    latest_revision,
    manifest_of,
    record_function,
    record_revision,
    record_steps,
    shared_text,
    steps_of_revision,
)

if TYPE_CHECKING:
    # Only what changed is explained: 6 ms at import.
    from ezpyp.explain.step_diff import Cause, Upstream

SCHEMA_NAME = "pipeline.schema"
_HERE = "location of pipeline.schema"


class Frozen(NamedTuple):
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
    record_markers(index)
    _remember_files(index)
    revision, digest = latest_revision(index.connection)
    # One digest over all names and keys: an unchanged script needs no look at its steps at all.
    if digest == program.digest:
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
        check_intact(index.location, corrupt_steps(self._connection).values())
        self._known = recorded
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
        function = self._program.steps[position].function.function
        code = getattr(innermost(undecorated(function)), "__code__", None)
        place = (code.co_filename, code.co_firstlineno) if code else ("", 0)
        stored = Stored(lambda step: manifest_of(self._connection, step), self._argument_code, place)
        return changes_of(record, old, self._function_causes(old.function, position), (then, now), stored)

    def _upstream(self, step: KnownStep | StepRecord) -> Upstream:
        from ezpyp.explain.step_diff import Upstream

        return Upstream(0, step.name, step.key.hex())

    def _function_causes(self, old: int, position: int) -> Sequence[Cause]:
        """What changed in a step's function; once for all steps of a sweep."""
        now = self._program.identities[self._program.steps[position].function]
        if (old, now.digest) not in self._causes:
            from ezpyp.explain.step_diff import function_causes

            then = FunctionRecord.from_json(function_record(self._connection, old))
            self._causes[old, now.digest] = function_causes(then, self._function_record(now.digest))
        return self._causes[old, now.digest]

    def _function_record(self, digest: bytes) -> FunctionRecord:
        """The record of a function of the program: a second walk over it."""
        function, identity = next(it for it in self._program.identities.items() if it[1].digest == digest)
        tracking = function.options.tracking
        return record_of(function.function, identity, track=tracking.track, no_track=tracking.no_track)

    def _argument_code(self, digest: str) -> FunctionRecord | None:
        text = shared_text(self._connection, digest)
        return None if text is None else FunctionRecord.from_json(text)

    def _functions(self, connection: sqlite3.Connection) -> dict[bytes, int]:
        """Row ids of the program's functions; those whose digest the index lacks are recorded."""
        digests = {identity.digest for identity in self._program.identities.values()}
        known = known_functions(connection, digests)
        for digest in dict.fromkeys(identity.digest for identity in self._program.identities.values()):
            if digest not in known:
                record = self._function_record(digest)
                row = FunctionRow(
                    digest, record.qualname, record.module, record.file, record.line, record.to_json(), record.source
                )
                known[digest] = record_function(connection, row, python_tag())
        return known

    def _price(self, verdict: Verdict) -> tuple[int, float]:
        """Steps that would run again, and what they took when they last ran, s."""
        changed = {conflict.position: conflict.old.id for conflict in verdict.conflicts}
        return len(changed), sum(recorded_durations(self._connection, changed.values()).values())

    def _record(self, before: set[int], verdict: Verdict, revised: Sequence[str], revision: int) -> Frozen:
        known = {(step.name, step.key): step.id for step in self._known}
        digest = self._program.digest
        with self._index.writing() as connection:
            functions = self._functions(connection)
            ids = record_steps(connection, self._records, known, functions)
            after = set(ids)
            # The same steps in another order are no new revision.
            if after != before or not revision:
                names = {record.name for record in self._records}
                left_out = sum(self._by_id[id_].name not in names for id_ in before - after)
                revision = record_revision(connection, digest, before, after, verdict.note(left_out, revised))
        _export(self._index, self._records, self._known, self._bound)
        return Frozen(revision, ids)


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


# From declared steps to a program: what each function is, and whether it still is.


def build_program(steps: Sequence[Step]) -> Program:
    """Freeze declared steps.

    Raises:
        DuplicateNameError: Two different functions or steps have one name.
        ArgumentMutatedError: They have because an argument was changed in place between two calls.
    """
    try:
        return Builder(_identifier(), _prefix).build(steps)
    except DuplicateNameError:
        with LARGE_BUFFERS.checking():
            for step in steps:
                _check(step, step.function.name)
        raise


def _identifier() -> Callable[[Decorated], FunctionIdentity]:
    """What each function is at this moment.

    One function may be decorated for every step of an order-only chain: it is walked once, not 10,000 times.
    """
    known: dict[tuple[object, ...], FunctionIdentity] = {}

    def identify(function: Decorated) -> FunctionIdentity:
        what = (id(function.function), function.options.tracking)
        if what not in known:
            known[what] = _identify(function)
        return known[what]

    return identify


def _identify(function: Decorated) -> FunctionIdentity:
    tracking = function.options.tracking
    return function_identity(
        function.function,
        track=tracking.track,
        no_track=tracking.no_track,
        track_versions=tracking.track_versions,
        versions_where_used=tracking.versions_where_used,
    )


def _prefix(function: Decorated, identity: FunctionIdentity) -> bytes:
    """What every key of a function begins with, each part after its length."""
    options = function.options
    codec = get_codec(options.codec)
    version = "-" if options.version is None else f"={options.version}"
    parts: list[str | bytes] = [
        f"ezpyp {KEY_FORMAT}", sys.implementation.cache_tag or "", identity.digest, codec.name, str(codec.version),
        version, *options.ignore,
    ]  # fmt: skip
    encoded = [part if isinstance(part, bytes) else part.encode() for part in parts]
    framed = b"".join(len(part).to_bytes(4, "little") + part for part in encoded)
    return len(encoded).to_bytes(4, "little") + framed


def check_functions(program: Program) -> None:
    """Digest functions and what they read again.

    Raises:
        StateChangedError: One differs from what was frozen; the message names what.
    """
    identify = _identifier()
    for function, frozen in program.identities.items():
        now = identify(function)
        if now.digest != frozen.digest:
            from ezpyp.explain.function_diff import state_changes

            changes = "; ".join(map(str, state_changes(frozen, now, function.function))) or "its code"
            raise StateChangedError(
                f"{function.name!r} changed after the schema was frozen: {changes}. Change code and globals before "
                "initialize_schema(), or pass what varies as an argument"
            )


def changed_by_steps(program: Program) -> dict[str, str]:
    """What a run changed of what its functions read: a name -> words for a warning.

    Functions that read no data are not looked at again.
    """
    identify = _identifier()
    found: dict[str, str] = {}
    for function, frozen in program.identities.items():
        if not frozen.reads:
            continue
        from ezpyp.explain.function_diff import state_changes

        for change in state_changes(frozen, identify(function), function.function):
            # Of a table with many changes one is enough.
            found.setdefault(change.name.partition("[")[0], f"{change}, which {function.name!r} reads")
    return found


def check_arguments(program: Program) -> None:
    """Digest mutable arguments again.

    Raises:
        ArgumentMutatedError: One differs from what it was when its step was declared.
    """
    with LARGE_BUFFERS.checking():
        for step, name in zip(program.steps, program.names, strict=True):
            if not BARE_TYPES.issuperset(map(type, step.values)):
                _check(step, name)


def _check(step: Step, name: str) -> None:
    if step.function.encoded(step.values, step.given) != step.encoding:
        binder = step.function.binder
        mutable = [p for p, value in zip(binder.parameters, step.values, strict=True) if type(value) not in BARE_TYPES]
        raise ArgumentMutatedError(
            f"argument {' or '.join(mutable)} of {name!r} (a call of {step.function.place}) was changed in place "
            "after the step was declared: pass a copy, or declare the step after the change"
        )


# Garbage collection, paused while many records are made.
