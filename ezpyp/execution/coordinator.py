"""Decides on rank 0 what runs, and takes what became of it; the same for serial runs and over MPI."""

from __future__ import annotations

import os
import shlex
import sqlite3
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from ezpyp.errors import DamagedResultError, FileChangedError, FileConflictError
from ezpyp.execution import output as lines
from ezpyp.execution.messages import DONE, FAILED, SKIPPED, Failure, Outcome, Ref
from ezpyp.execution.recorder import Recorder
from ezpyp.execution.recovery import UPSTREAM, Recovery, given_up, record_damage
from ezpyp.execution.scheduler import Scheduler
from ezpyp.execution.state import RunStart, StepStates
from ezpyp.graph.program import Program
from ezpyp.store.damage import Damage
from ezpyp.store.objects import INLINE_LIMIT, ObjectStore
from ezpyp.store.results import Observations, files_of, observations_of, results_of_input
from ezpyp.store.rows import KnownResult, NewResult, StoredResult
from ezpyp.store.runs import RunCounts


class Adoption:
    """Finds earlier results for steps whose upstreams are done."""

    def __init__(self, states: StepStates, recovery: Recovery, recorder: Recorder) -> None:
        self._states = states
        self._program = states.program
        self._recovery = recovery
        self._recorder = recorder
        self._connection = states.connection
        self._observations = Observations(self._connection)
        # An index without results has nothing to adopt: spares a query a step in a fresh cache.
        self._is_empty = self._connection.execute("SELECT 1 FROM results LIMIT 1").fetchone() is None
        self.duplicates = _duplicates(self._program, states.pending)
        """Steps of two names with one key: the later waits for the earlier and adopts its result."""

    def adopt(self, position: int) -> bool:
        """Use a result of this step, or of another of the same code, where there is one."""
        if self._is_empty and not self.duplicates:
            return False
        if not self._program.steps[position].function.options.cache or self._recovery.must_run(position):
            return False
        states = self._states
        first = self.duplicates.get(position)
        if first is not None and states.status[first] == DONE:
            self._set(position, states.results[first], states.ids[first])
            self._record_cached(position, f"the same as {self._program.names[first]}")
            return True
        input_key = states.inputs.get(position)
        if input_key is None or self._is_empty:
            return False
        known = states.start.known.get(self._program.keys[position])
        if known is not None and known.input_key == input_key and not self._observations.changed([known.id]):
            self._set(position, known, known.id)
            self._record_cached(position, None)
            return True
        return self._adopt_from_values(position, input_key)

    def _adopt_from_values(self, position: int, input_key: bytes) -> bool:
        stored = self._stored_by(position, input_key)
        if stored is None:
            return False
        result = NewResult(
            self._program.keys[position], input_key, stored.value_digest, stored.digest, stored.size, stored.codec,
            stored.codec_version, stored.suffix, stored.preview, "", None, self._origin_of(stored.id),
            files_of(self._connection, stored.id), observations_of(self._connection, stored.id),
        )  # fmt: skip
        texts = self._states.texts(position)
        self._set(position, result, self._recorder.adopted(position, result, texts, "upstream values are the same"))
        return True

    def _stored_by(self, position: int, input_key: bytes) -> StoredResult | None:
        """A result that was computed from the same values, whose object and files are there, and what its step read."""
        for stored in results_of_input(self._connection, input_key):
            if change := self._observations.changed([stored.id]).get(stored.id):
                self._states.start.changed.setdefault(self._program.keys[position], change)
                continue
            try:
                damage = self._damage_of(stored)
            except FileChangedError:
                continue  # the step makes its file anew
            if damage is None:
                return stored
            record_damage(self._recorder, self._connection, [damage])
        return None

    def _damage_of(self, stored: StoredResult) -> Damage | None:
        if stored.size > INLINE_LIMIT and self._recovery.is_missing(stored):
            return self._recovery.set_aside(stored.id, stored, "its object is missing or has another size")
        try:
            for file in files_of(self._connection, stored.id):
                self._recovery.objects.put_back(file)
        except DamagedResultError as error:
            return Damage(stored.id, f"a file that it names is gone, and in the store {error.what}", None)
        return None

    def _origin_of(self, result: int) -> int:
        row = self._connection.execute("SELECT coalesce(origin, id) FROM results WHERE id = ?", (result,)).fetchone()
        return int(row[0])

    def _set(self, position: int, result: KnownResult | NewResult | None, id_: int) -> None:
        states = self._states
        states.status[position] = DONE
        states.results[position] = result
        states.ids[position] = id_
        states.is_cached[position] = True

    def _record_cached(self, position: int, reason: str | None) -> None:
        states = self._states
        self._recorder.cached(position, states.ids[position], states.texts(position), reason, say=True)


def _duplicates(program: Program, pending: Sequence[int]) -> dict[int, int]:
    first: dict[bytes, int] = {}
    duplicates = {}
    for position in pending:
        other = first.setdefault(program.keys[position], position)
        if other != position and program.steps[position].function.options.cache:
            duplicates[position] = other
    return duplicates


class Coordinator:
    """Gives ready steps to whoever asks, and records their outcomes."""

    def __init__(
        self,
        start: RunStart,
        recorder: Recorder,
        connection: sqlite3.Connection,
        make_scheduler: Callable[[Sequence[Sequence[int]], list[int]], Scheduler],
    ) -> None:
        self._start = start
        self._program = start.program
        self._recorder = recorder
        self._connection = connection
        self._states = StepStates(start, connection, recorder.put_back)
        self._status = self._states.status
        self._seconds = 0.0
        self.failures: dict[str, Failure] = {}
        pending = self._states.pending
        self._recovery = Recovery(self._states, self._damaged(pending), ObjectStore(Path(start.location), trust=True))
        self._adoption = Adoption(self._states, self._recovery, recorder)
        # Results that nobody asks for again are not kept: a sweep's may be many.
        self._consumed = self._program.consumed() | set(self._adoption.duplicates.values())
        self._scheduler = self._states.scheduler = make_scheduler(self._waits_for(), pending)

    def _damaged(self, pending: Sequence[int]) -> dict[int, KnownResult]:
        damaged, keys = self._start.damaged, self._program.keys
        if not damaged:
            return {}
        lost = [
            position for position in pending if keys[position] in damaged and keys[position] not in self._start.known
        ]
        return {position: damaged[keys[position]] for position in lost}

    def _waits_for(self) -> Sequence[Sequence[int]]:
        program, duplicates = self._program, self._adoption.duplicates
        if not any(program.orders) and not duplicates:
            return program.values
        return [program.upstreams(p) + ((duplicates[p],) if p in duplicates else ()) for p in range(len(program))]

    @property
    def left(self) -> int:
        """Steps that have not come to their end."""
        return self._scheduler.left

    @property
    def ready(self) -> int:
        """How many steps wait for nothing but a rank."""
        return self._scheduler.ready

    def name_of(self, position: int) -> str:
        """A step's name, for messages."""
        return self._program.names[position]

    def put_back(self, position: int) -> None:
        """A step that was taken did not begin."""
        self._recovery.not_begun(position)
        self._states.put_back(position)

    def record_cached(self) -> None:
        """Print the lines, and write the rows that are not there yet, of what was found before anything ran."""
        phases: dict[int, list[int]] = {}
        for position, result in enumerate(self._start.found):
            if result is not None:
                phases.setdefault(self._program.phases[position], []).append(position)
                self._bring_row_up_to_date(position, result.id)
        for phase in sorted(phases):
            if len(phases[phase]) > lines.CACHED_LINES:
                self._recorder.say(lines.cached_many(phase, len(phases[phase])))
                continue
            for position in phases[phase]:
                title = self._program.steps[position].function.title
                self._recorder.say(lines.cached(phase, title, self._program.names[position]))

    def _bring_row_up_to_date(self, position: int, result: int) -> None:
        rows = self._start.rows
        if rows is not None and rows[position] != (DONE, result):
            self._recorder.cached(position, result, self._states.texts(position), None)

    def next(self) -> int | None:
        """A step to run now; those that turn out to be cached or skipped are recorded on the way."""
        while (position := self._scheduler.take()) is not None:
            if self._must_run(position):
                return position
        return None

    def _must_run(self, position: int) -> bool:
        if upstreams := self._program.upstreams(position):
            for up in upstreams:
                if self._status[up] != DONE:
                    self._do_without(position, up)
                    return False
            self._states.inputs[position] = self._program.input_key(position, self._states.token)
        if not self._adoption.adopt(position):
            return True
        self._end(position)
        return False

    def _do_without(self, position: int, blame: int) -> None:
        """An upstream has no result: it is being computed anew, or failed."""
        if self._states.unfinished(position):
            self._states.put_back(position)
            return
        self._status[position] = SKIPPED
        self._recorder.skipped(position, self._program.names[blame], self._states.texts(position))
        self._scheduler.finish(position)

    def _end(self, position: int) -> None:
        self._scheduler.finish(position)
        if not self._recovery.is_idle and self._status[position] == DONE:
            self._recovery.follow(position)

    def finish(self, outcome: Outcome) -> None:
        """Take the outcome of a step that ran, or could not because an upstream's result is damaged."""
        position = outcome.position
        self._seconds += outcome.seconds
        if outcome.damaged:
            if self._recover(position, outcome.damaged):
                return
            outcome = given_up(outcome)
        result = outcome.result
        if result is not None and result.files and (failure := self._conflict(position, result)):
            outcome, result = outcome._replace(result=None, failure=failure), None
        if result is not None:
            self._done(outcome, result)
        else:
            self._failed(outcome)
        self._end(position)

    def _done(self, outcome: Outcome, result: NewResult) -> None:
        position = outcome.position
        input_key = self._states.inputs.get(position)
        if input_key is not None:
            result = result._replace(input_key=input_key)
        self._status[position] = DONE
        if position in self._consumed:
            self._states.results[position] = result
        if outcome.reason:
            warnings.warn(f"the result of {self._program.names[position]!r} was {outcome.reason}", stacklevel=3)
        marked = self._recovery.marked(outcome, result)
        if marked is outcome and (why := self._why_again(position)):
            marked = outcome._replace(reason="; ".join(filter(None, (why, outcome.reason))))
        self._states.ids[position] = self._recorder.done(marked, result)

    def _conflict(self, position: int, result: NewResult) -> Failure | None:
        """Another step made a file of a path that this one names, and it held something else."""
        made = self._start.made
        for file in result.files:
            other, digest = made.setdefault(os.path.abspath(file.path), (position, file.digest))
            if other != position and digest != file.digest:
                message = (
                    f"{self.name_of(other)!r} and {self.name_of(position)!r} both name the file {file.path!r}, each "
                    "with another content: only one of them can be put back; let each write a path of its own"
                )
                return Failure(f"{FileConflictError.__module__}.{FileConflictError.__name__}", message, None, None, "")
            made[os.path.abspath(file.path)] = position, file.digest
        return None

    def _why_again(self, position: int) -> str | None:
        """Why a step ran that has a result under its very key: other values of its upstreams, or of what it reads."""
        key = self._program.keys[position]
        if change := self._start.changed.get(key):
            return change
        known = self._start.known.get(key)
        if known is None or not self._program.steps[position].function.options.cache:
            return None
        return UPSTREAM if known.input_key != self._states.inputs.get(position) else None

    def _failed(self, outcome: Outcome) -> None:
        assert outcome.failure is not None
        name = self._program.names[outcome.position]
        self._status[outcome.position] = FAILED
        self.failures[name] = outcome.failure
        command = f"python -m ezpyp.inspect {shlex.quote(self._start.location)} show {lines.typed(name)}"
        self._recorder.failed(outcome, command)

    def _recover(self, position: int, damaged: Collection[int]) -> bool:
        """Put a step back until upstreams that cannot be loaded were computed anew; False where that is no use."""
        found = self._recovery.recover(position, damaged)
        if found is None:
            return False
        record_damage(self._recorder, self._connection, found)
        self.put_back(position)
        return True

    def renewed(self) -> Collection[int]:
        """Results that ranks have to be sent again, since the last call."""
        return self._states.renewed()

    def refs_for(self, position: int, knows: Callable[[int], bool]) -> dict[int, Ref] | None:
        """Where the results are that a step needs as values, those left out that the worker knows.

        None where the row of one is damaged: then the step was put back.
        """
        refs, damaged = {}, []
        for up in set(self._program.values[position]):
            if not knows(up):
                try:
                    refs[up] = self._states.ref(up)
                except DamagedResultError:
                    damaged.append(up)
        if not damaged:
            return refs
        if not self._recover(position, damaged):
            self._states.full(damaged[0])  # raises: nothing can be read from this index
        return None

    def counts(self) -> RunCounts:
        """How many steps came to which end."""
        failed = self._status.count(FAILED)
        skipped = self._status.count(SKIPPED)
        cached = sum(self._states.is_cached)
        done = self._status.count(DONE) - cached
        return RunCounts(cached, done, failed, skipped, self._seconds)

    def by_phase(self) -> Counter[tuple[int, int]]:
        """How many steps of each phase came to which end, by phase and status."""
        return Counter(zip(self._program.phases, self._status, strict=True))

    def names_with(self, status: int) -> tuple[str, ...]:
        """Names of the steps that came to an end of one kind."""
        return tuple(name for name, found in zip(self._program.names, self._status, strict=True) if found == status)
