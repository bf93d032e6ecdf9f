"""Bars that are narrower than a pixel, summed up: each column of pixels has its share of every function's work."""

from collections.abc import Iterable
from dataclasses import dataclass

from ezpyp.inspect._lanes import Bar
from ezpyp.inspect._rows import Status


@dataclass(slots=True)
class Part:
    """What one function did in one column of pixels.

    Args:
        first: One of its bars.
        pixels: How wide all its bars are there, one beside the other; 1 fills the column.
        steps: How many steps begin there.
        seconds: How long those took.
    """

    first: Bar
    pixels: float = 0.0
    steps: int = 0
    seconds: float = 0.0


# Column -> whether it failed, and the function -> what it did.
Columns = dict[int, dict[tuple[bool, str], Part]]


def parted(bars: Iterable[Bar], scale: float, room: int) -> tuple[list[Bar], Columns]:
    """The bars that can be seen by themselves, and the columns of all others.

    Args:
        bars: In order of their start.
        scale: Pixels in a second.
        room: Number of columns; what ends behind them belongs to the last.
    """
    seen: list[Bar] = []
    columns: Columns = {}
    for bar in bars:
        if bar.steps == 1 and (bar.finish - bar.start) * scale >= 1.0:
            seen.append(bar)
        else:
            _add(columns, bar, scale, room - 1)
    return seen, columns


def _add(columns: Columns, bar: Bar, scale: float, last: int) -> None:
    start, finish = bar.start * scale, bar.finish * scale
    column, border = min(last, int(start)), min(last, int(start)) + 1.0
    beyond = (finish - border) / (finish - start) if finish > border and column < last else 0.0
    kind = bar.status == Status.FAILED, bar.function
    part = columns.setdefault(column, {}).setdefault(kind, Part(bar))
    part.pixels += bar.seconds * scale * (1.0 - beyond)
    part.steps += bar.steps
    part.seconds += bar.seconds
    if beyond:
        columns.setdefault(column + 1, {}).setdefault(kind, Part(bar)).pixels += bar.seconds * scale * beyond
