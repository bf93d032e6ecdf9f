"""Whether the rows that carry no checksum of their own agree with each other."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing

from ezpyp.inspect._reader import Reader
from ezpyp.store import EARLIER_VIEWS, FORMAT, SCRIPT

_FUNCTIONS = "SELECT name, module, line, digest, identity, source FROM functions"
# Of each pair of a step and what it needs: both are there, and the upstream lies below.
_EDGES = """
SELECT coalesce(s.name, 'step ' || e.step) FROM step_edges e
LEFT JOIN steps s ON s.id = e.step LEFT JOIN steps u ON u.id = e.upstream
WHERE s.id IS NULL OR u.id IS NULL OR u.phase >= s.phase
"""
_CHANGES = """
SELECT coalesce(s.name, 'step ' || c.step) FROM schema_changes c
LEFT JOIN steps s ON s.id = c.step LEFT JOIN revisions r ON r.revision = c.revision
WHERE s.id IS NULL OR r.revision IS NULL OR c.present NOT IN (0, 1)
"""
_COUNTS = """
SELECT r.revision FROM revisions r WHERE r.revision = (SELECT max(revision) FROM revisions)
AND r.steps <> (SELECT count(*) FROM schema_now)
"""
_ROWS = """
SELECT coalesce(s.name, 'step ' || w.step) FROM step_rows w LEFT JOIN steps s ON s.id = w.step
LEFT JOIN runs r ON r.run = w.run LEFT JOIN results q ON q.id = w.result
WHERE s.id IS NULL OR r.run IS NULL OR w.status NOT IN (-2, -1, 0, 1, 2) OR (w.status = 0 AND q.key IS NOT s.key)
"""


def contradictions(reader: Reader) -> Iterator[tuple[str, str, str]]:
    """What of the index is not as ezpyp writes it: kind, name, reason."""
    yield from _scheme(reader)
    yield from _functions(reader)
    for query, kind, reason in (
        (_EDGES, "edge", "what it needs is not below it"),
        (_CHANGES, "revision", "its row of the schema leads nowhere"),
        (_ROWS, "row", "its row of a run leads nowhere, or to the result of another step"),
    ):
        for (name,) in reader.ask(query):
            yield kind, name, reason
    for (revision,) in reader.ask(_COUNTS):
        yield "revision", f"revision {revision}", "it has another number of steps than was recorded"


def _scheme(reader: Reader) -> Iterator[tuple[str, str, str]]:
    """Tables, triggers and views, word by word; an older format had others."""
    if reader.meta().get("format") != str(FORMAT):
        return
    query = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('trigger', 'view')"
    there = {(kind, name): sql for kind, name, sql in reader.ask(query)}
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCRIPT)
        made = {(kind, name): sql for kind, name, sql in fresh.execute(query)}
    for (kind, name), sql in made.items():
        if there.get((kind, name)) not in (sql, *EARLIER_VIEWS):
            yield kind, name, "it is not as ezpyp makes it"


def _functions(reader: Reader) -> Iterator[tuple[str, str, str]]:
    for name, module, line, digest, identity, source in reader.ask(_FUNCTIONS):
        try:
            told = json.loads(zlib.decompress(identity))
            if source is not None:
                zlib.decompress(source)
        except (zlib.error, ValueError, TypeError) as error:
            yield "function", str(name), f"what was recorded of it cannot be read: {error}"
            continue
        recorded = told.get("qualname"), told.get("module"), told.get("line"), told.get("digest")
        if recorded != (name, module, line, bytes(digest).hex()):
            yield "function", str(name), "its row is not what was recorded of it"
