"""Result rows: found by key or input key, checked by a checksum of their own; and what else has to be as it was."""

from __future__ import annotations

import os
import sqlite3
import stat
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from xxhash import xxh3_64_digest, xxh3_128_digest

from ezpyp.errors import DamagedResultError
from ezpyp.store.rows import KnownResult, NamedFile, NewResult, Observation, StoredResult, StoredValue

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


def results_of_input(connection: sqlite3.Connection, input_key: bytes) -> list[StoredResult]:
    """The undamaged results that were computed from the same values by the same code, the newest first."""
    return list(intact_results(connection, f"input_key = ? AND {_UNDAMAGED} ORDER BY id DESC", (input_key,)))


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
        [(id_, run, *new[:-2], result_checksum(new)) for id_, run, new in rows],
    )
    files = [(id_, *file) for id_, _, new in rows if new.files for file in new.files]
    if files:
        connection.executemany("INSERT INTO result_files VALUES (?, ?, ?, ?)", files)
    observed = [(id_, *seen) for id_, _, new in rows if new.observed for seen in new.observed]
    if observed:
        connection.executemany("INSERT INTO observations VALUES (?, ?, ?, ?, ?)", observed)


def check_payload(name: str, data: bytes, digest: bytes, size: int) -> None:
    """Compare a small result with its digest before anything unpickles it."""
    if len(data) != size or xxh3_128_digest(data) != digest:
        raise DamagedResultError(
            f"the stored result of {name!r} is damaged (its digest is not {digest.hex()}): "
            "run the pipeline again to compute it anew",
            digest=digest.hex(),
            what="its bytes in the index have another digest",
        )


# Files that results name: their content lies in the store.


def files_of(connection: sqlite3.Connection, result: int) -> tuple[NamedFile, ...]:
    """The files that a result names."""
    rows = connection.execute("SELECT path, digest, size FROM result_files WHERE result = ?", (result,))
    return tuple(map(NamedFile._make, rows))


def named_files(connection: sqlite3.Connection, results: Collection[int]) -> dict[int, list[NamedFile]]:
    """The files that results name, by result; of those that name any."""
    found: dict[int, list[NamedFile]] = {}
    for result, *file in connection.execute("SELECT result, path, digest, size FROM result_files"):
        if result in results:
            found.setdefault(result, []).append(NamedFile._make(file))
    return found


# What steps read beside their arguments: recorded with each result, and looked at before the result is used again.

MISSING = b""
"""Digest of what was not there."""
UNKNOWN = b"?"
"""Digest of what changed while it was read: no digest is equal to it."""

_VERBS = {"file": "read", "folder": "listed", "variable": "read"}


def observe(kind: str, name: str) -> Observation:
    """What a file, a folder or a variable is now."""
    if kind == "variable":
        value = os.environ.get(name)
        return Observation(kind, name, MISSING if value is None else _digest_of_text(value), b"")
    try:
        found = os.stat(name)
    except (OSError, ValueError):
        return Observation(kind, name, MISSING, b"")
    from ezpyp.hashing.files import RACY_NS, stamp_of  # imported by runs; looking at a cache starts quicker without

    # A change in the same tick of the file system's clock would show in no time stamp.
    is_settled = time.time_ns() - max(found.st_mtime_ns, found.st_ctime_ns) > RACY_NS
    stamp = stamp_of(found) if is_settled else b""
    return Observation(kind, name, _content_of(kind, name), stamp)


def _content_of(kind: str, name: str) -> bytes:
    from ezpyp.hashing.files import FILE_DIGESTS

    try:
        if kind == "file":
            return FILE_DIGESTS.digest(name, strict=False)
        return xxh3_128_digest("\0".join(sorted(os.listdir(name))).encode("utf-8", "surrogateescape"))
    except OSError:
        return UNKNOWN


def _digest_of_text(text: str) -> bytes:
    return xxh3_128_digest(text.encode("utf-8", "surrogateescape"))


def observations_of(connection: sqlite3.Connection, result: int) -> tuple[Observation, ...]:
    """What the step read that gave a result."""
    rows = connection.execute("SELECT kind, name, digest, stamp FROM observations WHERE result = ?", (result,))
    return tuple(map(Observation._make, rows))


class Observations:
    """Compares what was read with what is there now.

    Args:
        connection: The index.
    """

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.are_none = connection.execute("SELECT 1 FROM observations LIMIT 1").fetchone() is None

    def changed(self, results: Collection[int]) -> dict[int, str]:
        """What is not as it was when results were computed, in words, by result; the others can be used.

        What many steps had read is looked at once.
        """
        found: dict[int, str] = {}
        looked_at: dict[Observation, str | None] = {}
        ids = () if self.are_none else sorted(results)
        for start in range(0, len(ids), _KEYS_A_QUERY):
            part = ids[start : start + _KEYS_A_QUERY]
            rows = self._connection.execute(
                f"SELECT * FROM observations WHERE result IN ({','.join('?' * len(part))})", part
            )
            for result, *columns in rows:
                seen = Observation._make(columns)
                if seen not in looked_at:
                    looked_at[seen] = _difference(seen)
                if change := looked_at[seen]:
                    found.setdefault(result, change)
        return found

    def replaced(self, known: Mapping[bytes, KnownResult], keys: Iterable[bytes]) -> dict[bytes, KnownResult | str]:
        """For keys whose newest result cannot be used: an older one that can, or why there is none."""
        newest = {known[key].id: key for key in keys}
        found: dict[bytes, KnownResult | str] = {}
        for id_, change in self.changed(newest).items():
            key = newest[id_]
            found[key] = self._older(known[key]) or change
        return found

    def _older(self, newest: KnownResult) -> KnownResult | None:
        query = f"SELECT {_KNOWN} FROM results WHERE key = ? AND input_key IS ? AND id < ? AND {_UNDAMAGED}"
        rows = self._connection.execute(f"{query} ORDER BY id DESC", (newest.key, newest.input_key, newest.id))
        return next((one for one in map(KnownResult._make, rows.fetchall()) if not self.changed([one.id])), None)


def _difference(seen: Observation) -> str | None:
    kind, name, was, stamp = seen
    if kind != "variable" and stamp:
        try:
            found = os.stat(name)
        except OSError:
            return f"{kind} {name}, which the step {_VERBS[kind]}, is gone"
        from ezpyp.hashing.files import stamp_of

        if stamp_of(found) == stamp and stat.S_ISDIR(found.st_mode) == (kind == "folder"):
            return None
    now = observe(kind, name).digest
    if now == was != UNKNOWN:
        return None
    if was == UNKNOWN:
        how = "changed while it did"
    elif now == MISSING:
        how = "is gone" if kind != "variable" else "is not set any more"
    elif was == MISSING:
        how = "was not there" if kind != "variable" else "was not set"
    else:
        how = "changed"
    return f"{kind} {name}, which the step {_VERBS[kind]}, {how}"
