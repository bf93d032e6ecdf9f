"""Rows of steps, functions, edges and revisions: what a location has promised."""

from __future__ import annotations

import json
import sqlite3
import time
import zlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from json.encoder import encode_basestring_ascii as quoted
from pathlib import Path
from typing import Any

from xxhash import xxh3_64_digest, xxh3_64_hexdigest

from ezpyp.store.connection import damaged_index, storable
from ezpyp.store.rows import Edge, FunctionRow, KnownStep, Manifest, StepRecord

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


def check_intact(location: Path, corrupt: Collection[str]) -> None:
    """Refuse to go on with rows of steps that are not as they were written; ``corrupt`` has the names in them.

    Raises:
        DamagedIndexError: There are some: a name or a parameter may lead to another step's result.
    """
    for name in corrupt:
        raise damaged_index(location, f"the row of step {name!r} has another checksum ({len(corrupt)} in all)")


# A step is in a revision when its last change up to there put it in. One lookup a step was chosen over grouping all
# changes: it costs nothing where a filter leaves few (of 10^6 steps, 100 failed: 60 ms, not 2.4 s).
PRESENT = (
    "(SELECT c.present FROM schema_changes c WHERE c.step = s.id AND c.revision <= :revision"
    " ORDER BY c.revision DESC LIMIT 1) = 1"
)
# The same for questions to all steps: few have another change than the one that put them in, and one scan finds those
# (of 10^6 steps: 0.1 s, not 1 s).
ALL_PRESENT = f"(s.id NOT IN (SELECT step FROM schema_changes WHERE present = 0 OR revision > :revision) OR {PRESENT})"
_EDGE = ", ".join(Edge._fields)
_STEPS = f"SELECT {', '.join(KnownStep._fields)} FROM steps s"


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
    rows = connection.execute(f"{_STEPS} WHERE {ALL_PRESENT} ORDER BY id", {"revision": revision})
    return list(map(KnownStep._make, rows))


def step_named(connection: sqlite3.Connection, name: str, revision: int) -> KnownStep | None:
    """The step of that name in a revision that exists."""
    row = connection.execute(
        f"{_STEPS} WHERE name = :name AND {PRESENT} AND :revision <= (SELECT max(revision) FROM revisions)",
        {"name": name, "revision": revision},
    ).fetchone()
    return KnownStep._make(row) if row else None


def all_steps(connection: sqlite3.Connection) -> list[KnownStep]:
    """Every step ever recorded, oldest first."""
    return list(map(KnownStep._make, connection.execute(f"{_STEPS} ORDER BY id")))


def bound_steps(connection: sqlite3.Connection) -> set[int]:
    """Ids of the steps under whose name a result was stored."""
    return {row[0] for row in connection.execute("SELECT DISTINCT step FROM step_rows WHERE status = 0")}


def edges_of(connection: sqlite3.Connection, step: int) -> list[Edge]:
    """The upstreams of a recorded step, in order."""
    rows = connection.execute(f"SELECT {_EDGE} FROM step_edges WHERE step = ? ORDER BY ordinal", (step,))
    return list(map(Edge._make, rows))


def function_record(connection: sqlite3.Connection, function: int) -> str:
    """What was recorded of a function, as JSON."""
    row = connection.execute("SELECT identity FROM functions WHERE id = ?", (function,)).fetchone()
    return zlib.decompress(row[0]).decode()


def function_tags(connection: sqlite3.Connection) -> dict[int, str]:
    """The Python tag of each recorded function."""
    return dict(connection.execute("SELECT id, python FROM functions"))


def known_functions(connection: sqlite3.Connection, digests: Iterable[bytes]) -> dict[bytes, int]:
    """Row ids of the functions that are recorded, by digest."""
    found: dict[bytes, int] = {}
    for digest in set(digests):
        row = connection.execute("SELECT id FROM functions WHERE digest = ?", (digest,)).fetchone()
        if row:
            found[digest] = row[0]
    return found


def record_function(connection: sqlite3.Connection, row: FunctionRow, python: str) -> int:
    """Record a function whose digest is not there; its row id."""
    source = None if row.source is None else zlib.compress(row.source.encode("utf-8", "surrogatepass"))
    cursor = connection.execute(
        "INSERT INTO functions (digest, name, module, file, line, python, identity, source)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            row.digest, row.name, row.module, storable(row.file), row.line, python,
            zlib.compress(row.record.encode("utf-8", "surrogatepass")), source,
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
        name, key, function, *described, upstreams, manifest = record
        id_ = known.get((name, key))
        if id_ is None:
            id_, next_id = next_id, next_id + 1
            if manifest is not None:
                manifests.append(manifest)
            row = (name, key, functions[function], *described, None if manifest is None else manifest.row)
            rows.append((id_, *row[:-1], step_checksum(row), row[-1]))
            # Upstreams are declared before what needs them, so their ids are known here.
            edges += [(id_, i, ids[up], kind, slot) for i, (up, kind, slot) in enumerate(upstreams)]
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


# Manifests: of what a step's arguments are made, as JSON, small ones in the step's row and large ones shared.
# The row holds a JSON object of parameter -> tree (see `ezpyp.schema`). Where it would take over `ROW_LIMIT` bytes the
# largest trees go to the table ``manifests``, once a digest, and a reference stands in their place: a configuration of
# 3 kB that 10,000 steps are given is stored once. The identities of functions and classes that arguments bring along
# lie there too, under the digest that stands in the tree.

ROW_LIMIT = 256
_REFERENCE = '"@'
_BATCH = 500


def packed_manifest(trees: Mapping[str, str], codes: Mapping[str, str]) -> Manifest:
    """A manifest that keeps within a row.

    Example:
        >>> packed_manifest({"x": '"1"'}, {})
        Manifest(row='{"x":"1"}', shared=())
        >>> len(packed_manifest({"x": '"%s"' % ("a" * 300)}, {}).row)
        25
    """
    kept = dict(trees)
    shared = dict(codes)
    row = _joined(kept)
    for name in sorted(kept, key=lambda name: -len(kept[name])) if len(row) > ROW_LIMIT else ():
        kept[name] = _moved(kept[name], shared)
        row = _joined(kept)
        if len(row) <= ROW_LIMIT:
            break
    return Manifest(row if len(row) <= ROW_LIMIT else _moved(row, shared), tuple(shared.items()))


def _joined(trees: Mapping[str, str]) -> str:
    return "{" + ",".join([f"{quoted(name)}:{tree}" for name, tree in trees.items()]) + "}"


def _moved(text: str, shared: dict[str, str]) -> str:
    """A reference in the place of a text that is shared from now on."""
    digest = xxh3_64_hexdigest(text.encode("utf-8", "surrogatepass"))
    shared[digest] = text
    return f'{_REFERENCE}{digest}"'


def record_manifests(connection: sqlite3.Connection, manifests: Iterable[Manifest]) -> None:
    """Record what manifests share, each digest once."""
    wanted = {bytes.fromhex(digest): text for manifest in manifests for digest, text in manifest.shared}
    digests = list(wanted)
    for start in range(0, len(digests), _BATCH):
        part = digests[start : start + _BATCH]
        query = f"SELECT digest FROM manifests WHERE digest IN ({','.join('?' * len(part))})"
        known = {row[0] for row in connection.execute(query, part)}
        connection.executemany(
            "INSERT INTO manifests (digest, content) VALUES (?, ?)",
            [(digest, zlib.compress(wanted[digest].encode("utf-8", "surrogatepass"))) for digest in part
             if digest not in known],
        )  # fmt: skip


def manifest_of(connection: sqlite3.Connection, step: int) -> dict[str, object]:
    """The trees of a recorded step's arguments by parameter.

    There is none where ``params`` says all, and where a shared one is damaged.

    Raises:
        ValueError: What is recorded means nothing.
    """
    row = connection.execute("SELECT manifest FROM steps WHERE id = ?", (step,)).fetchone()
    trees = (_resolved(connection, json.loads(row[0])) if row and row[0] else None) or {}
    if not isinstance(trees, dict):
        raise ValueError("the manifest of a step is no JSON object")
    found = {name: _resolved(connection, tree) for name, tree in trees.items()}
    return {name: tree for name, tree in found.items() if tree is not None}


def _resolved(connection: sqlite3.Connection, tree: object) -> object:
    if not isinstance(tree, str) or not tree.startswith("@"):
        return tree
    text = shared_text(connection, tree[1:])
    return None if text is None else json.loads(text)


def shared_text(connection: sqlite3.Connection, digest: str) -> str | None:
    """A shared text by its digest, 16 hex characters; None where there is none, or none that can be read."""
    row = connection.execute("SELECT content FROM manifests WHERE digest = ?", (bytes.fromhex(digest),)).fetchone()
    try:
        return None if row is None else zlib.decompress(row[0]).decode("utf-8", "surrogatepass")
    except (zlib.error, UnicodeDecodeError):
        return None
