"""Opening ``ezpyp.sqlite``, to write it or to read it wherever it lies, and what SQLite's errors mean.

Reading creates, changes and locks nothing. ``mode=ro`` alone is not enough for that: on a WAL index without its
-wal and -shm files it makes both and leaves them behind (measured with SQLite 3.40), and in a read-only folder it
fails. ``immutable=1`` makes nothing, but does not see the rows of a -wal. So the files that lie there decide, and
where neither way sees every row, a private copy in the temporary folder is read.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ezpyp.errors import CacheFormatError, CacheNotFoundError, DamagedIndexError, StoreError
from ezpyp.store.lock import Owner, living_owner
from ezpyp.store.tables import FORMAT, SCRIPT

if TYPE_CHECKING:
    from tempfile import TemporaryDirectory

INDEX_NAME = "ezpyp.sqlite"
SQL_ERRORS = (sqlite3.Error, UnicodeDecodeError)
"""What a query raises; an index with a flipped byte can make messages of SQLite that are no UTF-8."""
_WRITER_TIMEOUT_S = 60.0
# A rollback-journal writer locks readers out for the milliseconds of its commit.
READER_TIMEOUT_S = 10.0
# Byte 18 of a database's header is 2 when it is in WAL mode (SQLite file format, section 1.3.3).
_WAL = b"\x02"


def index_path(location: Path) -> Path:
    """The index of a location."""
    return location / INDEX_NAME


def is_cache(location: Path) -> bool:
    """Whether a folder holds an index."""
    return index_path(location).is_file()


# What SQLite's errors mean.

_ADVICE = {
    sqlite3.SQLITE_BUSY: "another program holds the index; close it and try again",
    sqlite3.SQLITE_LOCKED: "another program holds the index; close it and try again",
    sqlite3.SQLITE_PROTOCOL: "another program holds the index; close it and try again",
    sqlite3.SQLITE_FULL: "the disk is full; what was printed as [PASS] is kept, make room and run again",
    sqlite3.SQLITE_READONLY: "the location cannot be written; choose another, or read it with ezpyp.open_cache",
    sqlite3.SQLITE_CANTOPEN: "the location cannot be written; choose another, or read it with ezpyp.open_cache",
    sqlite3.SQLITE_PERM: "the location cannot be written; choose another, or read it with ezpyp.open_cache",
    sqlite3.SQLITE_IOERR: (
        "the disk, a quota or a limit on file sizes (ulimit -f) stops it; what was printed as [PASS] is kept"
    ),
}
"""By the kind of error: what to do where another process, the disk or rights stand in the way."""
_OF_CONTENT = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR, sqlite3.SQLITE_MISMATCH}
"""What a damaged file makes SQLite say; SQLITE_ERROR is a table or column that is not there."""


@contextlib.contextmanager
def translated(location: Path) -> Iterator[None]:
    """Turn what SQLite raises into errors of ours."""
    try:
        yield
    except SQL_ERRORS as error:
        raise index_error(location, error) from error


def index_error(location: Path, error: Exception) -> StoreError:
    """What a failed statement means: the index is damaged, or cannot be used at the moment."""
    # The low byte is the kind. An error without a code is of texts and values: of what the file holds.
    kind = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if kind in _OF_CONTENT:
        return damaged_index(location, f"it is no index of ezpyp, or its content was changed ({error})")
    if kind == sqlite3.SQLITE_CONSTRAINT:
        what = f"{error}: another process wrote there as well, or it is damaged; nothing was overwritten"
        return StoreError(f"{index_path(location)}: {what}; {_recovery(location)}")
    advice = _ADVICE.get(kind, "nothing was overwritten; run again once the cause is mended")
    return StoreError(f"{index_path(location)}: {error}: {advice}")


def damaged_index(location: Path, what: str) -> DamagedIndexError:
    """The error to raise where the content of an index is not what was written."""
    return DamagedIndexError(f"{index_path(location)} is damaged: {what}; {_recovery(location)}")


def _recovery(location: Path) -> str:
    """The way on: results under ``objects`` are found again once the rows are."""
    return (
        f"see all of it with `python -m ezpyp.inspect {shlex.quote(str(location))} verify`, then copy {INDEX_NAME} "
        "from a backup (or try sqlite3's '.recover' on a copy), or move the folder away to compute all anew"
    )


# Opening to write.


def open_for_writing(location: Path, *, shared: bool = False, durable: bool = False) -> sqlite3.Connection:
    """Open the index of a location to write it, and create both where they are missing.

    Args:
        location: Folder of the cache.
        shared: Whether the folder lies on a network file system, where SQLite forbids WAL.
        durable: Whether each commit shall outlive a loss of power.
    """
    prepare_folder(location)
    with translated(location):
        # Autocommit: every transaction is opened by hand with BEGIN IMMEDIATE, because busy_timeout does
        # not help a transaction that reads first and wants to write later.
        connection = sqlite3.connect(
            index_path(location), timeout=_WRITER_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _set_journal(connection, shared=shared)
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("PRAGMA recursive_triggers = ON")
            connection.execute("PRAGMA cache_size = -65536")
            _create_tables(connection)
            _check_format(connection, location)
        except BaseException:
            connection.close()
            raise
    return connection


def prepare_folder(location: Path) -> None:
    """Create the folder of a location, or say why it cannot hold a cache."""
    try:
        # Not for everybody, whatever the umask: that would be a location that nobody can trust.
        location.mkdir(mode=0o775, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise StoreError(
            f"{location} is a file or lies below one; a cache location must be a folder: choose another path"
        ) from None
    except OSError as error:
        raise StoreError(f"cannot create the cache location {location}: {error.strerror}") from error
    if not os.access(location, os.W_OK | os.X_OK):
        raise StoreError(
            f"the cache location {location} is read-only for you: choose another location, "
            "or read it with ezpyp.open_cache"
        )


def _set_journal(connection: sqlite3.Connection, *, shared: bool) -> None:
    """WAL on a local file system; where other hosts may write, SQLite forbids it."""
    if shared:
        connection.execute("PRAGMA journal_mode = TRUNCATE")
        return
    # Changing the mode needs the file alone. Somebody who reads at this moment costs speed, not the run.
    try:
        connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            raise


def _create_tables(connection: sqlite3.Connection) -> None:
    """Create all tables in one transaction; two first jobs at once agree on one of them."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone():
        return
    facts = f"INSERT INTO meta VALUES ('format', '{FORMAT}'), ('created_at', '{time.time()!r}');"
    try:
        connection.executescript(f"BEGIN IMMEDIATE;{SCRIPT}{facts}COMMIT;")
    except sqlite3.OperationalError as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        if "already exists" not in str(error):
            raise


def _check_format(connection: sqlite3.Connection, location: Path) -> None:
    """Refuse a file that is no index, and one that this version cannot read."""
    if connection.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None:
        raise CacheNotFoundError(f"no cache at {location}: its {INDEX_NAME} is no index of ezpyp yet, it is empty")
    row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()
    number = str(row[0]) if row else "none"
    if not number.isdecimal():
        raise damaged_index(location, f"it is no index of ezpyp, its format is {number}")
    if int(number) > FORMAT:
        raise CacheFormatError(
            f"the cache at {location} has format {number}; this ezpyp reads up to {FORMAT}: "
            f"install {_version_to_install(connection)}"
        )


def _version_to_install(connection: sqlite3.Connection) -> str:
    """Which ezpyp reads an index of a newer format: the one that ran there last, as far as that can be told."""
    try:
        row = connection.execute("SELECT ezpyp FROM runs ORDER BY run DESC LIMIT 1").fetchone()
    except sqlite3.Error:
        row = None
    return f"ezpyp {row[0]} or newer" if row and row[0] else "a newer ezpyp"


def storable(text: str) -> str:
    r"""Text that SQLite can take: without lone surrogates, which file names that are no UTF-8 bring into messages.

    Example:
        >>> print(storable("caf" + chr(0xDCE9)))
        caf\udce9
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


# Opening to read.


@dataclass(slots=True)
class OpenIndex:
    """An index open for reading.

    Args:
        location: Absolute path of the cache.
        connection: Cannot write.
        is_frozen: The file is read without locks; what a run changes meanwhile may tear the reading.
        copy: A private copy is read, because the folder lets nobody see its last rows in place.
    """

    location: Path
    connection: sqlite3.Connection
    is_frozen: bool = False
    copy: TemporaryDirectory[str] | None = None

    def close(self) -> None:
        """Close the connection and remove the private copy, if there is one."""
        self.connection.close()
        if self.copy is not None:
            self.copy.cleanup()


def open_index(cache: str | Path) -> OpenIndex:
    """Open the index of a cache; never creates anything beside it.

    Raises:
        CacheNotFoundError: There is no such folder, it is a file, or no index is in it.
        CacheFormatError: The index is none, or of a newer format.
        DamagedIndexError: It cannot be read as one.
        StoreError: The index cannot be read, for want of permission or of room for a copy.
    """
    location = Path(os.path.abspath(cache))
    check_there(location)
    try:
        with translated(location):
            return _checked(_open(location))
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        raise StoreError(f"the index {index_path(location)} cannot be read: {error.strerror or error}") from error


def open_as_owner(cache: str | Path) -> OpenIndex:
    """Open the index of a cache of one's own: with SQLite's locks, and its helper files gone when it is closed.

    The last connection to a WAL index takes -wal and -shm away, if it may write; a connection that may only read
    would leave them behind. Where the cache cannot be written it is opened as by `open_index`, whose errors this
    raises too.
    """
    location = Path(os.path.abspath(cache))
    check_there(location)
    if living_holder(location) is not None:
        return open_index(cache)  # its close cannot take away what the holder writes into
    if not os.access(location, os.W_OK) or not os.access(index_path(location), os.W_OK):
        return open_index(cache)
    try:
        connection = _connect(index_path(location), "mode=rw")
        connection.execute("PRAGMA query_only = 1")
    except SQL_ERRORS:
        return open_index(cache)
    with translated(location):
        return _checked(OpenIndex(location, connection))


def _checked(index: OpenIndex) -> OpenIndex:
    try:
        _check_format(index.connection, index.location)
    except BaseException:
        index.close()
        raise
    return index


def living_holder(location: Path) -> Owner | None:
    """The process that writes an index at this moment, if that is another one; nothing of the index is touched.

    Whoever opens an index to write may, on closing, fold the log of a holder whose locks were dropped.
    """
    if not (location / f"{INDEX_NAME}-wal").exists():
        return None
    try:
        index = _open(location)
    except (OSError, *SQL_ERRORS):
        return None  # who opens it in earnest will say so
    try:
        row = index.connection.execute("SELECT owner, heartbeat FROM holder WHERE owner IS NOT NULL").fetchone()
        return None if row is None else living_owner(*row)
    except (ValueError, TypeError, *SQL_ERRORS):
        return None
    finally:
        index.close()


def check_there(location: Path) -> None:
    """Refuse what is no folder with an index in it, with what it is instead."""
    file = index_path(location)
    try:
        if not location.exists():
            raise CacheNotFoundError(f"no cache at {location}: there is no such folder")
        if not location.is_dir():
            raise CacheNotFoundError(f"no cache at {location}: it is a file; give the folder that holds {INDEX_NAME}")
        if not file.exists():
            raise CacheNotFoundError(f"no cache at {location}: the folder holds no {INDEX_NAME}")
        if not file.is_file():
            raise CacheFormatError(f"{file} is no index of ezpyp: it is not a file")
    except PermissionError as error:
        raise StoreError(f"the cache at {location} cannot be read: {error.strerror}") from error


def _open(location: Path) -> OpenIndex:
    file = index_path(location)
    wal, shm, journal = (file.with_name(INDEX_NAME + end) for end in ("-wal", "-shm", "-journal"))
    if wal.exists() and shm.exists():
        # Perhaps this very process writes: to open and close the file by hand would drop SQLite's locks on it.
        return OpenIndex(location, _connect(file, "mode=ro"))
    with file.open("rb") as head:
        is_wal = head.read(20)[18:19] == _WAL
    if is_wal and wal.exists() and wal.stat().st_size:
        return _open_copy(location, [file, wal])
    if is_wal:
        # Nobody writes: a writer would have made the -wal. The reader notices one that starts now.
        return OpenIndex(location, _connect(file, "mode=ro&immutable=1"), is_frozen=True)
    try:
        return OpenIndex(location, _connect(file, "mode=ro"))
    except sqlite3.OperationalError:
        # A writer died inside a commit: only somebody who may write can roll its journal back.
        if not journal.exists():
            raise
        return _open_copy(location, [file, journal])


def _open_copy(location: Path, files: list[Path]) -> OpenIndex:
    from tempfile import TemporaryDirectory  # 6 ms at import, and hardly ever needed

    folder = TemporaryDirectory(prefix="ezpyp-inspect-")
    try:
        for file in files:
            shutil.copyfile(file, Path(folder.name) / file.name)
        connection = _connect(Path(folder.name) / INDEX_NAME, "mode=rw")
        connection.execute("PRAGMA query_only = 1")
    except BaseException:
        folder.cleanup()
        raise
    return OpenIndex(location, connection, copy=folder)


def _connect(file: Path, options: str) -> sqlite3.Connection:
    # as_uri() quotes what a folder's name may hold: '?', '#', '%'. A Reader lets one thread in at a time.
    connection = sqlite3.connect(
        f"{file.as_uri()}?{options}", uri=True, timeout=READER_TIMEOUT_S, isolation_level=None, check_same_thread=False
    )
    try:
        # One transaction for all questions of a session: every query sees the same moment of a live run.
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except BaseException:
        connection.close()
        raise
    return connection
