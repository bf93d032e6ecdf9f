"""``verify``: is everything there, and as it was stored; ``trust``: may it be loaded."""

import json
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import click

from ezpyp.errors import EzpypError, StoreError
from ezpyp.inspect.command import example, problem, reads
from ezpyp.inspect.output import TABLE, Column, format_option, one_line, write_rows
from ezpyp.store.connection import check_there
from ezpyp.store.damage import mark_damage
from ezpyp.store.objects import FILE_SUFFIX, ObjectStore
from ezpyp.store.reader import Reader
from ezpyp.store.results import check_payload, has_checksum
from ezpyp.store.rows import StoredResult
from ezpyp.store.schema_rows import corrupt_steps
from ezpyp.store.tables import SCRIPT
from ezpyp.store.trust import trust_for_good

COLUMNS = (Column("what"), Column("name"), Column("reason"), Column("known"))
# The bytes of small results come along: asking for each by itself took three times as long.
RESULTS = f"""
SELECT r.origin IS NULL, r.payload, d.reason, {", ".join(f"r.{name}" for name in StoredResult._fields)}
FROM results r LEFT JOIN damages d ON d.result = r.id
"""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it was stored.

    Args:
        what: "index", "step", "result", "file", "function", "edge", "revision", "row", "trigger" or "view".
        name: Which one: the step's name where there is one.
        reason: What is wrong.
        known: It is on record already, so that the next run makes it again.
    """

    what: str
    name: str
    reason: str
    known: bool = False


@click.command(epilog=example("cache verify --quick"))
@click.option("--quick", is_flag=True, help="Leave out the digests of large results, and SQLite's longest check.")
@click.option("--repair", is_flag=True, help="Mark what is damaged, so that the next run makes it again.")
@format_option(*TABLE)
@reads
def verify(reader: Reader, quick: bool, repair: bool, form: str) -> None:
    """Check every row, object and digest.

    Exit code 1 when something is damaged. Nothing is changed, but with --repair a marker is left for each
    damaged result; the next run of the pipeline computes it anew.
    """
    results = _results(reader, quick=quick)
    files = _files(reader, quick=quick)
    damages = [damage for _, damage in (*results, *files)]
    found = [*_index(reader, quick=quick), *_steps(reader), *_others(reader), *damages]
    if repair:
        for digest, _ in files:
            ObjectStore(reader.location).set_aside(digest, FILE_SUFFIX)
        for digest, damage in results:
            if not damage.known:
                mark_damage(reader.location, digest)
    rows = (asdict(damage) for damage in found)
    names = [field.name for field in fields(Finding)]
    write_rows(rows, COLUMNS, form, fields=names, empty=f"{_sum(reader)}: all as stored")
    if any(not damage.known for damage in found):
        problem()


def _sum(reader: Reader) -> str:
    counts = [reader.number(f"SELECT count(*) FROM {table}") for table in ("steps", "results", "runs")]
    return "{} steps, {} results, {} runs".format(*counts)


def _index(reader: Reader, *, quick: bool) -> Iterator[Finding]:
    # The quick one leaves out whether each index agrees with its table, which is most of the work.
    for (text,) in reader.ask("PRAGMA quick_check(20)" if quick else "PRAGMA integrity_check(20)"):
        if text != "ok":
            yield Finding("index", reader.file.name, text)


def _steps(reader: Reader) -> Iterator[Finding]:
    with reader.translated():
        corrupt = corrupt_steps(reader.connection)
    for name in corrupt.values():
        yield Finding("step", name, "its row has another checksum")


def _others(reader: Reader) -> Iterator[Finding]:
    with reader.translated():
        for kind, name, reason in _contradictions(reader):
            yield Finding(kind, name, reason)


def _results(reader: Reader, *, quick: bool) -> list[tuple[bytes, Finding]]:
    """Damaged results, each with the digest that its row names."""
    damaged: list[tuple[StoredResult, str, bool]] = []
    for is_own, payload, known, *columns in reader.ask(RESULTS):
        row = StoredResult._make(columns)
        if reason := known or _reason(reader, row, payload, is_own=is_own, quick=quick):
            damaged.append((row, reason, known is not None))
    names = _names(reader, [row.id for row, _, _ in damaged])
    return [
        (row.digest, Finding("result", names.get(row.id, row.digest.hex()), reason, known=known))
        for row, reason, known in damaged
    ]


def _files(reader: Reader, *, quick: bool) -> list[tuple[bytes, Finding]]:
    """Contents of files that results name which are not in the store as they were."""
    found = []
    for path, digest, size in reader.ask("SELECT min(path), digest, size FROM result_files GROUP BY digest, size"):
        if reason := _object_reason(reader, digest, FILE_SUFFIX, size, quick=quick):
            found.append((digest, Finding("file", path, reason)))
    return found


def _names(reader: Reader, results: list[int]) -> dict[int, str]:
    """The first step of each result, in one walk over the rows: nothing leads from a result to its step."""
    query = (
        "SELECT w.result, s.name FROM step_rows w JOIN steps s ON s.id = w.step"
        " WHERE w.result IN (SELECT value FROM json_each(?)) ORDER BY w.step DESC"
    )
    return dict(reader.ask(query, [json.dumps(results)])) if results else {}


def _reason(reader: Reader, row: StoredResult, payload: bytes | None, *, is_own: bool, quick: bool) -> str | None:
    """What is wrong with the row of a result, or with its bytes."""
    if not has_checksum(row):
        return "its row has another checksum"
    if not is_own:
        return None
    if payload is None:
        return _object_reason(reader, row.digest, row.suffix, row.size, quick=quick)
    try:
        check_payload(row.digest.hex(), payload, row.digest, row.size)
    except EzpypError as error:
        return str(error)
    return None


def _object_reason(reader: Reader, digest: bytes, suffix: str, size: int, *, quick: bool) -> str | None:
    objects = ObjectStore(reader.location, trust=True)  # the bytes are only looked at
    if quick:
        return _look(objects.path(digest, suffix), size)
    try:
        objects.open(digest, suffix, size, verify=True)
    except EzpypError as error:
        return str(error)
    return None


def _look(path: Path, size: int) -> str | None:
    try:
        found = path.stat().st_size
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None if found == size else f"{path}: {found} bytes instead of {size}"


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


def _contradictions(reader: Reader) -> Iterator[tuple[str, str, str]]:
    """Rows without a checksum that do not agree with each other: kind, name, reason."""
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
            recorded = json.loads(zlib.decompress(identity))
            if source is not None:
                zlib.decompress(source)
        except (zlib.error, ValueError, TypeError) as error:
            yield "function", str(name), f"what was recorded of it cannot be read: {error}"
            continue
        values = [recorded.get(field) for field in ("qualname", "module", "line", "digest")]
        if values != [name, module, line, bytes(digest).hex()]:
            yield "function", str(name), "its row is not what was recorded of it"


@click.command(epilog=example("cache trust"))
@click.pass_obj
def trust(cache: str) -> None:
    """Allow loading results of a folder of somebody else.

    Loading a result can run code that was planted in it, so ezpyp refuses folders that belong to somebody
    else or that everybody may write. This says that you trust all who could have written this one. It is
    noted in a file of your own; the cache is not touched.
    """
    location = Path(cache).absolute()
    check_there(location)
    try:
        noted = trust_for_good(location)
    except (OSError, ValueError) as error:
        raise StoreError(f"{location} could not be noted as trusted: {error}") from error
    click.echo(one_line(f"{location} is trusted; noted in {noted}"))
