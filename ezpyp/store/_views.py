"""The views of an index: they hold no rows, so those of an earlier ezpyp are simply made anew."""

from __future__ import annotations

import re
import sqlite3
from functools import cache

from ezpyp.store._tables import VIEWS


@cache
def _todays() -> dict[str, str]:
    """Name -> statement, as SQLite keeps it."""
    return {found[1]: found[0] for found in re.finditer(r"CREATE VIEW (\w+) AS.*?(?=;\n)", VIEWS, re.DOTALL)}


def has_todays_views(connection: sqlite3.Connection) -> bool:
    """Whether all views of an index are as this version makes them, word by word."""
    there = dict(connection.execute("SELECT name, sql FROM main.sqlite_master WHERE type = 'view'"))
    return _todays().items() <= there.items()


def renew_views(connection: sqlite3.Connection) -> None:
    """Make our views anew, inside a transaction of the caller's; those that others made stay."""
    for name in _todays():
        connection.execute(f"DROP VIEW IF EXISTS {name}")
    for statement in _todays().values():
        connection.execute(statement)
