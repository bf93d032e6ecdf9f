"""Older indexes: brought to today's format by the first job that writes, after a copy was put beside them.

What a format added is found by comparing the index with a fresh one, and added as it stands there: columns (at the end,
NULL in older rows), tables, indexes, triggers; the views are made anew, a table may be renamed. No row is touched,
so that the guards of the append-only tables stay on all the while, and an index of 10^6 steps takes hardly longer than
a small one. All is one transaction: a kill at any instant leaves the old format or the new one. (sqlite-utils'
``transform`` would copy each table, drop its triggers, and commit on its own.)
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from itertools import count
from pathlib import Path

from ezpyp.errors import StoreError
from ezpyp.store.connection import index_path, transaction
from ezpyp.store.tables import FORMAT, RENAMED, SCRIPT, has_todays_views, renew_views


def format_of(connection: sqlite3.Connection) -> int:
    """Number of the format of an index that `check_format` let pass."""
    return int(connection.execute("SELECT value FROM meta WHERE name = 'format'").fetchone()[0])


def migrate(connection: sqlite3.Connection, location: Path, check: Callable[[], None]) -> None:
    """Bring an index to today's format, and its views to today's; nothing where it has them already.

    Args:
        connection: The writing connection of the job that holds the location.
        location: Folder of the cache.
        check: Inside the transaction: raises when the location is held by somebody else by now.

    Raises:
        StoreError: There is no room for the copy.
    """
    found = format_of(connection)
    if found >= FORMAT:
        if not has_todays_views(connection):
            with transaction(connection):
                check()
                renew_views(connection)
        return
    _back_up(connection, location, found)
    with transaction(connection), closing(sqlite3.connect(":memory:")) as fresh:
        check()
        fresh.executescript(SCRIPT)
        _add_what_is_missing(connection, fresh)
        connection.execute("UPDATE meta SET value = ? WHERE name = 'format'", (str(FORMAT),))


def _back_up(connection: sqlite3.Connection, location: Path, found: int) -> None:
    """Copy the index beside itself; the name appears once the copy is whole, and no older copy is overwritten."""
    name = f"{index_path(location).name}.format{found}.backup"
    temporary = location / f".{name}.{os.getpid()}"
    try:
        _copy(connection, temporary)
        for target in (location / (name if number == 1 else f"{name}.{number}") for number in count(1)):
            if not target.exists():
                # Only the holder of the location comes here: nobody makes the name in between.
                temporary.rename(target)
                return
    except (OSError, sqlite3.Error) as error:
        raise StoreError(
            f"the index at {location} is of format {found}, and no copy of it can be made before it is brought to "
            f"format {FORMAT}: {error}. Nothing was changed: make room, and run again"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _copy(connection: sqlite3.Connection, path: Path) -> None:
    with closing(sqlite3.connect(path)) as copy:
        connection.backup(copy)
        # By itself the copy is in WAL mode like its origin, and would need two more files to be opened.
        copy.execute("PRAGMA journal_mode = DELETE")
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _add_what_is_missing(old: sqlite3.Connection, fresh: sqlite3.Connection) -> None:
    _rename(old)
    there = _objects(old)
    for name, (kind, _) in there.items():
        if kind == "view":
            old.execute(f"DROP VIEW {name}")
        elif kind == "table":
            _add_columns(old, fresh, name)
    for name, (kind, sql) in _objects(fresh).items():
        if kind == "view" or name not in there:
            old.execute(sql)


def _rename(old: sqlite3.Connection) -> None:
    """Give tables their new names; their guards are made anew under names of their own."""
    there = _objects(old)
    for before, after in RENAMED.items():
        if there.get(before, ("",))[0] == "table":
            old.execute(f"ALTER TABLE {before} RENAME TO {after}")
            for name, (kind, _) in there.items():
                if kind == "trigger" and name.startswith(f"{before}_no_"):
                    old.execute(f"DROP TRIGGER {name}")


def _objects(connection: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    """Name -> type and SQL of all that the script made; a table stands before what refers to it."""
    rows = connection.execute("SELECT name, type, sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid")
    return {name: (kind, sql) for name, kind, sql in rows}


def _add_columns(old: sqlite3.Connection, fresh: sqlite3.Connection, table: str) -> None:
    query = 'SELECT name, type, "notnull", dflt_value FROM pragma_table_info(?)'
    known = {row[0] for row in old.execute(query, (table,))}
    for name, kind, is_needed, default in fresh.execute(query, (table,)).fetchall():
        if name not in known:
            rest = f" NOT NULL DEFAULT {default}" if is_needed else "" if default is None else f" DEFAULT {default}"
            old.execute(f"ALTER TABLE {table} ADD COLUMN {name} {kind}{rest}")


# Reading an index of an older format: views of the connection's own give its tables and views today's names.


def show_as_today(connection: sqlite3.Connection) -> None:
    """Make queries for today's tables, columns and views work on an older index that is open for reading."""
    is_guarded = connection.execute("PRAGMA query_only").fetchone()[0]
    connection.execute("PRAGMA query_only = 0")
    there = {name for (name,) in connection.execute("SELECT name FROM main.sqlite_master WHERE type = 'table'")}
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCRIPT)
        for old, new in RENAMED.items():
            if old in there and new not in there:
                connection.execute(f"CREATE TEMP VIEW {new} AS SELECT * FROM main.{old}")
        for table in _names(fresh, "table") - there - set(RENAMED.values()):
            nulls = ", ".join(f"NULL AS {column}" for column in sorted(_columns(fresh, table)))
            connection.execute(f"CREATE TEMP VIEW {table} AS SELECT {nulls} WHERE 0")
        for table in there & _names(fresh, "table"):
            if missing := _columns(fresh, table) - _columns(connection, table):
                nulls = ", ".join(f"NULL AS {column}" for column in sorted(missing))
                connection.execute(f"CREATE TEMP VIEW {table} AS SELECT *, {nulls} FROM main.{table}")
        for (sql,) in fresh.execute("SELECT sql FROM sqlite_master WHERE type = 'view' ORDER BY rowid"):
            connection.execute(sql.replace("CREATE VIEW", "CREATE TEMP VIEW", 1))
    connection.execute(f"PRAGMA query_only = {is_guarded}")


def _names(connection: sqlite3.Connection, kind: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = ?", (kind,))}


def _columns(connection: sqlite3.Connection, table: str) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?, 'main')", (table,))}
