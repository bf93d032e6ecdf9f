"""``verify``: whether everything is there and is what was stored."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import click

from ezpyp.errors import EzpypError
from ezpyp.inspect._output import Column, format_option, write_rows
from ezpyp.inspect._reader import Reader
from ezpyp.inspect._results import content
from ezpyp.inspect._verb import problem, reads
from ezpyp.store import Sealed, has_checksum, mark_damage, step_checksum

COLUMNS = (Column("what"), Column("name"), Column("reason"), Column("known"))


@dataclass(frozen=True, slots=True)
class Damage:
    """One thing that is not as it was stored.

    Args:
        what: "index", "step" or "result".
        name: Which one: the step's name where there is one.
        reason: What is wrong.
        known: It is on record already, so that the next run makes it again.
    """

    what: str
    name: str
    reason: str
    known: bool = False


@click.command(epilog="Example: python -m ezpyp.inspect cache verify --quick")
@click.option("--quick", is_flag=True, help="Leave out the digests of large results.")
@click.option("--repair", is_flag=True, help="Mark what is damaged, so that the next run makes it again.")
@format_option
@reads
def command(reader: Reader, quick: bool, repair: bool, form: str) -> None:
    """Check every row, object and digest.

    Exit code 1 when something is damaged. Nothing is changed, but with --repair a marker is left for each
    damaged result; the next run of the pipeline computes it anew.
    """
    results = list(_results(reader, quick=quick))
    found = [*_index(reader), *_steps(reader), *(damage for _, damage in results)]
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


def _index(reader: Reader) -> Iterator[Damage]:
    for (text,) in reader.ask("PRAGMA integrity_check(20)"):
        if text != "ok":
            yield Damage("index", reader.file.name, text)


def _steps(reader: Reader) -> Iterator[Damage]:
    for name, key, checksum in reader.ask("SELECT name, key, checksum FROM steps"):
        if step_checksum(name, key) != checksum:
            yield Damage("step", name, "its row has another checksum")


def _results(reader: Reader, *, quick: bool) -> Iterator[tuple[bytes, Damage]]:
    """Damaged results, each with the digest that its row names."""
    rows = reader.ask(
        "WITH made AS (SELECT w.result, min(w.step) AS step FROM step_rows w GROUP BY w.result)"
        " SELECT r.id, r.key, r.input_key, r.value_digest, r.digest, r.codec, r.checksum, d.reason,"
        " r.payload IS NULL, r.origin IS NULL, r.size, r.codec_version, r.suffix,"
        " coalesce(s.name, lower(hex(r.digest)))"
        " FROM results r LEFT JOIN damages d ON d.result = r.id LEFT JOIN made m ON m.result = r.id"
        " LEFT JOIN steps s ON s.id = m.step"
    )
    for (
        id_,
        key,
        input_key,
        value,
        digest,
        codec,
        checksum,
        known,
        is_file,
        is_own,
        size,
        version,
        suffix,
        name,
    ) in rows:
        if known is not None:
            yield digest, Damage("result", name, known, known=True)
        elif not has_checksum(checksum, Sealed(key, input_key, value, digest, codec, size, version, suffix)):
            yield digest, Damage("result", name, "its row has another checksum")
        elif is_own and (reason := _reason(reader, id_, (digest, suffix, size), is_file=is_file, quick=quick)):
            yield digest, Damage("result", name, reason)


def _reason(reader: Reader, result: int, stored: tuple[bytes, str, int], *, is_file: bool, quick: bool) -> str | None:
    """What is wrong with the bytes of a result."""
    if quick and is_file:
        digest, suffix, size = stored
        path = reader.object_path(digest.hex(), suffix, is_file=True)
        return _look(path, size)
    try:
        content(reader, result)
    except EzpypError as error:
        return str(error)
    return None


def _look(path: str, size: int) -> str | None:
    try:
        found = Path(path).stat().st_size
    except OSError as error:
        return f"{path}: {error.strerror}"
    return None if found == size else f"{path}: {found} bytes instead of {size}"
