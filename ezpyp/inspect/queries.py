"""Questions that several verbs put to an index."""

import json
from dataclasses import dataclass, field
from typing import Any

import click

from ezpyp.store.reader import Reader, Value
from ezpyp.store.rows import Edge, Run, Status, View
from ezpyp.store.schema_rows import ALL_PRESENT, PRESENT

# Something ready for JSON, and as various.
Fact = dict[str, Any]


# Filters of ``steps`` as a condition in SQL.

# A step that ran when its run was killed has the same number as one that runs.
STATES = {status.word: status for status in Status} | {"killed": Status.RUNNING}
States = frozenset[str]


def states(ctx: click.Context, param: click.Parameter, text: str | None) -> States | None:
    """States of steps, asked for as words or numbers, several parted by commas; click calls it."""
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


# Counts of steps by phase and status.

# A status is looked up in one go, not joined: a third of the time.
STATUS = "(SELECT w.status FROM step_rows w WHERE w.step = s.id AND w.run <= :run ORDER BY w.run DESC LIMIT 1)"
COUNTS = (
    f"SELECT s.phase, coalesce({STATUS}, -1), count(*) FROM steps s WHERE {ALL_PRESENT} GROUP BY 1, 2 ORDER BY 1, 2"
)


@dataclass(slots=True)
class Phase:
    """One phase: how many steps are how."""

    phase: int
    counts: dict[Status, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All its steps."""
        return sum(self.counts.values())


def phases(reader: Reader, view: View) -> list[Phase]:
    """The phases of a view, lowest first."""
    found: dict[int, Phase] = {}
    for phase, status, number in reader.ask(COUNTS, {"run": view.run, "revision": view.revision}):
        found.setdefault(phase, Phase(phase)).counts[Status(status)] = number
    return list(found.values())


def phases_of_run(reader: Reader, run: Run) -> list[Phase]:
    """What a large run wrote down with its last rows, any run when it ended; nothing where neither is so."""
    (text,) = reader.must("SELECT phases FROM runs WHERE run = ?", [run.run])
    with reader.translated():
        return [
            Phase(int(phase), {Status(int(status)): int(number) for status, number in counts.items()})
            for phase, counts in reader.load(text).items()
        ]


# The dependencies of a view.


def edges_of(reader: Reader, view: View) -> list[Edge]:
    """All edges between steps of a view.

    A step that is in a revision has all its upstreams there: one key holds the others.
    """
    rows = reader.ask(
        "SELECT e.step, e.upstream, e.kind, e.slot FROM steps s JOIN step_edges e ON e.step = s.id"
        f" WHERE {PRESENT} ORDER BY e.step, e.ordinal",
        {"revision": view.revision},
    )
    return [Edge(*row) for row in rows]


# Upwards SQLite goes from edge to edge by itself: of a million steps, few are touched. Downwards there is no index,
# and its recursion would look at all edges again for each step of a chain (10,000 steps: minutes).
_UP = """
WITH RECURSIVE near(id) AS (VALUES (:step) UNION SELECT e.upstream FROM near JOIN step_edges e ON e.step = near.id)
SELECT e.step, e.upstream, e.kind, e.slot FROM near JOIN step_edges e ON e.step = near.id ORDER BY e.step, e.ordinal
"""
_DOWN = f"""
SELECT e.step, e.upstream, e.kind, e.slot FROM step_edges e JOIN steps s ON s.id = e.step
WHERE e.step IN (SELECT value FROM json_each(:steps)) AND {PRESENT} ORDER BY e.step, e.ordinal
"""


def reached_up(reader: Reader, step: int) -> list[Edge]:
    """All edges above a step, to the steps without upstream."""
    return [Edge(*row) for row in reader.ask(_UP, {"step": step})]


def reached_down(reader: Reader, view: View, step: int) -> list[Edge]:
    """All edges below a step that a view has."""
    below: dict[int, list[int]] = {}
    for lower, upper in reader.ask("SELECT step, upstream FROM step_edges"):
        below.setdefault(upper, []).append(lower)
    reached, level = {step}, {step}
    while level:
        level = {lower for upper in level for lower in below.get(upper, ())} - reached
        reached.update(level)
    rows = reader.ask(_DOWN, {"steps": json.dumps(sorted(reached)), "revision": view.revision})
    return [Edge(*row) for row in rows if row[1] in reached]
