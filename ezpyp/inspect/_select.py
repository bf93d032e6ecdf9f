"""Filters of ``steps`` as a condition in SQL."""

from dataclasses import dataclass

import click

from ezpyp.inspect._reader import Value
from ezpyp.inspect._rows import Status


def statuses(ctx: click.Context, param: click.Parameter, text: str | None) -> list[Status] | None:
    """Statuses as words or numbers, several parted by commas; click calls it."""
    return None if text is None else [_status(word.strip(), ctx, param) for word in text.split(",")]


def _status(word: str, ctx: click.Context, param: click.Parameter) -> Status:
    for status in Status:
        if word.lower() in (status.word, str(int(status))):
            return status
    known = ", ".join(f"{status.word} ({status:d})" for status in Status)
    raise click.BadParameter(f"{word!r} is no status; there are {known}", ctx, param)


@dataclass(slots=True)
class Where:
    """A condition that grows; values never stand in its text."""

    text: str
    values: dict[str, Value]

    def add(self, condition: str, **values: Value) -> None:
        """One more condition that must hold."""
        self.text += f"{' AND ' if self.text else ''}({condition})"
        self.values |= values


def glob(pattern: str) -> str:
    """A pattern for SQLite's GLOB, in which brackets are literal as they are in names.

    Example:
        >>> glob("alpha[x=*]")
        'alpha[[]x=*]'
    """
    return pattern.replace("[", "[[]")
