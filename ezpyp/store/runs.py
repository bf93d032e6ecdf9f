"""Rows of runs and of what happened to each step in them."""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from ezpyp.errors import DamagedIndexError
from ezpyp.store.connection import storable
from ezpyp.store.rows import ErrorRow, RunRow, StepRow


class RunCounts(NamedTuple):
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
    if row is None:
        return None
    run, status, host = row
    if status != "running":
        return None
    steps = connection.execute(  # "<> 0" is what the partial index asks for, in its own words
        "SELECT s.name, w.rank, w.host FROM step_rows w JOIN steps s ON s.id = w.step"
        " WHERE w.status <> 0 AND w.status = -2 AND w.run = ? ORDER BY w.rank",
        [run],
    )
    return KilledRun(run, host, steps.fetchall())


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


def all_rows_current(connection: sqlite3.Connection, revision: int, total: int) -> bool:
    """Whether the newest run was of this revision and left every step done with its row written."""
    row = connection.execute(
        "SELECT revision, status, total, cached + done FROM runs ORDER BY run DESC LIMIT 1"
    ).fetchone()
    return bool(row == (revision, "completed", total, total))


def error_of(connection: sqlite3.Connection, step: int) -> ErrorRow | None:
    """The newest error of a step."""
    row = connection.execute(
        f"SELECT {', '.join(ErrorRow._fields)} FROM errors WHERE step = ? ORDER BY run DESC LIMIT 1", (step,)
    ).fetchone()
    return ErrorRow._make(row) if row else None


def recorded_durations(connection: sqlite3.Connection, steps: Iterable[int]) -> dict[int, float]:
    """Seconds that each step's body took when it last ran."""
    wanted = set(steps)
    rows = connection.execute(
        "SELECT step, seconds, max(run) FROM step_rows WHERE seconds IS NOT NULL AND cached = 0 GROUP BY step"
    )
    return {step: seconds for step, seconds, _ in rows if step in wanted}


# What steps wrote: a row only where one wrote something, compressed.

WORTH_BYTES = 200
"""Shorter texts are stored as they are: zlib would make hardly less of them, and they read well in ``sqlite3``."""


class OutputRow(NamedTuple):
    """What a step wrote in a run; the step's row id, and the bytes of each stream."""

    step: int
    run: int
    stdout: bytes
    stderr: bytes
    log: bytes


def insert_outputs(connection: sqlite3.Connection, rows: Iterable[OutputRow]) -> None:
    """Store what steps wrote; a step that runs twice in one run replaces its row."""
    packed = [(row.step, row.run, *map(_packed, (row.stdout, row.stderr, row.log))) for row in rows]
    connection.executemany("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?, ?)", packed)


def output_of(connection: sqlite3.Connection, step: int, run: int) -> OutputRow | None:
    """What a step wrote in a run; None where it was silent.

    Raises:
        DamagedIndexError: The row is damaged.
    """
    row = connection.execute(
        "SELECT stdout, stderr, log FROM outputs WHERE step = ? AND run = ?", (step, run)
    ).fetchone()
    try:
        return None if row is None else OutputRow(step, run, *map(_unpacked, row))
    except zlib.error as error:
        raise DamagedIndexError(
            f"the output of step {step} in run {run} cannot be read: its row is damaged ({error})"
        ) from error


def _packed(text: bytes) -> bytes | None:
    if not text:
        return None
    # A first byte that no text begins with tells them apart.
    return b"\0" + zlib.compress(text) if len(text) > WORTH_BYTES or text[:1] == b"\0" else text


def _unpacked(blob: bytes | None) -> bytes:
    if not blob:
        return b""
    return zlib.decompress(blob[1:]) if blob[:1] == b"\0" else bytes(blob)


# What was around each function from run to run, and counts in no key: environment variables, versions of libraries.

_NEWEST = "SELECT parts FROM circumstances WHERE function = ? AND run <= ? ORDER BY run DESC LIMIT 1"


def record_circumstances(
    connection: sqlite3.Connection, run: int, circumstances: Mapping[bytes, Sequence[Sequence[str]]]
) -> None:
    """Write down what is around the functions of a run, where it is not as it was; inside a transaction."""
    for function, facts in circumstances.items():
        row = connection.execute("SELECT id FROM functions WHERE digest = ?", (function,)).fetchone()
        if row is None:
            continue  # the functions of an unchanged schema whose index was damaged: nothing to hang it on
        known = connection.execute(_NEWEST, (row[0], run)).fetchone()
        if (text := json.dumps(facts)) != (known[0] if known else "[]"):
            connection.execute("INSERT INTO circumstances VALUES (?, ?, ?)", (row[0], run, text))


def circumstances_at(connection: sqlite3.Connection, function: int, run: int) -> list[list[str]] | None:
    """What was around a function in a run; None where that was not written down."""
    row = connection.execute(_NEWEST, (function, run)).fetchone()
    return None if row is None else json.loads(row[0])
