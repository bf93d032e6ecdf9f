"""``pipeline.summary``: the last run, for people, from the very view that holds it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

from ezpyp.schema import excerpt, rest_of

_COLUMNS = ("name", "args", "kwargs", "phase", "status", "result")


def summary_text(connection: sqlite3.Connection, location: Path, *, ok: bool) -> str:
    """The outcome on one line, then a row a step in columns that line up; of very many what went wrong, and some."""
    rows = connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM summary").fetchall()
    not_done = [position for position, row in enumerate(rows) if row[4] != 0]
    shown = excerpt([row[3] for row in rows], first=not_done)
    lines = [
        f"Pipeline {'Completed' if ok else 'Failed'} @ {location}",
        *_table([rows[position] for position in shown]),
    ]
    if len(shown) < len(rows):
        lines.append(f"and {rest_of(len(rows) - len(shown), str(location))}")
    return "\n".join(lines) + "\n"


def _table(rows: Sequence[Sequence[object]]) -> Iterator[str]:
    table = [_COLUMNS, *((*row[:3], str(row[3]), str(row[4]), row[5] or "") for row in rows)]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    pattern = "  ".join(f"%-{width}s" for width in widths[:-1]) + "  %s"
    return ((pattern % row).rstrip() for row in table)
