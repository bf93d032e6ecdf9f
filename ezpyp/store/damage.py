"""Damage: marked by whoever meets it, recorded by who holds the location, recomputed by this run or the next.

A reader never writes the index, so it leaves an empty file ``damaged/DIGEST``. The next job that holds the
location looks at what the markers name, and records what is damaged indeed; such results count as absent from
then on. What stands in an object's place is never thrown away: it is renamed to ``*.damaged``.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
import warnings
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from ezpyp.errors import DamagedResultError
from ezpyp.store.index import Index
from ezpyp.store.objects import INLINE_LIMIT, ObjectStore
from ezpyp.store.results import check_payload, intact_results, named_files, payload_of, results_by_id
from ezpyp.store.rows import KnownResult, NamedFile, NewResult, StoredResult

_FOLDER = "damaged"
_DIGEST_BYTES = 16
_MARKER = re.compile(r"[0-9a-f]{32}")
_SHOWN = 5


class Damage(NamedTuple):
    """A stored result, by its row, that is not what was stored: what is wrong, and where the remains are kept."""

    result: int
    what: str
    aside: Path | None


def mark_damage(location: Path, digest: bytes) -> None:
    """Leave a marker for an object that is not what was stored; nothing in a folder that cannot be written."""
    # A read-only copy of a cache cannot be repaired from here; the error that follows says what is wrong.
    with contextlib.suppress(OSError):
        if len(digest) != _DIGEST_BYTES:
            return
        (location / _FOLDER).mkdir(exist_ok=True)
        (location / _FOLDER / digest.hex()).touch()


def record_markers(index: Index) -> None:
    """Record what markers name, where it is damaged still; the location must be held."""
    folder = index.location / _FOLDER
    markers = [path for path in folder.iterdir() if _MARKER.fullmatch(path.name)] if folder.is_dir() else []
    if not markers:
        return
    objects = ObjectStore(index.location, trust=True)  # bytes are looked at only
    found: list[Damage] = []
    for marker in markers:
        # Every row that leads to the object: adopted results have its digest too.
        rows = index.connection.execute("SELECT id FROM results WHERE digest = ?", (bytes.fromhex(marker.name),))
        found += filter(None, [_look(index.connection, objects, id_) for (id_,) in rows.fetchall()])
    _record(index, found)
    for marker in markers:
        marker.unlink(missing_ok=True)


def _look(connection: sqlite3.Connection, objects: ObjectStore, result: int) -> Damage | None:
    """What is wrong with a result as it is now: the run that went on meanwhile may have recomputed it."""
    stored = results_by_id(connection, [result]).get(result)
    if stored is None:
        return Damage(result, "its row has another checksum", None)
    what = damage_of(objects, stored, payload_of(connection, result))
    return Damage(result, what, objects.set_aside(stored.digest, stored.suffix)) if what else None


def damage_of(objects: ObjectStore, stored: StoredResult | NewResult, payload: bytes | None) -> str | None:
    """What is wrong with the bytes of a result whose row is sound."""
    try:
        if payload is None:
            objects.open(stored.digest, stored.suffix, stored.size, verify=True).release()
        else:
            check_payload("", payload, stored.digest, stored.size)
    except DamagedResultError as error:
        return error.what
    return None


def record_missing(index: Index, results: Iterable[KnownResult]) -> set[int]:
    """Record the large results whose object is gone or has another size; their row ids."""
    large = [result for result in results if result.size > INLINE_LIMIT]
    objects = ObjectStore(index.location)
    missing = set(objects.missing({(r.digest, r.suffix, r.size) for r in large}))
    if not missing:
        return set()
    aside = {digest: objects.set_aside(digest, suffix) for digest, suffix, _ in missing}
    what = "its object is missing or has another size"
    found = [Damage(r.id, what, aside[r.digest]) for r in large if r.digest in aside]
    _record(index, found)
    return {damage.result for damage in found}


def restore_files(
    index: Index, objects: ObjectStore, results: Collection[int], *, overwrite: bool
) -> tuple[set[int], dict[int, list[NamedFile]]]:
    """Put files that results name back to their paths, where they are missing.

    Returns:
        The results of which a file is neither there nor in the store, recorded as damaged; and the files of the others.

    Raises:
        FileChangedError: One is there and holds something else, and it shall not be overwritten.
    """
    files = named_files(index.connection, results)
    found = []
    for result, named in files.items():
        try:
            for file in named:
                objects.put_back(file, overwrite=overwrite)
                objects.take_in(file.path, file.digest)  # where the store has lost it
        except DamagedResultError as error:
            found.append(Damage(result, f"the file {file.path!r} is gone, and in the store {error.what}", None))
    _record(index, found)
    damaged = {damage.result for damage in found}
    return damaged, {result: named for result, named in files.items() if result not in damaged}


def _record(index: Index, found: Sequence[Damage]) -> None:
    if not found:
        return
    with index.writing() as connection:
        for damage in found:
            insert_damage(connection, damage)
    report_damage(index.connection, found)


def insert_damage(connection: sqlite3.Connection, damage: Damage) -> None:
    """Let a result count as absent; for ever, since one that is computed anew has a number of its own."""
    row = (damage.result, time.time(), damage.what)
    connection.execute("INSERT OR IGNORE INTO damages VALUES (?, ?, ?)", row)


def report_damage(connection: sqlite3.Connection, found: Sequence[Damage]) -> None:
    """Warn of damage, with the names of the steps and what was set aside."""
    names = [_name_of(connection, damage.result) for damage in found[:_SHOWN]]
    shown = "; ".join(f"{name}: {one.what}{_kept(one.aside)}" for name, one in zip(names, found, strict=False))
    more = f"; and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    message = f"stored results are damaged and will be computed anew where they are needed: {shown}{more}"
    warnings.warn(message, stacklevel=3)


def _kept(aside: Path | None) -> str:
    return f" (what was there is kept as {aside})" if aside else ""


def _name_of(connection: sqlite3.Connection, result: int) -> str:
    """Name of a step whose result a row is; the row's number where none is known."""
    row = connection.execute(
        "SELECT s.name FROM results r JOIN steps s ON s.key = r.key WHERE r.id = ? LIMIT 1", (result,)
    ).fetchone()
    return repr(row[0]) if row else f"result {result}"


def damaged_results(connection: sqlite3.Connection) -> dict[bytes, KnownResult]:
    """The newest result of each key that was found damaged, where its row is intact."""
    rows = intact_results(connection, "id IN (SELECT result FROM damages) ORDER BY id")
    return {row.key: KnownResult(*(getattr(row, name) for name in KnownResult._fields)) for row in rows}
