"""Rows of runs and of what happened to each step in them."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from ezpyp.store._records import ErrorRow, RunRow, StepRow
from ezpyp.store._text import storable


@dataclass(frozen=True, slots=True)
class RunCounts:
    """How a run ended: counts of steps by what became of them, and seconds of all bodies together."""

    cached: int
    done: int
    failed: int
    skipped: int
    busy_seconds: float


class KilledRun(NamedTuple):
    """A run that ended without a word, with name, rank and host of each step that was running for over a second."""

    run: int
    host: str
    steps: list[tuple[str, int, str]]


def ended_in_order(connection: sqlite3.Connection) -> bool:
    """Whether the newest run came to its end, or there was none; a run that was killed says ``running`` for ever."""
    row = connection.execute("SELECT status FROM runs ORDER BY run DESC LIMIT 1").fetchone()
    return row is None or row[0] in ("completed", "failed")


def killed_run(connection: sqlite3.Connection) -> KilledRun | None:
    """What the newest run was at when it ended without a word; None where it did not."""
    row = connection.execute("SELECT run, status, host FROM runs ORDER BY run DESC LIMIT 1").fetchone()
    if row is None or row[1] != "running":
        return None
    steps = connection.execute(  # "<> 0" is what the partial index asks for, in its own words
        "SELECT s.name, w.rank, w.host FROM step_rows w JOIN steps s ON s.id = w.step"
        " WHERE w.status <> 0 AND w.status = -2 AND w.run = ? ORDER BY w.rank",
        [row[0]],
    )
    return KilledRun(row[0], row[2], steps.fetchall())


def start_run(connection: sqlite3.Connection, row: RunRow) -> int:
    """Record that a run begins; its number."""
    names = ", ".join(RunRow._fields)
    facts = [storable(fact) if isinstance(fact, str) else fact for fact in row]
    cursor = connection.execute(
        f"INSERT INTO runs ({names}, status) VALUES ({','.join('?' * len(RunRow._fields))}, 'running')", facts
    )
    return int(cursor.lastrowid or 0)


def finish_run(
    connection: sqlite3.Connection,
    run: int,
    status: str,
    counts: RunCounts,
    by_phase: Mapping[tuple[int, int], int] | None = None,
    *,
    git_dirty: bool | None = None,
) -> None:
    """Record how a run ended; ``by_phase`` has the number of steps by phase and status."""
    now = time.time()
    connection.execute(
        "UPDATE runs SET status = ?, finished_at = ?, seconds = ? - started_at, cached = ?, done = ?, failed = ?,"
        " skipped = ?, busy_seconds = ?, phases = ?, git_dirty = ? WHERE run = ?",
        (
            status,
            now,
            now,
            counts.cached,
            counts.done,
            counts.failed,
            counts.skipped,
            counts.busy_seconds,
            _phases_text(by_phase) if by_phase else None,
            git_dirty,
            run,
        ),
    )


def record_counts(connection: sqlite3.Connection, run: int, by_phase: Mapping[tuple[int, int], int]) -> None:
    """Record how many steps are how while a run goes on, by phase and status."""
    connection.execute("UPDATE runs SET phases = ? WHERE run = ?", (_phases_text(by_phase), run))


def _phases_text(by_phase: Mapping[tuple[int, int], int]) -> str:
    phases: dict[int, dict[int, int]] = {}
    for (phase, status), number in sorted(by_phase.items()):
        phases.setdefault(phase, {})[status] = number
    return json.dumps(phases)


def insert_step_rows(connection: sqlite3.Connection, rows: Iterable[StepRow]) -> None:
    """Write step rows; the row of a step that was running is completed by its outcome."""
    connection.executemany(f"INSERT OR REPLACE INTO step_rows VALUES ({','.join('?' * 12)})", rows)


def insert_errors(connection: sqlite3.Connection, rows: Iterable[ErrorRow]) -> None:
    """Write why steps failed or were skipped."""
    connection.executemany(f"INSERT OR REPLACE INTO errors VALUES ({','.join('?' * 8)})", rows)


def latest_rows(connection: sqlite3.Connection) -> dict[int, tuple[int, int | None]]:
    """Status and result of each step's newest row."""
    rows = connection.execute("SELECT step, status, result, max(run) FROM step_rows GROUP BY step")
    return {step: (status, result) for step, status, result, _ in rows}


ROWS_IN_DOUBT = "rows in doubt"
"""Fact about a location: the number of the run since which no row of a step is taken for granted."""


def newest_run(connection: sqlite3.Connection) -> int:
    """Number of the newest run, 0 where there is none."""
    return int(connection.execute("SELECT coalesce(max(run), 0) FROM runs").fetchone()[0])


def all_rows_current(connection: sqlite3.Connection, revision: int, total: int) -> bool:
    """Whether the newest run was of this revision and left every step done with its row written."""
    row = connection.execute(
        "SELECT revision, status, total, cached + done, cast(run AS TEXT) = (SELECT value FROM meta WHERE name = ?)"
        " FROM runs ORDER BY run DESC LIMIT 1",
        (ROWS_IN_DOUBT,),
    ).fetchone()
    return row is not None and row[:4] == (revision, "completed", total, total) and not row[4]


def error_of(connection: sqlite3.Connection, step: int) -> ErrorRow | None:
    """The newest error of a step."""
    row = connection.execute(
        "SELECT step, run, type, message, file, line, traceback, blame FROM errors WHERE step = ?"
        " ORDER BY run DESC LIMIT 1",
        (step,),
    ).fetchone()
    return ErrorRow(*row) if row else None


def recorded_durations(connection: sqlite3.Connection, steps: Iterable[int]) -> dict[int, float]:
    """Seconds that each step's body took when it last ran."""
    wanted = set(steps)
    rows = connection.execute(
        "SELECT step, seconds, max(run) FROM step_rows WHERE seconds IS NOT NULL AND cached = 0 GROUP BY step"
    )
    return {step: seconds for step, seconds, _ in rows if step in wanted}
