"""The checksum of a step's row: one that is wrong is not believed, and a run that declares the step puts it right."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from xxhash import xxh3_64_digest

from ezpyp.store._records import StepRecord
from ezpyp.store._tables import TRIGGERS

_SEALED = "name, key, function, codec, phase, args, kwargs, params, settings, shape, manifest"
_UNGUARD = "DROP TRIGGER steps_no_update"
_GUARD = next(line for line in TRIGGERS.splitlines() if line.startswith("CREATE TRIGGER steps_no_update"))

Columns = tuple[str, bytes, int, str, int, str, str, str, str | None, bytes | None, str | None]
"""``name, key, function, codec, phase, args, kwargs, params, settings, shape, manifest`` of a row."""


def step_checksum(row: Sequence[Any]) -> bytes:
    """Eight bytes that a flipped bit in a step's row cannot keep right."""
    name, key, function, codec, phase, args, kwargs, params, settings, shape, manifest = row
    texts = f"{name}\0{function}\0{codec}\0{phase}\0{args}\0{kwargs}\0{params}\0{settings}\0{manifest}"
    return xxh3_64_digest(key + texts.encode("utf-8", "surrogatepass") + (shape or b""))


def is_sealed(checksum: object, row: Sequence[Any]) -> bool:
    """Whether a row is as it was written. Those of the first days of format 2 and before cover name and key."""
    try:
        older = row[1] + row[0].encode("utf-8", "surrogatepass")
        return checksum == step_checksum(row) or checksum == xxh3_64_digest(older)
    except (TypeError, AttributeError):  # a flipped bit in a row's header makes bytes a text, and text a number
        return False


def unsound_steps(connection: sqlite3.Connection, only: Iterable[int] | None = None) -> dict[int, str]:
    """Steps whose rows are not as they were written: id -> the name that stands there.

    Args:
        connection: The index.
        only: Ids of the rows to look at; all by default.
    """
    query = f"SELECT id, checksum, {_sealed_columns(connection)} FROM steps"
    if only is None:
        rows: Iterable[Sequence[Any]] = connection.execute(query)
    else:
        rows = (row for id_ in only for row in connection.execute(f"{query} WHERE id = ?", (id_,)))
    return {id_: str(row[0]) for id_, checksum, *row in rows if not is_sealed(checksum, tuple(row))}


def _sealed_columns(connection: sqlite3.Connection) -> str:
    """The sealed columns of an index of any format."""
    there = {row[1] for row in connection.execute("PRAGMA table_info(steps)")}
    return ", ".join(column if column in there else f"NULL AS {column}" for column in _SEALED.split(", "))


def columns_of(record: StepRecord, functions: Mapping[bytes, int]) -> Columns:
    """The row of a record, but for its id and checksum."""
    manifest = record[11]
    row = None if manifest is None else manifest.row
    return (record[0], record[1], functions[record[2]], *record[3:10], row)


def mend_steps(connection: sqlite3.Connection, rows: Mapping[int, Columns]) -> None:
    """Write rows that a bad disk changed as they were: the one change of an append-only table that restores it."""
    if not rows:
        return
    assignments = ", ".join(f"{column} = ?" for column in _SEALED.split(", "))
    connection.execute(_UNGUARD)
    connection.executemany(
        f"UPDATE steps SET {assignments}, checksum = ? WHERE id = ?",
        [(*row, step_checksum(row), id_) for id_, row in rows.items()],
    )
    connection.execute(_GUARD)
