"""Open an index so that nothing is created, changed or locked for long, wherever it lies.

``mode=ro`` alone is not enough. On a WAL index without its -wal and -shm files it makes both and leaves
them behind (measured with SQLite 3.40), owned by whoever looked; in a read-only folder it fails.
``immutable=1`` makes nothing, but does not see the rows of a -wal. So the files that lie there decide, and
where neither way sees every row, a private copy in the temporary folder is read.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ezpyp.errors import CacheFormatError, CacheNotFoundError, DamagedIndexError, StoreError
from ezpyp.store.connection import INDEX_NAME as INDEX
from ezpyp.store.connection import RECOVERY, version_to_install
from ezpyp.store.lock import Owner, living_owner
from ezpyp.store.tables import FORMAT

# A rollback-journal writer locks readers out for the milliseconds of its commit.
BUSY_TIMEOUT_S = 10.0
# An index with a flipped byte can make messages of SQLite that are no UTF-8.
SQL_ERRORS = (sqlite3.Error, UnicodeDecodeError)
# What SQLite says of other processes, of the disk or of rights, and not of what a file holds.
_NOT_OF_THE_FILE = {
    sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_PROTOCOL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM, sqlite3.SQLITE_READONLY,
}  # fmt: skip
WAL_VERSION = 2
"""Byte 18 of a database's header when it is in WAL mode (SQLite file format, section 1.3.3)."""


@dataclass(slots=True)
class OpenIndex:
    """An index open for reading.

    Args:
        location: Absolute path of the cache.
        connection: Cannot write.
        is_frozen: The file is read without locks; what a run changes meanwhile may tear the reading.
        is_copy: A private copy is read, because the folder lets nobody see its last rows in place.
    """

    location: Path
    connection: sqlite3.Connection
    is_frozen: bool = False
    is_copy: bool = False
    _closers: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        """Close the connection and remove the private copy, if there is one."""
        self.connection.close()
        for close in self._closers:
            close()


def open_index(cache: str | Path) -> OpenIndex:
    """Open the index of a cache; never creates anything beside it.

    Args:
        cache: Folder of the cache.

    Raises:
        CacheNotFoundError: There is no such folder, it is a file, or no index is in it.
        CacheFormatError: The index is none, or of a newer format.
        DamagedIndexError: It cannot be read as one.
        StoreError: The index cannot be read, for want of permission or of room for a copy.
    """
    location = Path(os.path.abspath(cache))
    file = location / INDEX
    check_there(location, file)
    try:
        index = _open(location, file)
    except OSError as error:
        raise StoreError(f"the index {file} cannot be read: {error.strerror or error}") from error
    except SQL_ERRORS as error:
        raise unreadable(file, error, "is no index of ezpyp, or a damaged one") from error
    try:
        _check_format(index)
    except BaseException:
        index.close()
        raise
    return index


def unreadable(file: Path, error: Exception, damage: str) -> StoreError:
    """What a failed reading of an index means: the file is damaged, or just cannot be read at the moment.

    Args:
        file: The index.
        error: What SQLite said to a query of ours, or what a value of a row could not be.
        damage: How to say that it is damaged.
    """
    # The low byte is the kind. Errors without a code are of texts and values: of what the file holds.
    if getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF in _NOT_OF_THE_FILE:
        return StoreError(f"{file} cannot be read now: {error}; ask again, and look at the disk if it stays so")
    return DamagedIndexError(f"{file} {damage}: {error}; {RECOVERY}")


def open_as_owner(cache: str | Path) -> OpenIndex:
    """Open the index of a cache of one's own: with SQLite's locks, and its helper files gone when it is closed.

    The last connection to a WAL index takes -wal and -shm away, if it may write; a connection that may only read
    would leave them behind. Where the cache cannot be written it is opened as by `open_index`, whose errors this
    raises too.
    """
    location = Path(os.path.abspath(cache))
    check_there(location, location / INDEX)
    if living_holder(location) is not None:
        return open_index(cache)  # its close cannot take away what the holder writes into
    if not os.access(location, os.W_OK) or not os.access(location / INDEX, os.W_OK):
        return open_index(cache)
    try:
        connection = _connect(location / INDEX, "mode=rw")
        connection.execute("PRAGMA query_only = 1")
    except SQL_ERRORS:
        return open_index(cache)
    index = OpenIndex(location, connection)
    try:
        _check_format(index)
    except BaseException:
        index.close()
        raise
    return index


def living_holder(location: Path) -> Owner | None:
    """The process that writes an index at this moment, if that is another one; nothing of the index is touched.

    Whoever opens an index to write may, on closing, fold the log of a holder whose locks were dropped.
    """
    if not (location / f"{INDEX}-wal").exists():
        return None
    try:
        index = _open(location, location / INDEX)
    except (OSError, *SQL_ERRORS):
        return None  # who opens it in earnest will say so
    try:
        row = index.connection.execute("SELECT owner, heartbeat FROM holder WHERE owner IS NOT NULL").fetchone()
        return None if row is None else living_owner(*row)
    except (ValueError, TypeError, *SQL_ERRORS):
        return None
    finally:
        index.close()


def check_there(location: Path, file: Path) -> None:
    """Refuse what is no folder with an index in it, with what it is instead."""
    try:
        if not location.exists():
            raise CacheNotFoundError(f"no cache at {location}: there is no such folder")
        if not location.is_dir():
            raise CacheNotFoundError(f"no cache at {location}: it is a file; give the folder that holds {INDEX}")
        if not file.exists():
            raise CacheNotFoundError(f"no cache at {location}: the folder holds no {INDEX}")
        if not file.is_file():
            raise CacheFormatError(f"{file} is no index of ezpyp: it is not a file")
    except PermissionError as error:
        raise StoreError(f"the cache at {location} cannot be read: {error.strerror}") from error


def _open(location: Path, file: Path) -> OpenIndex:
    wal, shm, journal = (file.with_name(INDEX + end) for end in ("-wal", "-shm", "-journal"))
    if wal.exists() and shm.exists():
        # Perhaps this very process writes: to open and close the file by hand would drop SQLite's locks on it.
        return OpenIndex(location, _connect(file, "mode=ro"))
    with file.open("rb") as head:
        is_wal = head.read(20)[18:19] == bytes([WAL_VERSION])
    if is_wal and wal.exists() and wal.stat().st_size:
        return _open_copy(location, [file, wal])
    if is_wal:
        # Nobody writes: a writer would have made the -wal. One that starts now is told of by `is_torn`.
        return OpenIndex(location, _connect(file, "mode=ro&immutable=1"), is_frozen=True)
    try:
        return OpenIndex(location, _connect(file, "mode=ro"))
    except sqlite3.OperationalError:
        # A writer died inside a commit: only somebody who may write can roll its journal back.
        if not journal.exists():
            raise
        return _open_copy(location, [file, journal])


def _open_copy(location: Path, files: list[Path]) -> OpenIndex:
    import tempfile  # 6 ms at import, and hardly ever needed

    folder = tempfile.TemporaryDirectory(prefix="ezpyp-inspect-")
    try:
        for file in files:
            shutil.copyfile(file, Path(folder.name) / file.name)
        connection = _connect(Path(folder.name) / INDEX, "mode=rw")
        connection.execute("PRAGMA query_only = 1")
    except BaseException:
        folder.cleanup()
        raise
    return OpenIndex(location, connection, is_copy=True, _closers=[folder.cleanup])


def _connect(file: Path, options: str) -> sqlite3.Connection:
    # as_uri() quotes what a folder's name may hold: '?', '#', '%'.
    connection = sqlite3.connect(f"{file.as_uri()}?{options}", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)
    try:
        # One transaction for the whole verb: every query sees the same moment of a live run.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection


def _check_format(index: OpenIndex) -> None:
    file = index.location / INDEX
    try:
        row = index.connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    except SQL_ERRORS as error:
        if not _has_tables(index.connection):
            raise CacheNotFoundError(
                f"no cache at {index.location}: its {INDEX} is no index of ezpyp yet, it is empty"
            ) from error
        raise unreadable(file, error, "is no index of ezpyp, or a damaged one") from error
    number = str(row[0]) if row else "none"
    if not number.isdecimal():
        raise DamagedIndexError(f"{file} is no index of ezpyp: its format is {number}")
    if int(number) > FORMAT:
        raise CacheFormatError(
            f"{file} has format {number}; this ezpyp reads up to {FORMAT}: "
            f"install {version_to_install(index.connection)}"
        )


def _has_tables(connection: sqlite3.Connection) -> bool:
    """Whether a database is more than the empty one that the first job of a location is about to fill."""
    try:
        return connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None
    except SQL_ERRORS:
        return True
