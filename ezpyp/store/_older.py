"""Reading an index of an older format: views of the connection's own give its tables and views today's names.

They live in SQLite's temporary schema, so that the file stays as it is; migration (`ezpyp.store._migrations`) is for
the job that writes.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

from ezpyp.store._tables import RENAMED, SCRIPT


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
