"""The state of one run on rank 0: decides what runs, takes outcomes, keeps the rows."""

from __future__ import annotations

import shlex
import sqlite3
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

from ezpyp.errors import DamagedResultError
from ezpyp.execution import output as lines
from ezpyp.execution.messages import DONE, FAILED, SKIPPED, Failure, Outcome, Ref
from ezpyp.execution.recorder import Recorder
from ezpyp.execution.recovery import UPSTREAM, EarlierResults, Healing, given_up, record_damage
from ezpyp.execution.scheduler import Scheduler
from ezpyp.execution.state import Progress, Results, RunState
from ezpyp.store.objects import ObjectStore
from ezpyp.store.rows import KnownResult, NewResult
from ezpyp.store.runs import RunCounts


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
        self._results = Results(self._program, state.found, connection, state.location)
        self._progress = Progress(self._program, self._results, state.found, recorder.put_back)
        self._status = self._progress.status
        self._seconds = 0.0
        self.failures: dict[str, Failure] = {}
        pending = self._progress.pending
        self._healing = Healing(self._progress, self._damaged(pending), ObjectStore(Path(state.location), trust=True))
        self._earlier = EarlierResults(state, self._progress, self._healing, recorder, connection)
        self._twins = self._earlier.twins
        # Results that nobody asks for again are not kept: a sweep's may be many.
        self._consumed = self._program.consumed() | set(self._twins.values())
        self._scheduler = self._progress.scheduler = make_scheduler(self._waits_for(), pending)

    def _damaged(self, pending: Sequence[int]) -> dict[int, KnownResult]:
        damaged, keys = self._state.damaged, self._program.keys
        if not damaged:
            return {}
        lost = [
            position for position in pending if keys[position] in damaged and keys[position] not in self._state.known
        ]
        return {position: damaged[keys[position]] for position in lost}

    def _waits_for(self) -> Sequence[Sequence[int]]:
        program, twins = self._program, self._twins
        if not any(program.orders) and not twins:
            return program.values
        return [program.upstreams(p) + ((twins[p],) if p in twins else ()) for p in range(len(program))]

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
        self._healing.not_begun(position)
        self._progress.put_back(position)

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
            self._recorder.cached(position, result, self._results.texts(position), None)

    def next(self) -> int | None:
        """A step to run now; steps that turn out to be cached or skipped are dealt with on the way."""
        while (position := self._scheduler.take()) is not None:
            if self._must_run(position):
                return position
        return None

    def _must_run(self, position: int) -> bool:
        upstreams = self._program.upstreams(position)
        blame = next((up for up in upstreams if self._status[up] != DONE), None)
        if blame is not None:
            self._do_without(position, blame)
            return False
        if upstreams:
            self._progress.inputs[position] = self._program.input_key(position, self._results.token)
        if not self._earlier.take_over(position):
            return True
        self._end(position)
        return False

    def _do_without(self, position: int, blame: int) -> None:
        """An upstream has no result: it is being computed anew, or failed."""
        if self._progress.unfinished(position):
            self._progress.put_back(position)
            return
        self._status[position] = SKIPPED
        self._recorder.skipped(position, self._program.names[blame], self._results.texts(position))
        self._scheduler.finish(position)

    def _end(self, position: int) -> None:
        self._scheduler.finish(position)
        if not self._healing.is_idle and self._status[position] == DONE:
            self._healing.follow(position)

    def finish(self, outcome: Outcome) -> None:
        """Take the outcome of a step that ran, or could not because an upstream's result is damaged."""
        position = outcome.position
        self._seconds += outcome.seconds
        if outcome.damaged:
            if self._heal(position, outcome.damaged):
                return
            outcome = given_up(outcome)
        if outcome.result is not None:
            self._done(outcome, outcome.result)
        else:
            self._failed(outcome)
        self._end(position)

    def _done(self, outcome: Outcome, result: NewResult) -> None:
        position = outcome.position
        input_key = self._progress.inputs.get(position)
        if input_key is not None:
            result = result._replace(input_key=input_key)
        self._status[position] = DONE
        if position in self._consumed:
            self._results[position] = result
        if outcome.reason:
            warnings.warn(f"the result of {self._program.names[position]!r} was {outcome.reason}", stacklevel=3)
        marked = self._healing.marked(outcome, result)
        if marked is outcome and self._had_other_inputs(position):
            marked = outcome._replace(reason="; ".join(filter(None, (UPSTREAM, outcome.reason))))
        self._results.ids[position] = self._recorder.done(marked, result)

    def _had_other_inputs(self, position: int) -> bool:
        """Whether a step has a result under its very key, computed from other values of its upstreams."""
        if not self._program.steps[position].function.options.cache:
            return False
        known = self._state.known.get(self._program.keys[position])
        return known is not None and known.input_key != self._progress.inputs.get(position)

    def _failed(self, outcome: Outcome) -> None:
        assert outcome.failure is not None
        name = self._program.names[outcome.position]
        self._status[outcome.position] = FAILED
        self.failures[name] = outcome.failure
        command = f"python -m ezpyp.inspect {shlex.quote(self._state.location)} show {lines.typed(name)}"
        self._recorder.failed(outcome, command)

    def _heal(self, position: int, damaged: Collection[int]) -> bool:
        """Put a step back until upstreams that cannot be loaded were computed anew; False where that is no use."""
        found = self._healing.heal(position, damaged)
        if found is None:
            return False
        record_damage(self._recorder, self._connection, found)
        self.put_back(position)
        return True

    def renewed(self) -> Collection[int]:
        """Results that ranks have to be told of again, since the last call."""
        return self._progress.renewed()

    def refs_for(self, position: int, knows: Callable[[int], bool]) -> dict[int, Ref] | None:
        """Where the results are that a step needs as values, those left out that the worker knows.

        None where the row of one is damaged: then the step was put back.
        """
        refs, damaged = {}, []
        for up in set(self._program.values[position]):
            if not knows(up):
                try:
                    refs[up] = self._results.ref(up)
                except DamagedResultError:
                    damaged.append(up)
        if not damaged:
            return refs
        if not self._heal(position, damaged):
            self._results.full(damaged[0])  # raises: nothing can be read from this index
        return None

    def counts(self) -> RunCounts:
        """How many steps came to which end."""
        failed = self._status.count(FAILED)
        skipped = self._status.count(SKIPPED)
        cached = sum(self._progress.is_cached)
        done = self._status.count(DONE) - cached
        return RunCounts(cached, done, failed, skipped, self._seconds)

    def by_phase(self) -> Counter[tuple[int, int]]:
        """How many steps of each phase came to which end, by phase and status."""
        return Counter(zip(self._program.phases, self._status, strict=True))

    def names_with(self, status: int) -> tuple[str, ...]:
        """Names of the steps that came to an end of one kind."""
        return tuple(name for name, found in zip(self._program.names, self._status, strict=True) if found == status)
