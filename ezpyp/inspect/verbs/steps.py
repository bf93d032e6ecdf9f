"""``steps``: the steps of a cache, filtered and sorted."""

from collections.abc import Iterable, Iterator

import click

from ezpyp.inspect.command import example, reads
from ezpyp.inspect.liveness import live_run, state
from ezpyp.inspect.output import Column, Row, format_option, write_rows
from ezpyp.inspect.queries import Where, add_states, glob, states
from ezpyp.inspect.text import duration
from ezpyp.store.reader import DECLARED, FUNCTION, Reader
from ezpyp.store.rows import StepView

COLUMNS = (
    Column("name"),
    Column("phase", is_number=True),
    Column("state", title="status"),
    Column("cached", lambda cached: "yes" if cached else "no"),
    Column("seconds", duration, is_number=True, title="took"),
    Column("rank", is_number=True),
    Column("host"),
    Column("args"),
    Column("kwargs"),
    Column("result"),
)
FIELDS = (
    "name", "phase", "status", "cached", "key", "function", "args", "kwargs", "result", "seconds", "rank",
    "host", "codec", "run", "started_at", "reason",
)  # fmt: skip
SORTS = {
    "phase": DECLARED,
    "name": ("s.name",),
    "status": ("coalesce(w.status, -1)", *DECLARED),
    "function": (FUNCTION, *DECLARED),
    "seconds": ("w.seconds", "s.id"),
    "rank": ("w.rank", *DECLARED),
    "started": ("w.started_at", "s.id"),
}


@click.command(epilog=example("cache steps --status failed,killed --sort name"))
@format_option
@click.option(
    "--status",
    metavar="STATUS",
    callback=states,
    help="done 0, failed 1, skipped 2, pending -1, running -2, killed.",
)
@click.option("--phase", type=int, help="Only this phase.")
@click.option("--name", metavar="GLOB", help="Only these names; brackets are literal.")
@click.option("--function", metavar="GLOB", help="Only steps of these functions.")
@click.option("--slower-than", type=float, metavar="SECONDS", help="Only steps that took longer.")
@click.option("--sort", type=click.Choice(list(SORTS)), default="phase", show_default=True, help="Order.")
@click.option("--reverse", is_flag=True, help="The other way round: largest, slowest, last first.")
@click.option("--limit", type=click.IntRange(0), metavar="N", help="At most N steps.")
@click.option("--run", type=int, help="As they stood after this run.")
@click.option("--revision", type=int, help="Those of this revision of the schema.")
@reads
def command(
    reader: Reader, form: str, *, run: int | None, revision: int | None, limit: int | None, **filters: object
) -> None:
    """Steps: what became of each, how long it took, its result."""
    view = reader.view(run=run, revision=revision)
    live = live_run(reader)
    where = _where(filters, live)
    order = SORTS[str(filters["sort"])]
    if filters["reverse"]:
        order = tuple(f"{column} DESC" for column in order)
    asked = filters["status"]
    have_run = isinstance(asked, frozenset) and "pending" not in asked
    rows = reader.steps(view, where.text, where.values, order=order, limit=limit, have_run=have_run)
    write_rows(
        as_rows(rows, live),
        COLUMNS,
        form,
        fields=FIELDS,
        empty="no such steps" if where.text else "no steps",
    )


def _where(filters: dict[str, object], live: int | None) -> Where:
    where = Where("", {})
    if isinstance(asked := filters["status"], frozenset):
        add_states(where, asked, live)
    if isinstance(phase := filters["phase"], int):
        where.add("s.phase = :phase", phase=phase)
    if isinstance(name := filters["name"], str):
        where.add("s.name GLOB :name", name=glob(name))
    if isinstance(function := filters["function"], str):
        where.add(f"{FUNCTION} GLOB :function", function=glob(function))
    if isinstance(slower_than := filters["slower_than"], float):
        where.add("w.seconds > :slower_than", slower_than=slower_than)
    return where


def as_rows(steps: Iterable[StepView], live: int | None) -> Iterator[Row]:
    """Steps as rows for output; ``state`` is the status for people."""
    for step in steps:
        row: dict[str, object] = {field: getattr(step, field) for field in FIELDS}
        yield row | {"status": int(step.status), "state": state(step, live)}
