"""Damage: marked by whoever meets it, recorded by the next freezing, healed by the run that follows.

A reader never writes the index, so it leaves an empty file ``damaged/DIGEST``. The next job that holds the
location turns the markers into rows; the results they name count as absent from then on.
"""

from __future__ import annotations

import contextlib
import re
import sqlite3
import time
from collections.abc import Iterable
from pathlib import Path

from ezpyp.store._index import Index
from ezpyp.store._objects import INLINE_LIMIT, ObjectStore
from ezpyp.store._records import KnownResult

_FOLDER = "damaged"
_DIGEST_BYTES = 16
_MARKER = re.compile(r"[0-9a-f]{32}")


def mark_damage(location: Path, digest: bytes) -> None:
    """Leave a marker for an object that is not what was stored; nothing in a folder that cannot be written."""
    # A read-only copy of a cache cannot be mended from here; the error that follows says what is wrong.
    with contextlib.suppress(OSError):
        if len(digest) != _DIGEST_BYTES:
            return
        (location / _FOLDER).mkdir(exist_ok=True)
        (location / _FOLDER / digest.hex()).touch()


def record_markers(index: Index) -> None:
    """Turn markers into damage rows; the location must be held."""
    folder = index.location / _FOLDER
    markers = [path for path in folder.iterdir() if _MARKER.fullmatch(path.name)] if folder.is_dir() else []
    if not markers:
        return
    with index.writing() as connection:
        for marker in markers:
            _record(connection, bytes.fromhex(marker.name), "its digest was wrong when it was loaded")
    for marker in markers:
        marker.unlink(missing_ok=True)


def record_missing(index: Index, results: Iterable[KnownResult]) -> set[int]:
    """Record the large results whose object is gone or has another size; their row ids."""
    objects = ObjectStore(index.location)
    missing = {r.id: r.digest for r in results if r.size > INLINE_LIMIT and not _is_whole(objects, r)}
    if missing:
        with index.writing() as connection:
            for digest in set(missing.values()):
                _record(connection, digest, "its object is missing or has another size")
    return set(missing)


def _is_whole(objects: ObjectStore, result: KnownResult) -> bool:
    path = objects.path(result.digest, result.suffix)
    try:
        return path.is_file() and path.stat().st_size == result.size
    except OSError:
        return False


def _record(connection: sqlite3.Connection, digest: bytes, reason: str) -> None:
    """Every row that leads to the object is damaged; results taken over have its digest too."""
    connection.execute(
        "INSERT OR IGNORE INTO damages SELECT id, ?, ? FROM results WHERE digest = ?",
        (time.time(), reason, digest),
    )
