"""``du``: what takes the space."""

import os
from contextlib import suppress
from pathlib import Path

import click

from ezpyp.inspect.command import example, reads
from ezpyp.inspect.output import TABLE, Column, count, format_option, size, write_rows
from ezpyp.store.reader import Reader
from ezpyp.store.schema_rows import PRESENT

# A file that several results share is counted once, for the first of them. The rows are grouped by result
# before they are joined: nothing else than a result's number leads to its step, and that has no index.
OWNED = """
WITH owned AS (SELECT min(r.id) AS id, r.size, r.payload IS NULL AS is_file, r.codec, 1 AS is_result FROM results r
    WHERE r.origin IS NULL GROUP BY CASE WHEN r.payload IS NULL THEN r.digest ELSE r.id END
    UNION ALL SELECT min(f.result), f.size, 1, 'file', 0 FROM result_files f GROUP BY f.digest),
made AS (SELECT w.result, min(w.step) AS step FROM step_rows w WHERE w.result IS NOT NULL GROUP BY w.result)
SELECT {by}, sum(q.is_result), sum(q.size), sum(q.is_file), max(q.size)
FROM owned q LEFT JOIN made m ON m.result = q.id
LEFT JOIN steps s ON s.id = m.step LEFT JOIN functions f ON f.id = s.function GROUP BY 1 ORDER BY 3 DESC, 1
"""
BY = {
    "function": "f.name",
    "step": "s.name",
    "phase": "s.phase",
    "codec": "q.codec",
    "revision": "(SELECT max(c.revision) FROM schema_changes c WHERE c.step = s.id AND c.present = 1)",
    "kept": f"CASE WHEN {PRESENT} THEN 'newest revision' ELSE 'earlier revisions' END",
}
FIELDS = ("what", "results", "bytes", "files", "largest")


@click.command(epilog=example("cache du --by step --limit 10"))
@format_option(*TABLE)
@click.option("--by", type=click.Choice(list(BY)), default="function", show_default=True, help="What to sum up.")
@click.option("--limit", type=click.IntRange(1), metavar="N", help="Only the N largest.")
@reads
def du(reader: Reader, form: str, by: str, limit: int | None) -> None:
    """What takes the space, by function, step, phase or revision."""
    query = OWNED.format(by=BY[by]) + (f"LIMIT {limit}" if limit else "")
    rows = (dict(zip(FIELDS, row, strict=True)) for row in reader.ask(query, {"revision": reader.view().revision}))
    columns = (
        Column("what", title=by),
        Column("results", is_number=True),
        Column("bytes", size, is_number=True, title="size"),
        Column("files", is_number=True),
        Column("largest", size, is_number=True),
    )
    write_rows(rows, columns, form, fields=FIELDS, empty="no results")
    if form == "table":
        files, total = tree_size(reader.location / "objects")
        click.echo(f"\nindex {size(index_size(reader.location))}, {count(files, 'object file')} of {size(total)}")


def index_size(location: Path) -> int:
    """Bytes of the index and its journals; what vanishes meanwhile does not count."""
    total = 0
    for file in location.glob("ezpyp.sqlite*"):
        with suppress(OSError):
            total += file.stat().st_size
    return total


def tree_size(folder: Path) -> tuple[int, int]:
    """Files below a folder and their bytes; what vanishes meanwhile does not count."""
    files = total = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):
                total += (Path(root) / name).lstat().st_size
                files += 1
    return files, total
