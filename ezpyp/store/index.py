"""The writer's side of one location: connection, lock, transactions."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from pathlib import Path

from ezpyp.errors import EzpypError, PipelineMismatchError, StoreError
from ezpyp.store.connection import (
    SQL_ERRORS,
    index_path,
    is_cache,
    living_holder,
    open_for_writing,
    open_index,
    storable,
    translated,
)
from ezpyp.store.files import temporary_name
from ezpyp.store.lock import RunLock, transaction, wait_for_holder


class Index:
    """``ezpyp.sqlite`` of a location, open for writing by one process.

    Args:
        location: Folder of the cache; made when it is missing.
        shared: Whether it lies on a network file system.
        durable: Whether each commit shall outlive a loss of power (1.5 ms each).
        wait_s: How long to wait for another process that writes it.

    Raises:
        CacheBusyError: Another process writes it still.
    """

    def __init__(self, location: Path, *, shared: bool = False, durable: bool = False, wait_s: float = 0.0) -> None:
        wait_for_holder(lambda: living_holder(location), location, wait_s)
        self.location = location
        self.connection: sqlite3.Connection = open_for_writing(location, shared=shared, durable=durable)
        self._lock = RunLock(self.connection, location)
        self._file = index_path(location)
        mode = self.connection.execute("PRAGMA journal_mode").fetchone()[0]
        self._log = self._file.with_name(f"{self._file.name}-wal") if mode == "wal" else None
        self._inodes: dict[Path, tuple[int, int]] = {}

    def close(self) -> None:
        """Close the index; a WAL is folded into it, so that the folder can become read-only."""
        with translated(self.location):
            self.connection.close()

    @contextlib.contextmanager
    def held(self, wait_s: float = 0.0) -> Iterator[None]:
        """Hold the location for this process.

        Raises:
            CacheBusyError: Another process holds it, still after ``wait_s`` seconds.
        """
        with translated(self.location):
            self._lock.acquire(wait_s)
        try:
            with translated(self.location):
                yield
        except BaseException:
            # An index that cannot be written any more must not hide what went wrong before.
            with contextlib.suppress(StoreError), translated(self.location):
                self._lock.release()
            raise
        with translated(self.location):
            self._lock.release()

    @contextlib.contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction of the holder; a holder that was overtaken gets `CacheBusyError`."""
        with translated(self.location):
            self._check_files()
            with transaction(self.connection):
                self._lock.check()
                yield self.connection

    def _check_files(self) -> None:
        """Stop where somebody has taken the index or its write-ahead log away.

        POSIX drops all locks of a process on a file when the process closes any descriptor of that file. A step that
        opens the index as a plain file therefore lets another program remove the log: that is noticed, not prevented.
        """
        if not self._is_same(self._file):
            raise StoreError(
                f"{self._file} was removed or replaced while this process wrote it: nothing of this run is kept there "
                "any more, and it ends here; run again",
                path=str(self._file),
            )
        if self._log is not None and not self._is_same(self._log):
            # SQLite still has the log that has no name any more, and folds it into the index.
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            raise StoreError(
                f"{self._log} was taken away while this process wrote it: something in this process opened and closed "
                "the index as a plain file, which drops SQLite's locks, and another program then removed the log. What "
                "was printed as [PASS] is saved; run again",
                path=str(self._log),
            )

    def _is_same(self, path: Path) -> bool:
        """Whether a file is the one that was there first."""
        try:
            status = os.stat(path)
        except OSError:
            return path not in self._inodes
        inode = (status.st_dev, status.st_ino)
        return self._inodes.setdefault(path, inode) == inode

    def beat(self) -> None:
        """Say that the holder lives, if that is due: no row may be written for hours while a long step runs."""
        if self._lock.is_beat_due:
            with self.writing():
                pass

    def claim(self, pipeline_id: str) -> None:
        """Bind the location to a pipeline id, or refuse another one."""
        with translated(self.location):
            row = self.connection.execute("SELECT value FROM meta WHERE name = 'pipeline_id'").fetchone()
        if row is None:
            with self.writing() as connection:
                connection.execute("INSERT INTO meta VALUES ('pipeline_id', ?)", (pipeline_id,))
        elif row[0] != pipeline_id:
            raise PipelineMismatchError(
                f"the location {self.location} belongs to the pipeline {row[0]!r}, not to {pipeline_id!r}: "
                "choose another location, or use the same pipeline id",
                changed=(),
            )

    def note(self, name: str, value: str) -> None:
        """Keep a fact about the location."""
        with self.writing() as connection:
            connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, storable(value)))

    def noted(self, name: str) -> str | None:
        """A fact about the location."""
        row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return row[0] if row else None


def replace_file(path: Path, text: str) -> None:
    """Write a text file atomically: a reader sees the old one or the new one, whole.

    Raises:
        StoreError: It cannot be written, or a folder stands in its place.
    """
    temporary = path.with_name(temporary_name())
    try:
        # Paths may hold bytes that are no UTF-8; they go out as they came in.
        temporary.write_text(text, encoding="utf-8", errors="surrogateescape")
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise StoreError(
            f"{path} cannot be written: {error.strerror or error}; results are intact, run again once that is mended",
            path=str(path),
            code=error.errno,
        ) from error


# Digests of files that were arguments, by the stamp of their state: a file that did not change is not read again.

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
        return {}  # a damaged index: the steps that read it will say so
    finally:
        index.close()


def save_file_digests(connection: sqlite3.Connection, digests: Iterable[tuple[bytes, bytes]]) -> None:
    """Remember stamps and digests of files, the oldest of very many forgotten; part of a transaction of the holder."""
    connection.executemany("INSERT OR REPLACE INTO files (stamp, digest) VALUES (?, ?)", digests)
    connection.execute("DELETE FROM files WHERE id <= (SELECT max(id) - ? FROM files)", (_MOST,))
