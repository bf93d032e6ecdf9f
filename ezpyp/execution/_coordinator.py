"""The state of one run on rank 0: decides what runs, takes outcomes, keeps the rows."""

from __future__ import annotations

import shlex
import sqlite3
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ezpyp.errors import DamagedResultError
from ezpyp.execution import _lines as lines
from ezpyp.execution._outcome import DONE, FAILED, PENDING, SKIPPED, Failure, Outcome, Ref
from ezpyp.execution._plan import token_of
from ezpyp.execution._recorder import Recorder
from ezpyp.execution._scheduler import Scheduler
from ezpyp.graph import Program
from ezpyp.schema import resolved_texts
from ezpyp.store import (
    KnownResult,
    NewResult,
    RunCounts,
    StoredResult,
    payload_of,
    result_of_input,
    results_by_id,
)


@dataclass(frozen=True, slots=True)
class RunState:
    """What is known when a run begins.

    Attributes:
        program: The steps.
        known: The newest result of each key.
        found: The result of each step that is known before anything runs.
        rows: Status and result of each step's newest row, by position; None where all rows are current.
        location: The location, for messages.
    """

    program: Program
    known: dict[bytes, KnownResult]
    found: Sequence[KnownResult | None]
    rows: Sequence[tuple[int, int | None] | None] | None
    location: str


class Coordinator:
    """Runs the show: hands out ready steps, records what became of them.

    Args:
        state: What is known when the run begins.
        recorder: Writes rows and lines.
        connection: The index, for lookups.
        make_scheduler: Makes the ready queue from upstreams and pending steps.
    """

    def __init__(
        self,
        state: RunState,
        recorder: Recorder,
        connection: sqlite3.Connection,
        make_scheduler: Callable[[Sequence[Sequence[int]], list[int]], Scheduler],
    ) -> None:
        self._state = state
        self._program = state.program
        self._recorder = recorder
        self._connection = connection
        self._status = [DONE if result else PENDING for result in state.found]
        self._results: list[KnownResult | NewResult | None] = list(state.found)
        self._ids = [result.id if result else 0 for result in state.found]
        self._inputs: dict[int, bytes] = {}
        self._stored: dict[int, StoredResult] = {}
        self._seconds = 0.0
        self.failures: dict[str, Failure] = {}
        self._cached = sum(result is not None for result in state.found)
        # Nothing can be taken over from an index without results: spares a query a step in a fresh cache.
        self._has_results = connection.execute("SELECT 1 FROM results LIMIT 1").fetchone() is not None
        pending = [position for position, status in enumerate(self._status) if status == PENDING]
        self._primaries = self._twins_of(pending)
        # Results that nobody asks for again are not kept: a sweep's may be many.
        self._consumed = self._program.consumed() | set(self._primaries.values())
        self._scheduler = make_scheduler(self._waits_for(), pending)

    def _twins_of(self, pending: Sequence[int]) -> dict[int, int]:
        """Steps of two names with one key: the later waits for the earlier and takes its result."""
        first: dict[bytes, int] = {}
        twins = {}
        for position in pending:
            other = first.setdefault(self._program.keys[position], position)
            if other != position and self._program.steps[position].function.options.cache:
                twins[position] = other
        return twins

    def _waits_for(self) -> Sequence[Sequence[int]]:
        program = self._program
        if not any(program.orders) and not self._primaries:
            return program.values
        return [
            program.upstreams(p) + ((self._primaries[p],) if p in self._primaries else ()) for p in range(len(program))
        ]

    @property
    def left(self) -> int:
        """Steps that have not come to their end."""
        return self._scheduler.left

    def say_what_is_cached(self) -> None:
        """Print the lines, and write the rows that are not there yet, of what was found before anything ran."""
        phases: dict[int, list[int]] = {}
        for position, result in enumerate(self._state.found):
            if result is not None:
                phases.setdefault(self._program.phases[position], []).append(position)
                self._bring_row_up_to_date(position, result.id)
        for phase in sorted(phases):
            if len(phases[phase]) > lines.CACHED_LINES:
                self._recorder.say(lines.cached_many(0, phase, len(phases[phase])))
                continue
            for position in phases[phase]:
                title = self._program.steps[position].function.title
                self._recorder.say(lines.cached(0, phase, title, self._program.names[position]))

    def _bring_row_up_to_date(self, position: int, result: int) -> None:
        rows = self._state.rows
        if rows is not None and rows[position] != (DONE, result):
            self._recorder.cached(position, result, self._resolved_texts(position), None)

    def next(self) -> int | None:
        """A step to run now; steps that turn out to be cached or skipped are dealt with on the way."""
        while (position := self._scheduler.take()) is not None:
            if self._must_run(position):
                return position
            self._scheduler.finish(position)
        return None

    def _must_run(self, position: int) -> bool:
        upstreams = self._program.upstreams(position)
        blame = next((up for up in upstreams if self._status[up] != DONE), None)
        if blame is not None:
            self._status[position] = SKIPPED
            self._recorder.skipped(position, self._program.names[blame], self._resolved_texts(position))
            return False
        if upstreams:
            self._inputs[position] = self._program.input_key(position, self._token)
        return not self._take_over(position)

    def _take_over(self, position: int) -> bool:
        """Use a result that was computed from the same values, by this step or by another of the same code."""
        program = self._program
        if not program.steps[position].function.options.cache:
            return False
        primary = self._primaries.get(position)
        if primary is not None and self._status[primary] == DONE:
            self._take(position, self._results[primary], self._ids[primary])
            self._recorder.cached(
                position, self._ids[position], self._resolved_texts(position),
                f"the same as {program.names[primary]}", say=True,
            )  # fmt: skip
            return True
        input_key = self._inputs.get(position)
        if input_key is None or not self._has_results:
            return False
        known = self._state.known.get(program.keys[position])
        if known is not None and known.input_key == input_key:
            self._take(position, known, known.id)
            self._recorder.cached(position, known.id, self._resolved_texts(position), None, say=True)
            return True
        return self._take_from_input(position, input_key)

    def _take_from_input(self, position: int, input_key: bytes) -> bool:
        stored = result_of_input(self._connection, input_key)
        if stored is None:
            return False
        result = NewResult(
            self._program.keys[position], input_key, stored.value_digest, stored.digest, stored.size, stored.codec,
            stored.codec_version, stored.suffix, stored.preview, "", None, self._origin_of(stored.id),
        )  # fmt: skip
        reason = "upstream values are the same"
        id_ = self._recorder.taken_over(position, result, self._resolved_texts(position), reason)
        self._take(position, result, id_)
        return True

    def _origin_of(self, result: int) -> int:
        row = self._connection.execute("SELECT coalesce(origin, id) FROM results WHERE id = ?", (result,)).fetchone()
        return int(row[0])

    def _take(self, position: int, result: KnownResult | NewResult | None, id_: int) -> None:
        self._status[position] = DONE
        self._results[position] = result
        self._ids[position] = id_
        self._cached += 1

    def _token(self, up: int) -> bytes:
        result = self._results[up]
        assert result is not None
        return token_of(result, cached=self._program.steps[up].function.options.cache, id_=self._ids[up])

    def finish(self, outcome: Outcome) -> None:
        """Take the outcome of a step that ran."""
        position = outcome.position
        self._seconds += outcome.seconds
        if outcome.result is not None:
            input_key = self._inputs.get(position)
            result = outcome.result if input_key is None else outcome.result._replace(input_key=input_key)
            self._status[position] = DONE
            if position in self._consumed:
                self._results[position] = result
            self._ids[position] = self._recorder.done(outcome, result)
            if outcome.reason:
                warnings.warn(f"the result of {self._program.names[position]!r} was {outcome.reason}", stacklevel=2)
        else:
            assert outcome.failure is not None
            name = self._program.names[position]
            self._status[position] = FAILED
            self.failures[name] = outcome.failure
            command = f"python -m ezpyp.inspect {shlex.quote(self._state.location)} show {shlex.quote(name)}"
            self._recorder.failed(outcome, command)
        self._scheduler.finish(position)

    def refs_for(self, position: int, knows: Callable[[int], bool]) -> dict[int, Ref]:
        """Where the results are that a step needs as values, those left out that the worker knows."""
        return {up: self._ref(up) for up in set(self._program.values[position]) if not knows(up)}

    def _ref(self, position: int) -> Ref:
        result = self._full(position)
        payload = result.payload
        if payload is None:
            payload = payload_of(self._connection, self._ids[position])
            if payload is None and isinstance(result, NewResult) and result.origin is not None:
                payload = payload_of(self._connection, result.origin)  # its own row may not be committed yet
        return Ref(result.digest, result.size, result.codec, result.codec_version, result.suffix, payload)

    def _resolved_texts(self, position: int) -> tuple[str | None, str | None]:
        """Arguments with the previews of results in place of steps: known without loading anything."""
        return resolved_texts(self._program, position, self._preview)

    def _preview(self, up: int) -> str:
        return f"TMP for {self._program.names[up]}" if self._results[up] is None else self._full(up).preview

    def _full(self, position: int) -> StoredResult | NewResult:
        """All of a result's row; of most results that are found only the identity is ever read."""
        result = self._results[position]
        if isinstance(result, NewResult):
            return result
        if position not in self._stored:
            id_, key = self._ids[position], self._program.keys[position]
            stored = results_by_id(self._connection, [id_]).get(id_)
            if stored is None or stored.key != key:
                raise DamagedResultError(
                    f"the row of the result of {self._program.names[position]!r} is damaged: set it aside with "
                    f"python -m ezpyp.inspect {shlex.quote(self._state.location)} verify --repair",
                    digest="",
                )
            self._stored[position] = stored
        return self._stored[position]

    def counts(self) -> RunCounts:
        """How many steps came to which end."""
        failed = self._status.count(FAILED)
        skipped = self._status.count(SKIPPED)
        done = self._status.count(DONE) - self._cached
        return RunCounts(self._cached, done, failed, skipped, self._seconds)

    def names_with(self, status: int) -> tuple[str, ...]:
        """Names of the steps that came to an end of one kind."""
        return tuple(name for name, found in zip(self._program.names, self._status, strict=True) if found == status)
