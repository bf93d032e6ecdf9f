"""One run: from the plan to the last commit, serially or over MPI."""

from __future__ import annotations

import getpass
import os
import sqlite3
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path
from typing import NamedTuple

from ezpyp.describe import without_secrets
from ezpyp.errors import StoreError
from ezpyp.execution import output as lines
from ezpyp.execution.capture.capture import Capture
from ezpyp.execution.coordinator import Coordinator
from ezpyp.execution.git import repository
from ezpyp.execution.messages import FAILED, SKIPPED
from ezpyp.execution.mpi.communicator import Communicator
from ezpyp.execution.mpi.work import coordinate
from ezpyp.execution.output import Console, Report
from ezpyp.execution.plan import found_results, look_up
from ezpyp.execution.progress import Planned, ProgressLine, is_wanted, screen_for
from ezpyp.execution.recorder import GROUP_S, Recorder
from ezpyp.execution.scheduler import FADING, Durations, Scheduler, in_phases, longest_first
from ezpyp.execution.state import RunStart
from ezpyp.execution.worker import Worker
from ezpyp.explain.untracked import circumstances_of
from ezpyp.graph.program import Program, collection_paused
from ezpyp.schema.records import excerpt, rest_of
from ezpyp.steps.step import Decorated
from ezpyp.store.damage import damaged_results, record_missing, restore_files
from ezpyp.store.index import Index, replace_file
from ezpyp.store.lock import batch_job
from ezpyp.store.objects import ObjectStore
from ezpyp.store.rows import KnownResult, RunRow
from ezpyp.store.runs import (
    KilledRun,
    all_rows_current,
    ended_in_order,
    finish_run,
    killed_run,
    latest_rows,
    record_circumstances,
    recorded_durations,
    start_run,
)
from ezpyp.version import __version__

_SHORT_S = 0.005


def run_serially(program: Program, coordinator: Coordinator, recorder: Recorder, worker: Worker) -> None:
    """Run every pending step, phase by phase, in order of declaration."""
    if not coordinator.left:
        return
    longest: dict[Decorated, float] = {}
    with worker.capture as capture, recorder.beside(capture), _ticking(recorder):
        while (position := coordinator.next()) is not None:
            if program.values[position] and not _learn(coordinator, worker, position):
                continue
            function = program.steps[position].function
            # What is finished is committed before any body that is not known to be short.
            if longest.get(function, _SHORT_S) >= _SHORT_S:
                recorder.flush()
            recorder.started(position, 0, worker.host)
            outcome = worker.run(position)
            longest[function] = max(FADING * longest.get(function, 0.0), outcome.seconds)
            coordinator.finish(outcome)
            recorder.flush_if_due()


def _learn(coordinator: Coordinator, worker: Worker, position: int) -> bool:
    """Whether a step's upstream results are there; it was put back otherwise."""
    if renewed := coordinator.renewed():
        worker.forget(renewed)
    refs = coordinator.refs_for(position, worker.knows)
    if refs:
        worker.learn(refs)
    return refs is not None


@contextmanager
def _ticking(recorder: Recorder) -> Iterator[None]:
    """A thread that announces long steps and commits what waits while a body is busy."""
    stopped = threading.Event()
    broken: list[BaseException] = []

    def tick() -> None:
        try:
            while not stopped.wait(GROUP_S):
                recorder.tick()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits, below
            broken.append(error)

    thread = threading.Thread(target=tick, name="ezpyp-ticker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    if broken:
        raise broken[0]


_COLUMNS = ("name", "args", "kwargs", "phase", "status", "result")


def summary_text(connection: sqlite3.Connection, location: Path, *, ok: bool) -> str:
    """The outcome on one line, then a row a step in columns that line up; of very many what went wrong, and some."""
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM summary").fetchall()
    not_done = [position for position, row in enumerate(rows) if row[4] != 0]
    shown = excerpt([row[3] for row in rows], first=not_done)
    lines = [
        f"Pipeline {'Completed' if ok else 'Failed'} @ {location}",
        *_table([rows[position] for position in shown]),
    ]
    if len(shown) < len(rows):
        lines.append(f"and {rest_of(len(rows) - len(shown), str(location))}")
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Sequence[object]]) -> Iterator[str]:
    table = [_COLUMNS, *((*row[:3], str(row[3]), str(row[4]), row[5] or "") for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    pattern = "  ".join(f"%-{width}s" for width in widths[:-1]) + "  %s"
    return ((pattern % row).rstrip() for row in table)


SUMMARY_NAME = "pipeline.summary"


class Settings(NamedTuple):
    """The arguments of `Pipeline` that count at its location; they are described there."""

    location: Path
    pipeline_id: str
    revise: bool | Iterable[str] = False
    trust: bool = False
    durable: bool = False


class RunOptions(NamedTuple):
    """The arguments of one ``execute()``, described there, with the settings of its pipeline; rank 0's count.

    ``progress`` None means: unless the output is ``none``.
    """

    settings: Settings
    revise: bool | Iterable[str] | None = None
    output: str = "steps"
    progress: bool | None = None
    barrier: bool = False
    wait_s: float = 0.0
    restore: bool = False


class Run:
    """One run of a frozen program on rank 0; the index must be held.

    ``step_ids`` gives the row id of each step; it is asked for only where a row is to be written.
    """

    def __init__(
        self, index: Index, communicator: Communicator, program: Program, options: RunOptions, *,
        revision: int, step_ids: Callable[[], list[int]],
    ) -> None:  # fmt: skip
        self._index = index
        self._communicator = communicator
        self._program = program
        self._options = options
        self._revision = revision
        self._find_step_ids = step_ids
        self._step_ids: list[int] = []
        self._console = Console()
        self._repository = repository()
        self._started = time.perf_counter()

    def execute(self) -> Report:
        """Run what is not cached, serially or with the other ranks, and write what became of it.

        Raises:
            StoreError: The index cannot be written any more. What was printed as ``[PASS]`` is kept.
        """
        options, program, communicator = self._options, self._program, self._communicator
        start = self._look_up()
        to_run = [position for position, result in enumerate(start.found) if result is None]
        killed = killed_run(self._index.connection)
        run = self._record_start()
        recorder = Recorder(
            self._index, program, run, self._step_ids, self._console if options.output == "steps" else None,
            follow=partial(self._follow, to_run),
        )  # fmt: skip
        if to_run:
            self._repository.look()
        coordinator = Coordinator(start, recorder, self._index.connection, self._scheduler)
        self._print_header(len(to_run), killed)
        coordinator.record_cached()
        worker = worker_of(program, communicator, options.settings)
        try:
            if communicator.size == 1:
                run_serially(program, coordinator, recorder, worker)
            else:
                coordinate(communicator, coordinator, recorder, worker, self._durations)
        except BaseException:
            self._record_end(run, "interrupted", coordinator, recorder)
            raise
        ok = not coordinator.failures
        self._record_end(run, "completed" if ok else "failed", coordinator, recorder)
        self._write_summary(ok=ok, changed=bool(to_run) or start.rows is not None)
        report = self._report(run, coordinator)
        if options.output == "summary":
            self._console.write(lines.footer(self._index.location, report))
        return report

    def _look_up(self) -> RunStart:
        program, connection = self._program, self._index.connection
        known, found, changed, is_newest = look_up(program, connection)
        wanted = _to_be_read(program, found)
        objects = ObjectStore(self._index.location, trust=self._options.settings.trust)
        ids = {result.id for result in found if result}
        lost, files = restore_files(self._index, objects, ids, overwrite=self._options.restore)
        missing = record_missing(self._index, wanted) | lost
        if missing:
            known = {key: result for key, result in known.items() if result.id not in missing}
            found = found_results(program, known)
        rows: Sequence[tuple[int, int | None] | None] | None = None
        if not (is_newest and all_rows_current(connection, self._revision, len(program)) and all(found)):
            self._step_ids = self._find_step_ids()
            latest = latest_rows(connection)
            rows = [latest.get(id_) for id_ in self._step_ids]
        damaged = damaged_results(connection)
        made = {
            os.path.abspath(file.path): (position, file.digest)
            for position, result in enumerate(found) if result
            for file in files.get(result.id, ())
        }  # fmt: skip
        return RunStart(program, known, found, rows, str(self._index.location), damaged, changed, made)

    def _record_start(self) -> int:
        if not ended_in_order(self._index.connection):
            ObjectStore(self._index.location).clean_up()
        row = RunRow(
            self._revision, time.time(), self._communicator.size, self._communicator.host, os.getpid(),
            _user(), " ".join([sys.executable, *without_secrets(sys.argv)]), _directory(), sys.version.split()[0],
            __version__, batch_job(), len(self._program), self._repository.commit,
        )  # fmt: skip
        with self._index.writing() as connection:
            run = start_run(connection, row)
            identities = {identity.digest: identity for identity in self._program.identities.values()}
            circumstances = {digest: circumstances_of(identity) for digest, identity in identities.items()}
            record_circumstances(connection, run, circumstances)
            return run

    def _scheduler(self, upstreams: Sequence[Sequence[int]], pending: list[int]) -> Scheduler:
        phases, barrier = self._program.phases, self._options.barrier
        if self._communicator.size == 1 or barrier:
            return Scheduler(upstreams, pending, in_phases(phases), phases if barrier else None)
        return Scheduler(upstreams, pending, longest_first(upstreams, self._durations.usual()))

    @cached_property
    def _durations(self) -> Durations:
        recorded = recorded_durations(self._index.connection, self._step_ids)
        by_position = {position: recorded[id_] for position, id_ in enumerate(self._step_ids) if id_ in recorded}
        return Durations([step.function for step in self._program.steps], by_position)

    def _follow(self, to_run: Sequence[int], capture: Capture) -> ProgressLine | None:
        """What shows how far the run is, while the steps' output is captured."""
        asked = self._options.progress
        if not is_wanted(self._options.output != "none" if asked is None else asked, os.environ):
            return None
        # mpirun passes on what ranks write: they reach no terminal themselves.
        alone = self._communicator.size == 1 and capture.sees_all
        screen = screen_for(capture.stdout, capture.stderr, os.environ, alone=alone)
        return None if screen is None else ProgressLine(partial(self._planned, to_run), screen)

    def _planned(self, to_run: Sequence[int]) -> Planned:
        program, recorded = self._program, self._durations.recorded
        return Planned(
            program.names,
            [step.function for step in program.steps],
            [recorded.get(position) for position in range(len(program))],
            list(to_run),
            self._communicator.size,
        )

    def _print_header(self, to_run: int, killed: KilledRun | None) -> None:
        if self._options.output == "none":
            return
        total = len(self._program)
        counts = (total, total - to_run, to_run)
        self._console.write(
            lines.header(self._options.settings.pipeline_id, self._index.location, self._revision, counts)
            + (lines.killed(killed) if killed else "")
        )

    def _record_end(self, run: int, status: str, coordinator: Coordinator, recorder: Recorder) -> None:
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
            with collection_paused():
                replace_file(path, summary_text(self._index.connection, self._index.location, ok=ok))

    def _report(self, run: int, coordinator: Coordinator) -> Report:
        counts = coordinator.counts()
        return Report(
            run, self._revision, len(self._program), counts.done, counts.cached,
            coordinator.names_with(FAILED), coordinator.names_with(SKIPPED), coordinator.failures,
            time.perf_counter() - self._started, counts.busy_seconds, self._communicator.size,
        )  # fmt: skip


def worker_of(program: Program, communicator: Communicator, settings: Settings) -> Worker:
    """What runs the bodies of this rank."""
    return Worker(
        program, settings.location, communicator.rank, communicator.host,
        durable=settings.durable, trust=settings.trust,
    )  # fmt: skip


def _to_be_read(program: Program, found: Sequence[KnownResult | None]) -> list[KnownResult]:
    """Results that somebody will ask for: of leaves, and of what a step that may run needs.

    What nobody asks for may be gone; whoever asks for it later finds that out, and the next run computes it anew.
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
