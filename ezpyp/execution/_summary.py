"""``pipeline.summary``: the last run, for people, from the very view that holds it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_COLUMNS = ("name", "args", "kwargs", "phase", "status", "result")


def summary_text(connection: sqlite3.Connection, location: Path, *, ok: bool) -> str:
    """The outcome on one line, then a row a step in columns that line up."""
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM summary").fetchall()
    table = [_COLUMNS, *((*row[:3], str(row[3]), str(row[4]), row[5] or "") for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    pattern = "  ".join(f"%-{width}s" for width in widths[:-1]) + "  %s"
    lines = [(pattern % row).rstrip() for row in table]
    return f"Pipeline {'Completed' if ok else 'Failed'} @ {location}\n" + "\n".join(lines) + "\n"
