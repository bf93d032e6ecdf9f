"""``runs``: every run of a cache."""

from dataclasses import asdict, fields

import click

from ezpyp.inspect.command import example, reads
from ezpyp.inspect.liveness import holder, with_truth
from ezpyp.inspect.output import Column, format_option, write_rows
from ezpyp.inspect.text import duration, moment
from ezpyp.store.reader import Reader
from ezpyp.store.rows import Run

COLUMNS = (
    Column("run", is_number=True),
    Column("revision", is_number=True),
    Column("status"),
    Column("started_at", moment, title="started"),
    Column("seconds", duration, is_number=True, title="took"),
    Column("total", is_number=True),
    Column("cached", is_number=True),
    Column("done", is_number=True),
    Column("failed", is_number=True),
    Column("skipped", is_number=True),
    Column("ranks", is_number=True),
    Column("host"),
    Column("command"),
)


@click.command(epilog=example("cache runs --format json"))
@format_option
@reads
def command(reader: Reader, form: str) -> None:
    """Every run: when, how long, how it ended.

    A run that is recorded as running while its process is gone was killed. JSON and CSV also have who ran it,
    where, with which Python, and the batch job.
    """
    runs = with_truth(reader.runs(), holder(reader))
    write_rows(map(asdict, runs), COLUMNS, form, fields=[f.name for f in fields(Run)], empty="no run yet")
