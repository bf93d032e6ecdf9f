"""Rows of steps, functions, edges and revisions: what a location has promised."""

from __future__ import annotations

import sqlite3
import time
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_64_digest

from ezpyp.errors import DamagedIndexError
from ezpyp.store.connection import RECOVERY, index_path, storable
from ezpyp.store.rows import Edge, KnownStep, Manifest, StepRecord, record_manifests

if TYPE_CHECKING:
    from ezpyp.hashing.code.identity import FunctionIdentity


_CHECKED = "name, key, function, codec, phase, args, kwargs, params, settings, shape, manifest"
"""The columns of a step's row that its checksum covers, in its order."""


def step_checksum(row: Sequence[Any]) -> bytes:
    """Eight bytes that a flipped bit in a step's row cannot keep right."""
    name, key, function, codec, phase, args, kwargs, params, settings, shape, manifest = row
    texts = f"{name}\0{function}\0{codec}\0{phase}\0{args}\0{kwargs}\0{params}\0{settings}\0{manifest}"
    return xxh3_64_digest(key + texts.encode("utf-8", "surrogatepass") + (shape or b""))


def corrupt_steps(connection: sqlite3.Connection, only: Iterable[int] | None = None) -> dict[int, str]:
    """Steps whose rows are not as they were written: id -> the name that stands there.

    Args:
        connection: The index.
        only: Ids of the rows to look at; all by default.
    """
    query = f"SELECT id, checksum, {_CHECKED} FROM steps"
    if only is None:
        rows: Iterable[Sequence[Any]] = connection.execute(query)
    else:
        rows = (row for id_ in only for row in connection.execute(f"{query} WHERE id = ?", (id_,)))
    return {id_: str(row[0]) for id_, checksum, *row in rows if not _has_checksum(checksum, row)}


def _has_checksum(checksum: object, row: Sequence[Any]) -> bool:
    try:
        return checksum == step_checksum(row)
    except (TypeError, AttributeError):  # a flipped bit in a row's header makes bytes a text, and text a number
        return False


def corrupt_rows(location: Path, names: Sequence[str]) -> DamagedIndexError:
    """What to raise where rows of steps are not as they were written."""
    return DamagedIndexError(
        f"the row of step {names[0]!r} in {index_path(location)} is damaged (wrong checksum; {len(names)} in all); "
        f"{RECOVERY}"
    )


_STEP_COLUMNS = "id, name, key, function, codec, phase, args, kwargs, params, settings, shape"
_NAMES_A_QUERY = 500


def latest_revision(connection: sqlite3.Connection) -> tuple[int, bytes]:
    """Number and digest of the newest revision; ``(0, b"")`` before the first."""
    row = connection.execute("SELECT revision, digest FROM revisions ORDER BY revision DESC LIMIT 1").fetchone()
    return row or (0, b"")


def steps_recorded(connection: sqlite3.Connection, revision: int) -> int:
    """How many steps a revision had when it was recorded."""
    row = connection.execute("SELECT steps FROM revisions WHERE revision = ?", (revision,)).fetchone()
    return int(row[0]) if row else 0


def steps_of_revision(connection: sqlite3.Connection, revision: int) -> list[KnownStep]:
    """The steps of one revision, in order of their first declaration."""
    return _steps(
        connection,
        "id IN (SELECT step FROM (SELECT step, present, max(revision) FROM schema_changes"
        " WHERE revision <= ? GROUP BY step) WHERE present = 1) ORDER BY id",
        (revision,),
    )


def is_in_revision(connection: sqlite3.Connection, step: int, revision: int) -> bool:
    """Whether a revision that exists holds a step."""
    row = connection.execute(
        "SELECT present FROM schema_changes WHERE step = ? AND revision <= ?"
        " AND ? <= (SELECT max(revision) FROM revisions) ORDER BY revision DESC LIMIT 1",
        (step, revision, revision),
    ).fetchone()
    return bool(row and row[0])


def steps_named(connection: sqlite3.Connection, names: Sequence[str]) -> dict[str, list[KnownStep]]:
    """Every step ever recorded under each name, oldest first."""
    found: dict[str, list[KnownStep]] = {}
    for start in range(0, len(names), _NAMES_A_QUERY):
        part = names[start : start + _NAMES_A_QUERY]
        for step in _steps(connection, f"name IN ({','.join('?' * len(part))}) ORDER BY id", part):
            found.setdefault(step.name, []).append(step)
    return found


def all_steps(connection: sqlite3.Connection) -> list[KnownStep]:
    """Every step ever recorded, oldest first."""
    return _steps(connection, "1 ORDER BY id", ())


def _steps(connection: sqlite3.Connection, condition: str, parameters: Sequence[object]) -> list[KnownStep]:
    rows = connection.execute(f"SELECT {_STEP_COLUMNS} FROM steps WHERE {condition}", parameters)
    return [KnownStep(*row) for row in rows]


def bound_steps(connection: sqlite3.Connection) -> set[int]:
    """Ids of the steps under whose name a result was stored."""
    return {row[0] for row in connection.execute("SELECT DISTINCT step FROM step_rows WHERE status = 0")}


def edges_of(connection: sqlite3.Connection, step: int) -> list[Edge]:
    """The upstreams of a recorded step, in order."""
    rows = connection.execute("SELECT upstream, kind, slot FROM step_edges WHERE step = ? ORDER BY ordinal", (step,))
    return [Edge(*row) for row in rows]


def function_identity_of(connection: sqlite3.Connection, function: int) -> FunctionIdentity:
    """The identity of a function as it was recorded."""
    from ezpyp.hashing.code.identity import (
        FunctionIdentity,  # imported by runs; looking at a cache starts quicker without
    )

    row = connection.execute("SELECT identity FROM functions WHERE id = ?", (function,)).fetchone()
    return FunctionIdentity.from_json(zlib.decompress(row[0]).decode())


def function_tags(connection: sqlite3.Connection) -> dict[int, str]:
    """The Python tag of each recorded function."""
    return dict(connection.execute("SELECT id, python FROM functions"))


def record_functions(
    connection: sqlite3.Connection, identities: Iterable[FunctionIdentity], python: str
) -> dict[bytes, int]:
    """Record function identities, each digest once; their row ids by digest."""
    ids: dict[bytes, int] = {}
    for identity in identities:
        row = connection.execute("SELECT id FROM functions WHERE digest = ?", (identity.digest,)).fetchone()
        ids[identity.digest] = row[0] if row else _insert_function(connection, identity, python)
    return ids


def _insert_function(connection: sqlite3.Connection, identity: FunctionIdentity, python: str) -> int:
    source = None if identity.source is None else zlib.compress(identity.source.encode("utf-8", "surrogatepass"))
    cursor = connection.execute(
        "INSERT INTO functions (digest, name, module, file, line, python, identity, source)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            identity.digest, identity.qualname, identity.module, storable(identity.file), identity.line, python,
            zlib.compress(identity.to_json().encode("utf-8", "surrogatepass")), source,
        ),
    )  # fmt: skip
    return int(cursor.lastrowid or 0)


def record_steps(
    connection: sqlite3.Connection,
    records: Sequence[StepRecord],
    known: Mapping[tuple[str, bytes], int],
    functions: Mapping[bytes, int],
) -> list[int]:
    """Record the steps that are not known yet; the row ids of all, in the order of the records."""
    next_id = connection.execute("SELECT coalesce(max(id), 0) + 1 FROM steps").fetchone()[0]
    ids: list[int] = []
    rows: list[tuple[object, ...]] = []
    edges: list[tuple[object, ...]] = []
    manifests: list[Manifest] = []
    for record in records:
        name, key = record[0], record[1]
        id_ = known.get((name, key))
        if id_ is None:
            id_, next_id = next_id, next_id + 1
            manifest = record[11]
            if manifest is not None:
                manifests.append(manifest)
            row = (name, key, functions[record[2]], *record[3:10], None if manifest is None else manifest.row)
            rows.append((id_, *row[:-1], step_checksum(row), row[-1]))
            # Upstreams are declared before what needs them, so their ids are known here.
            edges += [(id_, i, ids[up], kind, slot) for i, (up, kind, slot) in enumerate(record[10])]
        ids.append(id_)
    record_manifests(connection, manifests)
    connection.executemany(f"INSERT INTO steps VALUES ({','.join('?' * 13)})", rows)
    connection.executemany("INSERT INTO step_edges VALUES (?, ?, ?, ?, ?)", edges)
    return ids


def record_revision(connection: sqlite3.Connection, digest: bytes, before: set[int], after: set[int], note: str) -> int:
    """Record a revision as its difference to the one before; its number."""
    # Damaged numbers do not stand in the way of new ones.
    numbers = "SELECT revision FROM revisions UNION ALL SELECT revision FROM schema_changes"
    revision: int = connection.execute(f"SELECT coalesce(max(revision), 0) + 1 FROM ({numbers})").fetchone()[0]
    connection.execute(
        "INSERT INTO revisions VALUES (?, ?, ?, ?, ?)", (revision, digest, time.time(), len(after), note)
    )
    changes = [(step, revision, 1) for step in sorted(after - before)]
    changes += [(step, revision, 0) for step in sorted(before - after)]
    connection.executemany("INSERT INTO schema_changes VALUES (?, ?, ?)", changes)
    return revision
