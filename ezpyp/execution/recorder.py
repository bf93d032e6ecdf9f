"""Writes what happens to a run: rows in grouped commits, and lines only after the commit that holds their rows.

Rows wait at most `GROUP_S` while steps are short; nothing waits for a long step. Rows are inserted by whoever
flushes: the thread that runs steps in the normal case, since a thread of its own would have to win the
interpreter lock back after every row (up to 5 ms each beside a busy body).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from ezpyp.execution import output as lines
from ezpyp.execution.capture.capture import Capture
from ezpyp.execution.messages import DONE, FAILED, RUNNING, SKIPPED, Outcome
from ezpyp.execution.output import Console
from ezpyp.execution.progress import CACHED, ProgressLine
from ezpyp.graph.program import Program
from ezpyp.store.damage import Damage, insert_damage
from ezpyp.store.index import Index
from ezpyp.store.results import insert_results
from ezpyp.store.rows import ErrorRow, NewResult, StepRow
from ezpyp.store.runs import OutputRow, insert_errors, insert_outputs, insert_step_rows

GROUP_S = 0.02
LONG_S = 1.0
# Bytes of small results that stay at hand after a run: reading them back would take 4 us each.
_KEPT_BYTES = 64 * 1024 * 1024
_NEVER_CACHED = "cache=False, so it runs in every run"


class Recorder:
    """The rows and lines of one run; safe to use from two threads.

    Without a ``console`` no lines are wanted. ``follow`` gives the progress line, or None.
    """

    def __init__(
        self, index: Index, program: Program, run: int, step_ids: list[int], console: Console | None, *,
        follow: Callable[[Capture], ProgressLine | None] = lambda _: None,
    ) -> None:  # fmt: skip
        self._index = index
        self._program = program
        self._run = run
        self._step_ids = step_ids
        self._verbose = console is not None
        self._console = console
        self._follow = follow
        self._line: ProgressLine | None = None
        self._lock = threading.Lock()
        self._results: list[tuple[int, int, NewResult]] = []
        self._rows: list[StepRow] = []
        self._errors: list[ErrorRow] = []
        self._outputs: list[OutputRow] = []
        self._lines: list[str] = []
        self._oldest = 0.0
        self._room = _KEPT_BYTES
        self._running: dict[int, tuple[float, int, str]] = {}
        self._announced: set[int] = set()
        row = index.connection.execute("SELECT coalesce(max(id), 0) + 1 FROM results").fetchone()
        self._next_result: int = row[0]

    @contextmanager
    def beside(self, capture: Capture) -> Iterator[None]:
        """Lines go around the captured output of steps, and above the progress line."""
        with ExitStack() as stack:
            line = self._follow(capture)
            if line is not None:
                stack.enter_context(capture.beside(line.screen))
            if self._console is not None:
                stack.enter_context(self._console.through(capture.stdout, capture.around_stdout))
            self._line = line
            try:
                yield
            finally:
                self._line = None

    def say(self, line: str) -> None:
        """Print a line that no row stands behind."""
        if self._verbose:
            self._lines.append(line)

    def started(self, position: int, rank: int, host: str) -> None:
        """A body begins."""
        self._running[position] = (time.perf_counter(), rank, host)

    def done(self, outcome: Outcome, result: NewResult) -> int:
        """A step gave a result; the id of its row."""
        with self._lock:
            id_ = self._add_result(result)
            self._add_row(self._row(outcome, DONE, id_))
            self._ended(outcome.position, DONE, outcome.seconds)
            if result.codec == "pickle" and result.payload is not None and self._room > 0 and not result.files:
                self._room -= result.size
                self._program.steps[outcome.position].kept = result.payload
            if self._verbose:
                self._begin(outcome.position, outcome.rank)
                self._lines.append(lines.passed(self._program.names[outcome.position]))
        return id_

    def failed(self, outcome: Outcome, command: str) -> None:
        """A step raised."""
        failure = outcome.failure
        assert failure is not None
        name = self._program.names[outcome.position]
        with self._lock:
            self._add_row(self._row(outcome, FAILED, None))
            self._ended(outcome.position, FAILED, outcome.seconds)
            self._errors.append(
                ErrorRow(self._step_ids[outcome.position], self._run, *failure[:4], failure.traceback, None)
            )
            if self._verbose:
                self._begin(outcome.position, outcome.rank)
                first_line = failure.message.partition("\n")[0]
                place = f" ({failure.file}:{failure.line})" if failure.file else ""
                self._lines.append(lines.failed(name, f"{failure.type_name}: {first_line}", place, command))

    def skipped(self, position: int, blame: str, texts: tuple[str | None, str | None]) -> None:
        """A step cannot run, because of ``blame``."""
        step_id = self._step_ids[position]
        with self._lock:
            now, reason = time.time(), f"needs {blame}"
            row = StepRow(step_id, self._run, SKIPPED, 0, None, *texts, now, None, None, None, reason)
            self._add_row(row)
            self._errors.append(ErrorRow(step_id, self._run, "Skipped", f"needs {blame!r}", None, None, "", blame))
            self._ended(position, SKIPPED)
            self.say(lines.skipped(*self._titled(position), blame))

    def adopted(self, position: int, result: NewResult, texts: tuple[str | None, str | None], reason: str) -> int:
        """A step adopts a result that was computed from the same values; the id of its row."""
        with self._lock:
            id_ = self._add_result(result)
        self.cached(position, id_, texts, reason, say=True)
        return id_

    def cached(
        self,
        position: int,
        result: int,
        texts: tuple[str | None, str | None],
        reason: str | None,
        *,
        say: bool = False,
    ) -> None:
        """A step was found in the cache, and its row does not say so yet."""
        row = StepRow(self._step_ids[position], self._run, DONE, 1, result, *texts, time.time(), 0.0, 0, None, reason)
        with self._lock:
            self._add_row(row)
            self._ended(position, CACHED)
            if say:
                self.say(lines.cached(*self._titled(position), reason))

    def put_back(self, position: int) -> None:
        """A step did not run after all, or runs once more: its lines will be printed then."""
        self._running.pop(position, None)
        self._announced.discard(position)
        if self._line is not None:
            self._line.put_back(position)

    def damaged(self, damage: Damage) -> None:
        """A result counts as absent from now on."""
        with self._lock:
            self._commit()  # its own row first: an id that is not in use yet may go to another result
            with self._index.writing() as connection:
                insert_damage(connection, damage)

    def flush_if_due(self) -> None:
        """Commit when something has waited for long enough."""
        if self._rows and time.perf_counter() - self._oldest > GROUP_S:
            self.flush()

    def flush(self) -> None:
        """Commit all rows, then print their lines."""
        with self._lock:
            self._commit()
            self._print()

    def tick(self) -> None:
        """Announce long steps, and commit what waits; called now and then while bodies run."""
        now = time.perf_counter()
        running = self._running.copy()
        long = [position for position, (began, _, _) in running.items() if now - began > LONG_S]
        with self._lock:
            for position in long:
                if position not in self._announced and position in self._running:
                    self._announce(position)
            self._index.beat()
        self.flush_if_due()
        if self._line is not None:
            self._line.tick(running)

    @property
    def has_waiting(self) -> bool:
        """Whether rows wait for a commit."""
        return bool(self._rows)

    def _ended(self, position: int, end: int | str, seconds: float | None = None) -> None:
        if self._line is not None:
            self._line.ended(position, end, seconds)

    def _announce(self, position: int) -> None:
        started, rank, host = self._running[position]
        started_at = time.time() - (time.perf_counter() - started)
        step = self._step_ids[position]
        row = StepRow(step, self._run, RUNNING, 0, None, None, None, started_at, None, rank, host, None)
        self._add_row(row)
        self._begin(position, rank)
        self._announced.add(position)

    def _begin(self, position: int, rank: int) -> None:
        """The first line of a step, unless it stands there already."""
        if self._verbose and position not in self._announced:
            self._lines.append(lines.started(rank, *self._titled(position)))

    def _titled(self, position: int) -> tuple[int, str, str]:
        program = self._program
        return program.phases[position], program.steps[position].function.title, program.names[position]

    def _row(self, outcome: Outcome, status: int, result: int | None) -> StepRow:
        self._running.pop(outcome.position, None)
        if outcome.captured is not None:
            self._outputs.append(OutputRow(self._step_ids[outcome.position], self._run, *outcome.captured))
        reason = outcome.reason
        if not self._program.steps[outcome.position].function.options.cache:
            # It is in no key: the row of a step that was cached once does not have it among its settings.
            reason = "; ".join(filter(None, (_NEVER_CACHED, reason)))
        return StepRow(
            self._step_ids[outcome.position], self._run, status, 0, result, outcome.args, outcome.kwargs,
            outcome.started_at, outcome.seconds, outcome.rank, outcome.host, reason,
        )  # fmt: skip

    def _add_result(self, result: NewResult) -> int:
        id_ = self._next_result
        self._next_result += 1
        self._results.append((id_, self._run, result))
        return id_

    def _add_row(self, row: StepRow) -> None:
        if not self._rows:
            self._oldest = time.perf_counter()
        self._rows.append(row)

    def _commit(self) -> None:
        if not self._rows:
            return
        with self._index.writing() as connection:
            insert_results(connection, self._results)
            insert_step_rows(connection, self._rows)
            insert_errors(connection, self._errors)
            insert_outputs(connection, self._outputs)
        self._results.clear()
        self._rows.clear()
        self._errors.clear()
        self._outputs.clear()

    def _print(self) -> None:
        if self._lines and self._console is not None:
            text = "".join(self._lines)
            self._lines.clear()
            self._console.write(text)
