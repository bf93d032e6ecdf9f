"""Digests of files that were arguments, by the stamp of their state: a file that did not change is not read again.

Only a memo: rows may go at any time, and nothing but time is lost.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from pathlib import Path

from ezpyp.errors import EzpypError
from ezpyp.store._index import is_cache
from ezpyp.store._opening import SQL_ERRORS, open_index

# 100,000 files are 5 MB in the index and 80 ms at the first look-up.
_MOST = 100_000


def load_file_digests(location: Path) -> dict[bytes, bytes]:
    """All digests that a location remembers, by stamp; none where it is no cache or cannot be read."""
    if not is_cache(location):
        return {}
    try:
        index = open_index(location)
    except EzpypError:
        return {}  # who needs the index will say so
    try:
        return dict(index.connection.execute("SELECT stamp, digest FROM files").fetchall())
    except SQL_ERRORS:
        return {}  # an older format
    finally:
        index.close()


def save_file_digests(connection: sqlite3.Connection, digests: Iterable[tuple[bytes, bytes]]) -> None:
    """Remember stamps and digests of files, the oldest of very many forgotten; part of a transaction of the holder."""
    connection.executemany("INSERT OR REPLACE INTO files (stamp, digest) VALUES (?, ?)", digests)
    connection.execute("DELETE FROM files WHERE id <= (SELECT max(id) - ? FROM files)", (_MOST,))
