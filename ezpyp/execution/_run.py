"""One run: from the plan to the last commit, serially or over MPI."""

from __future__ import annotations

import getpass
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ezpyp.errors import StoreError
from ezpyp.execution import _lines as lines
from ezpyp.execution._capture import Capture
from ezpyp.execution._communicator import Communicator
from ezpyp.execution._console import Console
from ezpyp.execution._coordinator import Coordinator
from ezpyp.execution._counted import Counted
from ezpyp.execution._durations import Durations
from ezpyp.execution._mpi import coordinate
from ezpyp.execution._outcome import FAILED, SKIPPED
from ezpyp.execution._plan import found_results
from ezpyp.execution._progress_line import ProgressLine
from ezpyp.execution._progress_screen import is_wanted, screen_for
from ezpyp.execution._progress_tally import Planned
from ezpyp.execution._recorder import Recorder
from ezpyp.execution._report import Report
from ezpyp.execution._repository import repository
from ezpyp.execution._scheduler import Scheduler, in_phases, longest_first
from ezpyp.execution._serial import run_serially
from ezpyp.execution._state import RunState
from ezpyp.execution._summary import summary_text
from ezpyp.execution._worker import Worker
from ezpyp.graph import Program
from ezpyp.hashing import without_secrets
from ezpyp.store import (
    Index,
    KilledRun,
    KnownResult,
    ObjectStore,
    RunRow,
    all_rows_current,
    batch_job,
    damaged_results,
    ended_in_order,
    finish_run,
    killed_run,
    latest_rows,
    newest_results,
    record_changed_files,
    record_circumstances,
    record_missing,
    recorded_durations,
    replace_file,
    start_run,
    translated,
)

SUMMARY_NAME = "pipeline.summary"


@dataclass(frozen=True, slots=True)
class RunRequest:
    """What a run needs to know beside the index.

    Attributes:
        program: The steps.
        pipeline_id: Id of the pipeline.
        revision: Revision of the schema.
        step_ids: Gives the row id of each step; asked for only where a row is to be written.
        output: ``steps``, ``summary`` or ``none``.
        progress: Whether to show how far the run is; None for: unless the output is ``none``.
        barrier: Whether a phase begins only when the one before has ended.
        version: Version of ezpyp.
        durable: Whether results shall outlive a loss of power.
        trust: Whether results that belong to somebody else may be loaded.
    """

    program: Program
    pipeline_id: str
    revision: int
    step_ids: Callable[[], list[int]]
    output: str
    progress: bool | None
    barrier: bool
    version: str
    durable: bool = False
    trust: bool = False


def run_on_rank_0(index: Index, communicator: Communicator, request: RunRequest) -> Report:
    """Run a frozen program; the index must be held.

    Raises:
        StoreError: The index cannot be written any more. What was printed as ``[PASS]`` is kept.
    """
    with translated(index.location):
        return _Run(index, communicator, request).execute()


class _Run:
    """The steps of `run_on_rank_0`, with what they share."""

    def __init__(self, index: Index, communicator: Communicator, request: RunRequest) -> None:
        self._index = index
        self._communicator = communicator
        self._request = request
        self._program = request.program
        self._console = Console()
        self._repository = repository()
        self._started = time.perf_counter()
        self._durations: dict[int, float] | None = None
        self._killed: KilledRun | None = None

    def execute(self) -> Report:
        state, step_ids = self._state()
        run = self._start(len(self._program))
        console = self._console if self._request.output == "steps" else None
        follow = partial(self._follow, state.found, step_ids)
        counted = Counted.of(state)
        recorder = Recorder(self._index, self._program, run, step_ids, console, follow=follow, counted=counted)
        cached = sum(result is not None for result in state.found)
        if cached < len(self._program):
            self._repository.look()
        coordinator = Coordinator(state, recorder, self._index.connection, self._scheduler(step_ids))
        self._say_header(cached)
        coordinator.say_what_is_cached()
        try:
            self._work(coordinator, recorder, step_ids)
        except BaseException:
            self._finish(run, "interrupted", coordinator, recorder)
            raise
        ok = not coordinator.failures
        self._finish(run, "completed" if ok else "failed", coordinator, recorder)
        self._write_summary(ok=ok, changed=cached < len(self._program) or state.rows is not None)
        report = self._report(run, coordinator)
        if self._request.output == "summary":
            self._console.write(lines.footer(self._index.location, report))
        return report

    def _state(self) -> tuple[RunState, list[int]]:
        program, connection = self._program, self._index.connection
        known = newest_results(connection, program.keys)
        found = found_results(program, known)
        wanted = _to_be_read(program, found)
        missing = record_missing(self._index, wanted) | record_changed_files(self._index, wanted)
        if missing:
            known = {key: result for key, result in known.items() if result.id not in missing}
            found = found_results(program, known)
        rows: Sequence[tuple[int, int | None] | None] | None = None
        step_ids: list[int] = []
        current = all_rows_current(connection, self._request.revision, len(program))
        if not (current and all(found)):
            step_ids = self._request.step_ids()
            latest = latest_rows(connection)
            rows = [latest.get(id_) for id_ in step_ids]
        damaged = damaged_results(connection)
        return RunState(program, known, found, rows, str(self._index.location), damaged), step_ids

    def _start(self, total: int) -> int:
        self._killed = killed_run(self._index.connection)
        if not ended_in_order(self._index.connection):
            ObjectStore(self._index.location).sweep()
        row = RunRow(
            self._request.revision, time.time(), self._communicator.size, self._communicator.host, os.getpid(),
            _user(), " ".join([sys.executable, *without_secrets(sys.argv)]), _directory(), sys.version.split()[0],
            self._request.version, batch_job(), total, self._repository.commit,
        )  # fmt: skip
        with self._index.writing() as connection:
            run = start_run(connection, row)
            record_circumstances(connection, run, self._program.identities.values())
            return run

    def _scheduler(self, step_ids: list[int]) -> Callable[[Sequence[Sequence[int]], list[int]], Scheduler]:
        program = self._program

        def make(upstreams: Sequence[Sequence[int]], pending: list[int]) -> Scheduler:
            if self._communicator.size == 1 or self._request.barrier:
                barrier = program.phases if self._request.barrier else None
                return Scheduler(upstreams, pending, in_phases(program.phases), barrier)
            return Scheduler(upstreams, pending, longest_first(upstreams, self._expected(step_ids).usual()))

        return make

    def _recorded(self, step_ids: list[int]) -> dict[int, float]:
        if self._durations is None:
            self._durations = recorded_durations(self._index.connection, step_ids)
        return self._durations

    def _follow(
        self, found: Sequence[KnownResult | None], step_ids: list[int], capture: Capture
    ) -> ProgressLine | None:
        """What says how far the run is, while the steps' output is kept."""
        asked = self._request.progress
        if not is_wanted(self._request.output != "none" if asked is None else asked, os.environ):
            return None
        # mpirun passes on what ranks write: they reach no terminal themselves.
        alone = self._communicator.size == 1 and capture.sees_all
        screen = screen_for(capture.stdout, capture.stderr, os.environ, alone=alone)
        return None if screen is None else ProgressLine(partial(self._planned, found, step_ids), screen)

    def _planned(self, found: Sequence[KnownResult | None], step_ids: list[int]) -> Planned:
        program, recorded = self._program, self._recorded(step_ids)
        return Planned(
            program.names,
            [step.function for step in program.steps],
            [recorded.get(id_) for id_ in step_ids] or [None] * len(program),  # no ids where all is cached
            [position for position, result in enumerate(found) if result is None],
            self._communicator.size,
        )

    def _say_header(self, cached: int) -> None:
        if self._request.output == "none":
            return
        total = len(self._program)
        counts = (total, cached, total - cached)
        self._console.write(
            lines.header(self._request.pipeline_id, self._index.location, self._request.revision, counts)
            + (lines.killed(self._killed) if self._killed else "")
        )

    def _expected(self, step_ids: list[int]) -> Durations:
        recorded = self._recorded(step_ids)
        by_position = {position: recorded[id_] for position, id_ in enumerate(step_ids) if id_ in recorded}
        return Durations([step.function for step in self._program.steps], by_position)

    def _work(self, coordinator: Coordinator, recorder: Recorder, step_ids: list[int]) -> None:
        worker = Worker(
            self._program, self._index.location, 0, self._communicator.host,
            durable=self._request.durable, trust=self._request.trust,
        )  # fmt: skip
        if self._communicator.size == 1:
            run_serially(self._program, coordinator, recorder, worker)
        else:
            coordinate(self._communicator, coordinator, recorder, worker, self._expected(step_ids))

    def _finish(self, run: int, status: str, coordinator: Coordinator, recorder: Recorder) -> None:
        try:
            recorder.flush()
            dirty = self._repository.is_dirty()
            with self._index.writing() as connection:
                finish_run(connection, run, status, coordinator.counts(), coordinator.by_phase(), git_dirty=dirty)
        except StoreError:
            if status != "interrupted":
                raise
            # The error that interrupted the run is on its way already, and it is the one that counts.

    def _write_summary(self, *, ok: bool, changed: bool) -> None:
        path = Path(self._index.location) / SUMMARY_NAME
        if changed or not path.is_file():
            replace_file(path, summary_text(self._index.connection, self._index.location, ok=ok))

    def _report(self, run: int, coordinator: Coordinator) -> Report:
        counts = coordinator.counts()
        return Report(
            run, self._request.revision, len(self._program), counts.done, counts.cached,
            coordinator.names_with(FAILED), coordinator.names_with(SKIPPED), coordinator.failures,
            time.perf_counter() - self._started, counts.busy_seconds, self._communicator.size,
        )  # fmt: skip


def _to_be_read(program: Program, found: Sequence[KnownResult | None]) -> list[KnownResult]:
    """Results that somebody will ask for: of leaves, and of what a step that may run needs.

    What nobody asks for may be gone; whoever asks for it later finds that out, and the next run mends it.
    """
    below = program.consumed()
    wanted = {up for position, result in enumerate(found) if result is None for up in program.values[position]}
    return [result for p, result in enumerate(found) if result and (p in wanted or p not in below)]


def _user() -> str | None:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None  # a container may run under a user id without a name


def _directory() -> str:
    try:
        return str(Path.cwd())
    except OSError:
        return ""  # the folder the script was started in may be gone
