"""The bytes of results, checked against their digests; never unpickled."""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from xxhash import xxh3_128_digest

from ezpyp.errors import DamagedResultError
from ezpyp.store.objects import ObjectStore
from ezpyp.store.reader import Reader
from ezpyp.store.tables import SCRIPT


def content(reader: Reader, result: int) -> tuple[memoryview, str]:
    """The bytes of a result, and how the name of a file of that codec ends.

    Raises:
        DamagedResultError: They are missing, or not those that were stored.
    """
    digest, suffix, size, payload = reader.must(
        "SELECT o.digest, o.suffix, o.size, o.payload FROM results r"
        " JOIN results o ON o.id = coalesce(r.origin, r.id) WHERE r.id = ?",
        [result],
    )
    if payload is None:
        return content_of_object(reader.location, digest, suffix, size), suffix
    check(digest, size, payload)
    return memoryview(payload), suffix


def content_of_object(location: Path, digest: bytes, suffix: str, size: int) -> memoryview:
    """The bytes of a file under ``objects``."""
    # Trusted, since the bytes are only looked at; what refuses untrusted folders is loading.
    return ObjectStore(location, trust=True).open(digest, suffix, size, verify=True)


def check(digest: bytes, size: int, payload: bytes) -> None:
    """Refuse bytes of the index that are not those that were stored."""
    if len(payload) != size:
        reason = f"{len(payload)} bytes instead of {size}"
    elif xxh3_128_digest(payload) != digest:
        reason = "its bytes have another digest"
    else:
        return
    raise DamagedResultError(f"the result {digest.hex()} in the index is damaged: {reason}", digest=digest.hex())


# Whether the rows that carry no checksum of their own agree with each other.

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
    """Triggers and views, word by word."""
    query = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('trigger', 'view')"
    there = {(kind, name): sql for kind, name, sql in reader.ask(query)}
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCRIPT)
        made = {(kind, name): sql for kind, name, sql in fresh.execute(query)}
    for (kind, name), sql in made.items():
        if there.get((kind, name)) != sql:
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
