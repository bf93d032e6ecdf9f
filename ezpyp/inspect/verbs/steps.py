"""``steps``: the steps of a cache, filtered and sorted."""

from collections.abc import Iterator

import click

from ezpyp.inspect.command import example, reads
from ezpyp.inspect.facts import live_run, state
from ezpyp.inspect.output import TABLE, Column, Row, duration, format_option, write_rows
from ezpyp.store.reader import DECLARED, FUNCTION, Reader, Value
from ezpyp.store.rows import Status, StepView

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


# A step that ran when its run was killed has the same number as one that runs.
STATES = {status.word: status for status in Status} | {"killed": Status.RUNNING}


def states(ctx: click.Context, param: click.Parameter, text: str | None) -> frozenset[str] | None:
    """States of steps from an option: words or numbers, separated by commas."""
    found: set[str] = set()
    for word in [] if text is None else text.lower().split(","):
        meant = {state for state, status in STATES.items() if word.strip() in (state, str(int(status)))}
        if not meant:
            known = ", ".join(f"{state} ({status:d})" for state, status in STATES.items())
            raise click.BadParameter(f"{word.strip()!r} is no status; there are {known}", ctx, param)
        found |= meant
    return frozenset(found) if found else None


def _in_states(asked: frozenset[str]) -> Iterator[str]:
    """The conditions for steps that stand in one of these ways."""
    found = {STATES[state] for state in asked}
    numbers = ", ".join(str(int(status)) for status in sorted(found))
    # `<> 0` is how the partial index says it: SQLite uses it only where it reads the same words.
    is_few = not {Status.PENDING, Status.DONE} & found
    yield f"w.status <> 0 AND w.status IN ({numbers})" if is_few else f"coalesce(w.status, -1) IN ({numbers})"
    if len(asked & {"running", "killed"}) == 1:
        yield f"(coalesce(w.status, -1) <> -2 OR w.run {'IS' if 'running' in asked else 'IS NOT'} :live)"


def glob(pattern: str) -> str:
    """A pattern for SQLite's GLOB, in which brackets are literal as they are in names."""
    return pattern.replace("[", "[[]")


CONDITIONS = {
    "phase": "s.phase = :phase",
    "name": "s.name GLOB :name",
    "function": f"{FUNCTION} GLOB :function",
    "slower_than": "w.seconds > :slower_than",
}


@click.command(epilog=example("cache steps --status failed,killed --sort name"))
@format_option(*TABLE)
@click.option(
    "--status", metavar="STATUS", callback=states, help="done 0, failed 1, skipped 2, pending -1, running -2, killed."
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
def steps(
    reader: Reader,
    form: str,
    *,
    status: frozenset[str] | None,
    sort: str,
    reverse: bool,
    limit: int | None,
    run: int | None,
    revision: int | None,
    **filters: Value,
) -> None:
    """Steps: what became of each, how long it took, its result."""
    view = reader.view(run=run, revision=revision)
    live = live_run(reader)
    given = {name: glob(value) if isinstance(value, str) else value for name, value in filters.items()
             if value is not None}  # fmt: skip
    where = " AND ".join([*(_in_states(status) if status else ()), *(CONDITIONS[name] for name in given)])
    rows = reader.steps(
        view,
        where,
        given | {"live": live},
        order=tuple(f"{column} DESC" for column in SORTS[sort]) if reverse else SORTS[sort],
        limit=limit,
        have_run=status is not None and "pending" not in status,
    )
    empty = "no such steps" if where else "no steps"
    write_rows((_row(step, live) for step in rows), COLUMNS, form, fields=FIELDS, empty=empty)


def _row(step: StepView, live: int | None) -> Row:
    """A step for output; ``state`` is the status for people."""
    row: dict[str, object] = {field: getattr(step, field) for field in FIELDS}
    return row | {"status": int(step.status), "state": state(step, live)}
