"""Result rows: found by key or input key, checked by a checksum of their own."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterable, Iterator, Sequence

from xxhash import xxh3_64_digest, xxh3_128_digest

from ezpyp.errors import DamagedResultError
from ezpyp.store.rows import KnownResult, NewResult, StoredResult, StoredValue

# One IN query answers 500 keys in 8.9 us a key on a million rows; a query a key takes 12.7.
_KEYS_A_QUERY = 500

_COLUMNS = ", ".join(StoredResult._fields)
_KNOWN = ", ".join(KnownResult._fields)
_UNDAMAGED = "id NOT IN (SELECT result FROM damages)"


def result_checksum(row: StoredResult | StoredValue | NewResult) -> bytes:
    """Eight bytes that a flipped bit in a result row cannot keep right: SQLite's pages have no checksum."""
    digests = (row.key, row.input_key or b"-", row.value_digest or b"-", row.digest or b"")
    rest = f"{row.codec} {row.size} {row.codec_version} {row.suffix}"
    return xxh3_64_digest(b"".join(digests) + rest.encode())


def has_checksum(row: StoredResult | StoredValue) -> bool:
    """Whether a row is as it was written."""
    try:
        return row.checksum == result_checksum(row)
    except (TypeError, AttributeError):  # a flipped bit in a row's header makes bytes a text, and text a number
        return False


def newest_results(connection: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, KnownResult]:
    """The newest undamaged result of each key that has one.

    Checksums are not looked at here, which halves the cost: a wrong id or digest is found when the result is
    loaded, and a wrong input key or value digest makes a step run again.
    """
    if connection.execute("SELECT 1 FROM results LIMIT 1").fetchone() is None:
        return {}
    damaged = {row[0] for row in connection.execute("SELECT result FROM damages")}
    found: dict[bytes, KnownResult] = {}
    for start in range(0, len(keys), _KEYS_A_QUERY):
        part = keys[start : start + _KEYS_A_QUERY]
        query = f"SELECT {_KNOWN} FROM results WHERE key IN ({','.join('?' * len(part))})"
        # As `KnownResult._make` does, in a quarter of its time.
        rows = [tuple.__new__(KnownResult, row) for row in connection.execute(query, part)]
        if damaged:
            rows = [row for row in rows if row.id not in damaged]
        if len({row.key for row in rows}) < len(rows):
            rows.sort()  # by id: the newest result of a key counts
        found.update((row.key, row) for row in rows)
    return found


def result_of_input(connection: sqlite3.Connection, input_key: bytes) -> StoredResult | None:
    """The newest undamaged result that was computed from the same values by the same code."""
    found = intact_results(connection, f"input_key = ? AND {_UNDAMAGED} ORDER BY id DESC", (input_key,))
    return next(found, None)


def results_by_id(connection: sqlite3.Connection, ids: Iterable[int]) -> dict[int, StoredResult]:
    """Intact results by their row ids."""
    found: dict[int, StoredResult] = {}
    for id_ in ids:
        found.update((row.id, row) for row in intact_results(connection, f"id = ? AND {_UNDAMAGED}", (id_,)))
    return found


def intact_results(
    connection: sqlite3.Connection, condition: str, values: Sequence[object] = ()
) -> Iterator[StoredResult]:
    """Results whose row has the right checksum; others are as good as absent."""
    rows = connection.execute(f"SELECT {_COLUMNS} FROM results WHERE {condition}", values)
    return (result for result in map(StoredResult._make, rows) if has_checksum(result))


def payload_of(connection: sqlite3.Connection, result: int) -> bytes | None:
    """The bytes of a small result; None where they are a file. An adopted result shares its origin's."""
    row = connection.execute(
        "SELECT o.payload FROM results r JOIN results o ON o.id = coalesce(r.origin, r.id) WHERE r.id = ?",
        (result,),
    ).fetchone()
    return row[0] if row else None


def insert_results(connection: sqlite3.Connection, rows: Iterable[tuple[int, int, NewResult]]) -> None:
    """Append results: ``(id, run, result)`` each."""
    rows = list(rows)
    connection.executemany(
        "INSERT INTO results (id, run, key, input_key, value_digest, digest, size, codec, codec_version, suffix,"
        " preview, type, payload, origin, checksum) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(id_, run, *new[:-1], result_checksum(new)) for id_, run, new in rows],
    )
    files = [(id_, path, digest) for id_, _, new in rows for path, digest in new.files]
    if files:
        connection.executemany("INSERT INTO result_files VALUES (?, ?, ?)", files)


def check_payload(name: str, data: bytes, digest: bytes, size: int) -> None:
    """Compare a small result with its digest before anything unpickles it."""
    if len(data) != size or xxh3_128_digest(data) != digest:
        raise DamagedResultError(
            f"the stored result of {name!r} is damaged (its digest is not {digest.hex()}): "
            "run the pipeline again to compute it anew",
            digest=digest.hex(),
            what="its bytes in the index have another digest",
        )


# Files that results name: a result counts as long as they hold what they held.


def files_of(connection: sqlite3.Connection, result: int) -> tuple[tuple[str, bytes], ...]:
    """The files that a result names (`ezpyp.File`), with the digests of their content when it was stored."""
    return tuple(connection.execute("SELECT path, digest FROM result_files WHERE result = ?", (result,)))


def changed_files(connection: sqlite3.Connection, results: Collection[int]) -> dict[int, str]:
    """What is wrong with the files that results name, by result; unchanged files are not read again."""
    changed = {}
    for result, path, digest in connection.execute("SELECT result, path, digest FROM result_files"):
        if result in results and (what := _change(path, digest)):
            changed[result] = what
    return changed


def _change(path: str, digest: bytes) -> str | None:
    from ezpyp.hashing.files import FILE_DIGESTS  # imported by runs; looking at a cache starts quicker without

    try:
        is_same = FILE_DIGESTS.digest(path, strict=False) == digest
    except OSError as error:
        return str(error)
    return None if is_same else f"the file {path!r} is not what the step made: something else wrote to it"
