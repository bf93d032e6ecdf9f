"""``log NAME``: what a step left behind in words."""

from collections.abc import Iterator

import click

from ezpyp.inspect._facts import Fact, error_of
from ezpyp.inspect._find import find_step, name_words
from ezpyp.inspect._liveness import live_run, state
from ezpyp.inspect._output import write_json_rows
from ezpyp.inspect._page import code, error_heading, title
from ezpyp.inspect._reader import Reader
from ezpyp.inspect._rows import StepRow, View
from ezpyp.inspect._text import moment
from ezpyp.inspect._verb import reads


@click.command(epilog="Example: python -m ezpyp.inspect cache log --failed")
@name_words(required=False)
@click.option("--failed", is_flag=True, help="Of every step that failed.")
@click.option("--run", type=int, help="As it stood after this run.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Text or JSON rows.")
@reads
def command(reader: Reader, words: tuple[str, ...], failed: bool, run: int | None, form: str) -> None:
    """Traceback of a step, or of all that failed."""
    if failed == bool(words):
        raise click.UsageError("give either a NAME or --failed")
    view = reader.view(run=run)
    rows = _rows(reader, view, words)
    if form == "json":
        write_json_rows(rows)
        return
    number = 0
    for number, row in enumerate(rows, 1):  # noqa: B007 - counts
        _print(row)
    if not number:
        click.echo("no step failed")


def _rows(reader: Reader, view: View, words: tuple[str, ...]) -> Iterator[Fact]:
    live = live_run(reader)
    if words:
        steps: Iterator[StepRow] = iter([find_step(reader, words, view).step])
    else:
        steps = reader.steps(view, "w.status = 1", have_run=True)
    for step in steps:
        yield {
            "name": step.name,
            "status": int(step.status),
            "state": state(step, live),
            "run": step.run,
            "started_at": step.started_at,
            "rank": step.rank,
            "host": step.host,
            "error": error_of(reader, step),
        }


def _print(row: Fact) -> None:
    where = f", rank {row['rank']} of {row['host']}" if row["rank"] is not None else ""
    ran = f" (run {row['run']}, {moment(row['started_at'])}{where})" if row["run"] else ", never run"
    title(row["name"], row["state"], ran)
    error = row["error"]
    if error is None:
        click.echo("nothing was recorded")
    else:
        error_heading(error)
        if error["traceback"]:
            code(error["traceback"], "pytb")
    click.echo()
