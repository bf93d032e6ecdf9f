"""``log NAME``: output and traceback of a step."""

from collections.abc import Iterator

import click

from ezpyp.inspect.command import example, reads
from ezpyp.inspect.facts import Fact, error_of, live_run, state
from ezpyp.inspect.find import find_step, name_words
from ezpyp.inspect.output import PAGE, block, format_option, heading, moment, print_error, title, write_json_rows
from ezpyp.store.reader import Reader
from ezpyp.store.rows import StepView, View
from ezpyp.store.runs import output_of

_STREAMS = {"stdout": "Output", "stderr": "Error output", "log": "Log records"}


@click.command(epilog=example("cache log --failed"))
@name_words(required=False)
@click.option("--failed", is_flag=True, help="Of every step that failed.")
@click.option("--run", type=int, help="As it stood after this run.")
@format_option(*PAGE)
@reads
def log(reader: Reader, words: tuple[str, ...], failed: bool, run: int | None, form: str) -> None:
    """What a step said, and its traceback; or those of all that failed."""
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
        steps: Iterator[StepView] = iter([find_step(reader, words, view).step])
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
            "output": _output(reader, step),
        }


def _output(reader: Reader, step: StepView) -> Fact | None:
    """The output of the run that computed the step, which was an earlier one where it is cached."""
    run = step.run
    if step.cached:
        row = reader.one("SELECT run FROM results WHERE id = ?", [step.result_id])
        run = row[0] if row else None
    with reader.translated():
        output = output_of(reader.connection, step.step, run) if run else None
    if output is None:
        return None
    return {"run": run, **{name: getattr(output, name).decode("utf-8", "replace") for name in _STREAMS}}


def _print(row: Fact) -> None:
    where = f", rank {row['rank']} of {row['host']}" if row["rank"] is not None else ""
    ran = f" (run {row['run']}, {moment(row['started_at'])}{where})" if row["run"] else ", never run"
    title(row["name"], row["state"], ran)
    if row["output"] is None and row["error"] is None:
        click.echo("nothing was said")
    for name, label in _STREAMS.items():
        if row["output"] and row["output"][name]:
            heading(label)
            click.echo(block(row["output"][name]).rstrip("\n"))
    if row["error"] is not None:
        print_error(row["error"])
    click.echo()
