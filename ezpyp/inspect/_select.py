"""Filters of ``steps`` as a condition in SQL."""

from dataclasses import dataclass

import click

from ezpyp.inspect._reader import Value
from ezpyp.inspect._rows import Status

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
