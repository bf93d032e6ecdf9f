"""A cache of very many steps, written row by row: running so many takes ten times as long."""

import json
import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

from xxhash import xxh3_128_digest

from ezpyp.explain.record import record_of
from ezpyp.store.results import result_checksum
from ezpyp.store.rows import NewResult
from ezpyp.store.schema_rows import step_checksum
from ezpyp.store.tables import FORMAT, SCRIPT

START = 1_700_000_000.0
PICKLED = b"\x80\x05K\x09."
DIGEST = xxh3_128_digest(PICKLED)
SIMULATE, ANALYSE = 1, 2
DONE, FAILED = 0, 1

STEP = "id, name, key, function, codec, phase, args, kwargs, params, settings, shape, manifest, checksum"
RESULT = "id, key, digest, size, codec, codec_version, suffix, preview, type, run, checksum, payload"
RUN = (
    "run, revision, started_at, finished_at, status, ranks, host, pid, user, command, python, ezpyp, total, cached,"
    " done, failed, skipped, seconds, busy_seconds, phases"
)


def simulate(x: int) -> int:
    """What the first half of the steps calls."""
    return x


def analyse(x: int) -> int:
    """What the other half calls."""
    return -x


def build(folder: Path, steps: int) -> Path:
    """One run of a sweep in two phases on four ranks; one in 5,000 steps failed.

    Args:
        folder: Made for it.
        steps: How many, half of them in each phase.

    Returns:
        The folder.
    """
    folder.mkdir(parents=True)
    connection = sqlite3.connect(folder / "ezpyp.sqlite", isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(SCRIPT)
    connection.execute("BEGIN")
    facts = {"format": FORMAT, "pipeline_id": "sweep", "created_at": START, "ezpyp": "0.1"}
    connection.executemany("INSERT INTO meta VALUES (?, ?)", [(name, str(value)) for name, value in facts.items()])
    for number, function in ((SIMULATE, simulate), (ANALYSE, analyse)):
        known = record_of(function)
        place = known.digest, known.qualname, known.module, known.file, known.line, known.python
        row = (number, *place, zlib.compress(known.to_json().encode()), None)
        connection.execute(f"INSERT INTO functions VALUES ({_marks(9)})", row)
    connection.execute("INSERT INTO revisions VALUES (1, x'00', ?, ?, 'first')", (START, steps))
    connection.execute(f"INSERT INTO runs ({RUN}) VALUES ({_marks(20)})", _run(steps))
    _fill(connection, steps)
    connection.execute("COMMIT")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
    return folder


def _fill(connection: sqlite3.Connection, steps: int) -> None:
    half, numbers = steps // 2, range(1, steps + 1)
    many = connection.executemany
    many(f"INSERT INTO steps ({STEP}) VALUES ({_marks(13)})", _steps(steps))
    many("INSERT INTO step_edges VALUES (?, 0, ?, 'value', 'args[0]')", ((i, i - half) for i in numbers if i > half))
    many("INSERT INTO schema_changes VALUES (?, 1, 1)", ((i,) for i in numbers))
    many(f"INSERT INTO results ({RESULT}) VALUES ({_marks(12)})", (_result(i) for i in numbers if not _fails(i)))
    many(
        "INSERT INTO step_rows (step, run, status, cached, result, started_at, seconds, rank, host)"
        " VALUES (?, 1, ?, 0, ?, ?, ?, ?, 'node1')",
        (
            (i, FAILED if _fails(i) else DONE, None if _fails(i) else i, START + i * 1e-3, 3.5e-3, i % 4)
            for i in numbers
        ),
    )
    many(
        "INSERT INTO errors (step, run, type, message, file, line, traceback)"
        " VALUES (?, 1, 'ValueError', 'no', '/home/me/script.py', 5, 'Traceback ...')",
        ((i,) for i in numbers if _fails(i)),
    )


def _fails(number: int) -> bool:
    return number % 5_000 == 0


def _steps(steps: int) -> Iterator[tuple[object, ...]]:
    half = steps // 2
    for i in range(1, steps + 1):
        name, function, phase, x = (
            (f"simulate[x={i}]", SIMULATE, 0, i) if i <= half else (f"analyse[x={i - half}]", ANALYSE, 1, i - half)
        )
        row = (name, _key(i), function, "pickle", phase, f"[{x}]", "{}", json.dumps({"x": str(x)}), None, None, None)
        yield (i, *row, step_checksum(row))


def _result(number: int) -> tuple[object, ...]:
    key = _key(number)
    checksum = result_checksum(
        NewResult(key, None, None, DIGEST, len(PICKLED), "pickle", 1, ".step", "9", "int", PICKLED)
    )
    return number, key, DIGEST, len(PICKLED), "pickle", 1, ".step", "9", "int", 1, checksum, PICKLED


def _key(number: int) -> bytes:
    return xxh3_128_digest(number.to_bytes(8, "big"))


def _run(steps: int) -> tuple[object, ...]:
    failed, seconds = steps // 5_000, steps * 1e-3
    half = steps // 2
    early = half // 5_000
    phases = {0: {0: half - early, 1: early}, 1: {0: steps - half - failed + early, 1: failed - early}}
    when, where = (1, 1, START, START + seconds, "failed", 4), ("node1", 7, "me", "python script.py", "3.11.7", "0.1")
    return (*when, *where, steps, 0, steps - failed, failed, 0, seconds, seconds * 3.5, json.dumps(phases))


def _marks(number: int) -> str:
    return ", ".join("?" * number)
