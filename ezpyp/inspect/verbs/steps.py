"""``steps``: the steps of a cache, filtered and sorted."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import click

from ezpyp.inspect.command import example, reads
from ezpyp.inspect.facts import live_run, state
from ezpyp.inspect.output import Column, Row, duration, format_option, write_rows
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
States = frozenset[str]


def states(ctx: click.Context, param: click.Parameter, text: str | None) -> States | None:
    """States of steps from an option: words or numbers, separated by commas."""
    if text is None:
        return None
    return frozenset(state for word in text.split(",") for state in _states(word.strip().lower(), ctx, param))


def _states(word: str, ctx: click.Context, param: click.Parameter) -> list[str]:
    found = [state for state, status in STATES.items() if word in (state, str(int(status)))]
    if not found:
        known = ", ".join(f"{state} ({status:d})" for state, status in STATES.items())
        raise click.BadParameter(f"{word!r} is no status; there are {known}", ctx, param)
    return found


@dataclass(slots=True)
class Where:
    """A condition that grows; values never stand in its text."""

    text: str
    values: dict[str, Value]

    def add(self, condition: str, **values: Value) -> None:
        """One more condition that must hold."""
        self.text += f"{' AND ' if self.text else ''}({condition})"
        self.values |= values


def add_states(where: Where, asked: States, live: int | None) -> None:
    """Only steps that stand in one of these ways; ``live`` is the run that goes on."""
    found = {STATES[state] for state in asked}
    numbers = ", ".join(str(int(status)) for status in sorted(found))
    # `<> 0` is how the partial index says it: SQLite uses it only where it reads the same words.
    is_few = not {Status.PENDING, Status.DONE} & found
    where.add(f"w.status <> 0 AND w.status IN ({numbers})" if is_few else f"coalesce(w.status, -1) IN ({numbers})")
    if len(asked & {"running", "killed"}) == 1:
        is_live = "IS" if "running" in asked else "IS NOT"
        where.add(f"coalesce(w.status, -1) <> -2 OR w.run {is_live} :live", live=live)


def glob(pattern: str) -> str:
    """A pattern for SQLite's GLOB, in which brackets are literal as they are in names.

    Example:
        >>> glob("alpha[x=*]")
        'alpha[[]x=*]'
    """
    return pattern.replace("[", "[[]")


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
def steps(
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
