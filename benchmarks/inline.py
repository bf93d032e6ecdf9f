"""Where should a result live: in a row of the index, or in a file of its own?

Times one result at a time, written and read both ways, from 1 kB to 128 kB. ``ezpyp.store.INLINE_LIMIT``
stands where the quicker way changes.
"""

import argparse
import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from xxhash import xxh3_128_digest

from ezpyp.store.codecs.encoded import Encoded
from ezpyp.store.objects import ObjectStore

SIZES = tuple(1024 << power for power in range(8))
BATCH = 100


@dataclass(frozen=True, slots=True)
class Row:
    """Microseconds for one result of a size.

    Attributes:
        size: Bytes of the result.
        write_row: Inserted into the index, committed in groups of 100.
        write_file: Published as an object, in the same groups.
        read_row: Selected by its digest, and its digest computed.
        read_file: Opened as an object, verified likewise.
    """

    size: int
    write_row: float
    write_file: float
    read_row: float
    read_file: float


def main(argv: Sequence[str]) -> int:
    """Print a line for each size."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks inline", description=__doc__)
    parser.add_argument("--count", type=int, default=500, help="results of each size (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="take the best of so many (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="measure here (default: the system's temporary folder)")
    options = parser.parse_args(argv)
    print(f"{'kB':>5} {'write row':>10} {'write file':>11} {'read row':>9} {'read file':>10}   us a result")
    for size in SIZES:
        rows = [_measure(size, options.count, options.folder) for _ in range(options.repeat)]
        best = [min(getattr(row, name) for row in rows) for name in Row.__slots__[1:]]
        print("{:>5} {:>10.1f} {:>11.1f} {:>9.1f} {:>10.1f}".format(size // 1024, *best))
    return 0


def _measure(size: int, count: int, folder: Path | None) -> Row:
    blobs = [os.urandom(size) for _ in range(count)]
    results = [Encoded("raw", 1, ".raw", (blob,), size) for blob in blobs]
    digests = [result.digest for result in results]
    with tempfile.TemporaryDirectory(dir=folder) as name:
        store, connection = ObjectStore(Path(name)), _index(Path(name, "index.sqlite"))
        times = (
            _per_result(count, lambda: _write_rows(connection, digests, blobs)),
            _per_result(count, lambda: _write_files(connection, store, results)),
            _per_result(count, lambda: _read_rows(connection, digests)),
            _per_result(count, lambda: _read_files(store, results)),
        )
        connection.close()
    return Row(size, *times)


def _per_result(count: int, work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / count * 1e6


def _index(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    # A rowid table, as the index has: BLOBs in a WITHOUT ROWID table are slow to search past.
    connection.execute("CREATE TABLE results (id INTEGER PRIMARY KEY, digest BLOB NOT NULL UNIQUE, payload BLOB)")
    return connection


def _write_rows(connection: sqlite3.Connection, digests: list[bytes], blobs: list[bytes]) -> None:
    for start in range(0, len(digests), BATCH):
        rows = zip(digests[start : start + BATCH], blobs[start : start + BATCH], strict=True)
        _insert(connection, list(rows))


def _write_files(connection: sqlite3.Connection, store: ObjectStore, results: list[Encoded]) -> None:
    """A result in a file needs its row too."""
    for start in range(0, len(results), BATCH):
        batch = results[start : start + BATCH]
        for result in batch:
            store.publish(result)
        _insert(connection, [(b"file" + result.digest, None) for result in batch])


def _insert(connection: sqlite3.Connection, rows: Sequence[tuple[bytes, bytes | None]]) -> None:
    connection.execute("BEGIN IMMEDIATE")
    connection.executemany("INSERT INTO results (digest, payload) VALUES (?, ?)", rows)
    connection.execute("COMMIT")


def _read_rows(connection: sqlite3.Connection, digests: list[bytes]) -> None:
    for digest in digests:
        (payload,) = connection.execute("SELECT payload FROM results WHERE digest = ?", (digest,)).fetchone()
        assert xxh3_128_digest(payload) == digest


def _read_files(store: ObjectStore, results: list[Encoded]) -> None:
    for result in results:
        store.open(result.digest, result.suffix, result.size)
