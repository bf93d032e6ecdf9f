"""Opening ``ezpyp.sqlite``: to write it, or to read it wherever it lies."""

from __future__ import annotations

import contextlib
import os
import shlex
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

from ezpyp.errors import CacheFormatError, DamagedIndexError, StoreError
from ezpyp.store.tables import FORMAT, SCRIPT

INDEX_NAME = "ezpyp.sqlite"
_BUSY_TIMEOUT_S = 60.0
RECOVERY = "results under objects/ are untouched: keep a copy of the file and try sqlite3's '.recover'"


def index_path(location: Path) -> Path:
    """The index of a location."""
    return location / INDEX_NAME


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
            index_path(location), timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        try:
            _set_journal(connection, shared=shared)
            connection.execute(f"PRAGMA synchronous = {'FULL' if durable else 'NORMAL'}")
            connection.execute("PRAGMA recursive_triggers = ON")
            connection.execute("PRAGMA cache_size = -65536")
            _create_tables(connection)
            check_format(connection, location)
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
        if "locked" not in str(error):
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


def check_format(connection: sqlite3.Connection, location: Path) -> None:
    """Refuse an index that this version cannot read."""
    found = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'meta'").fetchone()
    row = connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone() if found else None
    if row is None:
        raise CacheFormatError(f"{index_path(location)} is an SQLite file, but no index of ezpyp")
    if not str(row[0]).isdecimal() or int(row[0]) > FORMAT:
        raise CacheFormatError(
            f"the cache at {location} has format {row[0]}; this ezpyp reads up to {FORMAT}: "
            f"install {version_to_install(connection)}"
        )


def version_to_install(connection: sqlite3.Connection) -> str:
    """Which ezpyp reads an index of a newer format: the one that ran there last, as far as that can be told."""
    try:
        row = connection.execute("SELECT ezpyp FROM runs ORDER BY run DESC LIMIT 1").fetchone()
    except sqlite3.Error:
        row = None
    return f"ezpyp {row[0]} or newer" if row and row[0] else "a newer ezpyp"


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One write transaction: all of its rows, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextlib.contextmanager
def translated(location: Path) -> Iterator[None]:
    """Turn what SQLite raises into errors of ours, in this one place."""
    try:
        yield
    except sqlite3.OperationalError as error:
        # A column or table that is not there, a text that is none: what SQLite reads is damaged.
        if str(error).startswith(("no such", "Could not decode")) or "has no column" in str(error):
            raise _malformed(location, error) from error
        raise StoreError(f"{index_path(location)}: {error}: {_advice(str(error))}") from error
    except (sqlite3.IntegrityError, sqlite3.ProgrammingError) as error:
        raise StoreError(
            f"{index_path(location)}: {error}: another process wrote there as well, or the index is damaged; nothing "
            f"was overwritten. `python -m ezpyp.inspect {shlex.quote(str(location))} verify` tells which; {RECOVERY}"
        ) from error
    except (sqlite3.DatabaseError, UnicodeDecodeError) as error:
        raise _malformed(location, error) from error


def _malformed(location: Path, error: Exception) -> DamagedIndexError:
    return DamagedIndexError(f"{index_path(location)} is damaged or no SQLite database ({error}); {RECOVERY}")


def _advice(message: str) -> str:
    if "locked" in message or "busy" in message:
        return "another program holds the index; close it and run again"
    if "full" in message:
        return "the disk is full; what was printed as [PASS] is kept, make room and run again"
    if "readonly" in message or "unable to open" in message:
        return "the location cannot be written; choose another, or read it with ezpyp.open_cache"
    if "I/O" in message:
        return "the disk, a quota or a limit on file sizes (ulimit -f) stops it; what was printed as [PASS] is kept"
    return "nothing was overwritten; run again once the cause is mended"


# Text that SQLite can take.


def storable(text: str) -> str:
    r"""Text without lone surrogates, which file names that are no UTF-8 bring into messages.

    Example:
        >>> print(storable("caf" + chr(0xDCE9)))
        caf\udce9
    """
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()
