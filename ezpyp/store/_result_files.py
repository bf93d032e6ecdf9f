"""Files that results name: a result counts as long as they hold what they held."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection


def files_of(connection: sqlite3.Connection, result: int) -> tuple[tuple[str, bytes], ...]:
    """The files that a result names (`ezpyp.File`), with the digests of their content when it was stored."""
    return tuple(connection.execute("SELECT path, digest FROM result_files WHERE result = ?", (result,)))


def changed_files(connection: sqlite3.Connection, results: Collection[int]) -> dict[int, str]:
    """What is wrong with the files that results name, by result; unchanged files are not read again.

    Args:
        connection: To an index.
        results: Row ids of the results that are to be used.
    """
    changed = {}
    for result, path, digest in connection.execute("SELECT result, path, digest FROM result_files"):
        if result in results and (what := _change(path, digest)):
            changed[result] = what
    return changed


def _change(path: str, digest: bytes) -> str | None:
    from ezpyp.hashing import FILE_DIGESTS  # imported by runs; looking at a cache starts quicker without

    try:
        is_same = FILE_DIGESTS.digest(path, strict=False) == digest
    except OSError as error:
        return str(error)
    return None if is_same else f"the file {path!r} is not what the step made: something else wrote to it"
