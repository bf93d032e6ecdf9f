"""``sql QUERY``: any question, in SQL."""

import sqlite3

import click

from ezpyp.inspect.command import CommandError, example, reads
from ezpyp.inspect.output import TABLE, Column, format_option, write_rows
from ezpyp.store.reader import Reader

ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
READING_PRAGMAS = {"table_info", "table_xinfo", "table_list", "index_list", "index_info", "database_list"}
# What is not the fault of the query: the reader reports it.
OF_THE_INDEX = {
    sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_INTERRUPT, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_BUSY
}  # fmt: skip


@click.command(epilog=example("cache sql 'SELECT name, seconds FROM latest'"))
@click.argument("query")
@format_option(*TABLE)
@reads
def sql(reader: Reader, query: str, form: str) -> None:
    """Any question in SQL; it can only read.

    Views for it: latest (how every step stands), summary (the columns of
    pipeline.summary), failures, timeline, edges; docs/views.md has their columns.
    In Python: ezpyp.open_cache(CACHE).database.query(QUERY).
    """
    # 200 ms at import, which no other verb should pay.
    from sqlite_utils import Database
    from sqlite_utils.utils import dedupe_keys

    reader.connection.set_authorizer(_authorize)
    database = Database(reader.connection, recursive_triggers=False, execute_plugins=False)
    with reader.translated():
        try:
            cursor = database.execute(query)
            if cursor.description is None:
                raise CommandError("SQL: there is no query in it")
            names = dedupe_keys(column[0] for column in cursor.description)
            rows = (dict(zip(names, map(_plain, row), strict=True)) for row in cursor)
            write_rows(rows, [Column(name) for name in names], form, fields=names)
        except (sqlite3.Error, sqlite3.Warning, UnicodeError) as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in OF_THE_INDEX:
                raise
            is_refused = "not authorized" in str(error) or "prohibited" in str(error)
            raise CommandError(f"SQL: {'only queries that read are allowed here' if is_refused else error}") from error


def _authorize(action: int, first: str | None, second: str | None, *_: str | None) -> int:
    """Nothing but reading: ``mode=ro`` alone would let ATTACH create another file."""
    if action in ALLOWED and not (action == sqlite3.SQLITE_FUNCTION and second == "load_extension"):
        return sqlite3.SQLITE_OK
    if action == sqlite3.SQLITE_PRAGMA and first in READING_PRAGMAS:
        return sqlite3.SQLITE_OK
    return sqlite3.SQLITE_DENY


def _plain(value: object) -> object:
    return value.hex() if isinstance(value, bytes) else value
