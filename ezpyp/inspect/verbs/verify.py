"""``verify``: whether everything is there and is what was stored."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import click

from ezpyp.errors import EzpypError
from ezpyp.inspect.checks import check, content_of_object, contradictions
from ezpyp.inspect.command import example, problem, reads
from ezpyp.inspect.output import Column, format_option, write_rows
from ezpyp.store.damage import mark_damage
from ezpyp.store.objects import ObjectStore
from ezpyp.store.reader import Reader
from ezpyp.store.results import has_checksum
from ezpyp.store.rows import StoredResult
from ezpyp.store.schema_rows import corrupt_steps

COLUMNS = (Column("what"), Column("name"), Column("reason"), Column("known"))
# The bytes of small results come along: asking for each by itself took three times as long.
RESULTS = f"""
SELECT r.origin IS NULL, r.payload, d.reason, {", ".join(f"r.{name}" for name in StoredResult._fields)}
FROM results r LEFT JOIN damages d ON d.result = r.id
"""


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not as it was stored.

    Args:
        what: "index", "step", "result", "function", "edge", "revision", "row", "trigger" or "view".
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
@format_option
@reads
def command(reader: Reader, quick: bool, repair: bool, form: str) -> None:
    """Check every row, object and digest.

    Exit code 1 when something is damaged. Nothing is changed, but with --repair a marker is left for each
    damaged result; the next run of the pipeline computes it anew.
    """
    results = _results(reader, quick=quick)
    found = [*_index(reader, quick=quick), *_steps(reader), *_others(reader), *(damage for _, damage in results)]
    if repair:
        for digest, damage in results:
            if not damage.known:
                mark_damage(reader.location, digest)
    rows = (asdict(damage) for damage in found)
    names = [field.name for field in fields(Damage)]
    write_rows(rows, COLUMNS, form, fields=names, empty=f"{_sum(reader)}: all as stored")
    if any(not damage.known for damage in found):
        problem()


def _sum(reader: Reader) -> str:
    counts = [reader.number(f"SELECT count(*) FROM {table}") for table in ("steps", "results", "runs")]
    return "{} steps, {} results, {} runs".format(*counts)


def _index(reader: Reader, *, quick: bool) -> Iterator[Damage]:
    # The quick one leaves out whether each index agrees with its table, which is most of the work.
    for (text,) in reader.ask("PRAGMA quick_check(20)" if quick else "PRAGMA integrity_check(20)"):
        if text != "ok":
            yield Damage("index", reader.file.name, text)


def _steps(reader: Reader) -> Iterator[Damage]:
    with reader.translated():
        unsound = corrupt_steps(reader.connection)
    for name in unsound.values():
        yield Damage("step", name, "its row has another checksum")


def _others(reader: Reader) -> Iterator[Damage]:
    with reader.translated():
        for kind, name, reason in contradictions(reader):
            yield Damage(kind, name, reason)


def _results(reader: Reader, *, quick: bool) -> list[tuple[bytes, Damage]]:
    """Damaged results, each with the digest that its row names."""
    damaged: list[tuple[StoredResult, str, bool]] = []
    for is_own, payload, known, *columns in reader.ask(RESULTS):
        row = StoredResult._make(columns)
        if reason := known or _reason(reader, row, payload, is_own=is_own, quick=quick):
            damaged.append((row, reason, known is not None))
    names = _names(reader, [row.id for row, _, _ in damaged])
    return [
        (row.digest, Damage("result", names.get(row.id, row.digest.hex()), reason, known=known))
        for row, reason, known in damaged
    ]


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
    try:
        if payload is not None:
            check(row.digest, row.size, payload)
        elif quick:
            return _look(ObjectStore(reader.location).path(row.digest, row.suffix), row.size)
        else:
            content_of_object(reader.location, row.digest, row.suffix, row.size)
    except EzpypError as error:
        return str(error)
    return None


def _look(path: Path, size: int) -> str | None:
    try:
        found = path.stat().st_size
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None if found == size else f"{path}: {found} bytes instead of {size}"
