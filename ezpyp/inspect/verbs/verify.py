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
    """One thing that is not as it was stored; what is known already is made again by the next run."""

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
    results, files = _results(reader, quick=quick), _files(reader, quick=quick)
    found = [*_rows_alone(reader, quick=quick), *(damage for _, damage in (*results, *files))]
    if repair:
        for digest, _ in files:
            ObjectStore(reader.location).set_aside(digest, FILE_SUFFIX)
        for digest, damage in results:
            if not damage.known:
                mark_damage(reader.location, digest)
    rows = (asdict(damage) for damage in found)
    names = [field.name for field in fields(Finding)]
    counts = [f"{reader.number(f'SELECT count(*) FROM {what}')} {what}" for what in ("steps", "results", "runs")]
    write_rows(rows, COLUMNS, form, fields=names, empty=f"{', '.join(counts)}: all as stored")
    if any(not damage.known for damage in found):
        problem()


def _rows_alone(reader: Reader, *, quick: bool) -> Iterator[Finding]:
    """What SQLite and the rows say by themselves."""
    # The quick one leaves out whether each index agrees with its table, which is most of the work.
    for (text,) in reader.ask("PRAGMA quick_check(20)" if quick else "PRAGMA integrity_check(20)"):
        if text != "ok":
            yield Finding("index", reader.file.name, text)
    with reader.translated():
        for name in corrupt_steps(reader.connection).values():
            yield Finding("step", name, "its row has another checksum")
        yield from _scheme(reader)
        yield from _functions(reader)
    for kind, reason, query in CONTRADICTIONS:
        for (name,) in reader.ask(query):
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
    path = objects.path(digest, suffix)
    try:
        if not quick:
            objects.open(digest, suffix, size, verify=True)
        elif (found := path.stat().st_size) != size:
            return f"{path}: {found} bytes instead of {size}"
    except EzpypError as error:
        return str(error)
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None


# Rows without a checksum that do not agree with each other: kind, reason, names.
CONTRADICTIONS = (
    ("edge", "what it needs is not below it", """
        SELECT coalesce(s.name, 'step ' || e.step) FROM step_edges e
        LEFT JOIN steps s ON s.id = e.step LEFT JOIN steps u ON u.id = e.upstream
        WHERE s.id IS NULL OR u.id IS NULL OR u.phase >= s.phase
    """),
    ("revision", "its row of the schema leads nowhere", """
        SELECT coalesce(s.name, 'step ' || c.step) FROM schema_changes c
        LEFT JOIN steps s ON s.id = c.step LEFT JOIN revisions r ON r.revision = c.revision
        WHERE s.id IS NULL OR r.revision IS NULL OR c.present NOT IN (0, 1)
    """),
    ("row", "its row of a run leads nowhere, or to the result of another step", """
        SELECT coalesce(s.name, 'step ' || w.step) FROM step_rows w LEFT JOIN steps s ON s.id = w.step
        LEFT JOIN runs r ON r.run = w.run LEFT JOIN results q ON q.id = w.result
        WHERE s.id IS NULL OR r.run IS NULL OR w.status NOT IN (-2, -1, 0, 1, 2)
        OR (w.status = 0 AND q.key IS NOT s.key)
    """),
    ("revision", "it has another number of steps than was recorded", """
        SELECT 'revision ' || revision FROM revisions WHERE revision = (SELECT max(revision) FROM revisions)
        AND steps <> (SELECT count(*) FROM schema_now)
    """),
)  # fmt: skip


def _scheme(reader: Reader) -> Iterator[Finding]:
    """Triggers and views, word by word."""
    query = "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND type IN ('trigger', 'view')"
    there = {(kind, name): sql for kind, name, sql in reader.ask(query)}
    with closing(sqlite3.connect(":memory:")) as fresh:
        fresh.executescript(SCRIPT)
        made = {(kind, name): sql for kind, name, sql in fresh.execute(query)}
    for (kind, name), sql in made.items():
        if there.get((kind, name)) != sql:
            yield Finding(kind, name, "it is not as ezpyp makes it")


def _functions(reader: Reader) -> Iterator[Finding]:
    query = "SELECT name, module, line, digest, identity, source FROM functions"
    for name, module, line, digest, identity, source in reader.ask(query):
        try:
            recorded = json.loads(zlib.decompress(identity))
            if source is not None:
                zlib.decompress(source)
        except (zlib.error, ValueError, TypeError) as error:
            yield Finding("function", str(name), f"what was recorded of it cannot be read: {error}")
            continue
        values = [recorded.get(field) for field in ("qualname", "module", "line", "digest")]
        if values != [name, module, line, bytes(digest).hex()]:
            yield Finding("function", str(name), "its row is not what was recorded of it")


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
