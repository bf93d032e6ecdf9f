"""``timeline``: which rank did what when."""

import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, fields

import click

from ezpyp.inspect._liveness import holder, with_truth
from ezpyp.inspect._output import Column, format_option, write_rows
from ezpyp.inspect._reader import Reader
from ezpyp.inspect._rows import Run, Status
from ezpyp.inspect._text import count, duration, one_line
from ezpyp.inspect._verb import reads

SHADES = " ▁▂▃▄▅▆▇█"
WIDEST = 120


@dataclass(frozen=True, slots=True)
class Bar:
    """One step on its rank; ``start`` counts from the start of the run."""

    name: str
    status: int
    rank: int
    host: str
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Lane:
    """What one rank did."""

    rank: int
    host: str
    bars: tuple[Bar, ...] = ()

    @property
    def busy(self) -> float:
        """Seconds in which it worked."""
        return sum(bar.seconds for bar in self.bars)


@click.command(epilog="Example: python -m ezpyp.inspect cache timeline --run 3")
@click.option("--run", type=int, help="Of this run; by default the last.")
@format_option
@reads
def command(reader: Reader, run: int | None, form: str) -> None:
    """Which rank did what when, and how well they were used.

    A column is dark where the rank worked all the time. JSON and CSV have one row a step.
    """
    number = reader.view(run=run).run
    found = reader.run(number) if number else None
    if found is None:
        click.echo("no run yet" if form == "table" else "[]")
        return
    found = with_truth([found], holder(reader))[0]
    bars = list(_bars(reader, found))
    if form == "table":
        _draw(found, bars)
    else:
        rows = (asdict(bar) for bar in bars)
        write_rows(rows, [Column("name")], form, fields=[field.name for field in fields(Bar)])


def _bars(reader: Reader, run: Run) -> Iterator[Bar]:
    rows = reader.ask(
        "SELECT s.name, w.status, w.rank, w.host, w.started_at - ?, w.seconds FROM step_rows w"
        " JOIN steps s ON s.id = w.step WHERE w.run = ? AND w.cached = 0 AND w.rank IS NOT NULL"
        " AND w.started_at IS NOT NULL AND (w.seconds IS NOT NULL OR w.status = ?) ORDER BY w.started_at",
        [run.started_at, run.run, int(Status.RUNNING)],
    )
    now = run.seconds
    for name, status, rank, host, start, seconds in rows:
        yield Bar(name, status, rank, host or "", start, seconds if seconds is not None else now or 0.0)


def _draw(run: Run, bars: list[Bar]) -> None:
    wall = run.seconds or max((bar.start + bar.seconds for bar in bars), default=0.0)
    lanes = _lanes(run, bars)
    click.echo(
        f"Run {run.run}: {run.status}, {count(len(bars), 'step')} on {count(run.ranks, 'rank')} in {duration(wall)}"
    )
    if not bars or not wall:
        return
    labels = [f"rank {lane.rank} {one_line(lane.host)}" for lane in lanes]
    left = max(map(len, labels))
    room = min(WIDEST, shutil.get_terminal_size().columns) - left - 9
    for label, lane in zip(labels, lanes, strict=True):
        click.echo(f"{label:<{left}} |{_shaded(lane.bars, wall, max(room, 10))}| {lane.busy / wall:4.0%}")
    busy = sum(lane.busy for lane in lanes)
    efficiency = busy / (wall * len(lanes))
    click.echo(f"efficiency {efficiency:.0%}: {duration(busy)} of work in {duration(wall)} on each rank")


def _lanes(run: Run, bars: Iterable[Bar]) -> list[Lane]:
    """One lane a rank, also for a rank that did nothing: idle time is what one looks for."""
    found: dict[int, list[Bar]] = {rank: [] for rank in range(run.ranks)}
    for bar in bars:
        found.setdefault(bar.rank, []).append(bar)
    return [
        Lane(rank, found[rank][0].host if found[rank] else run.host or "", tuple(found[rank])) for rank in sorted(found)
    ]


def _shaded(bars: Iterable[Bar], wall: float, room: int) -> str:
    """The share of each column of time in which a rank worked, as a block of that height."""
    cell, shares = wall / room, [0.0] * room
    for bar in bars:
        first = min(room - 1, max(0, int(bar.start / cell)))
        last = min(room - 1, max(0, int((bar.start + bar.seconds) / cell)))
        for column in range(first, last + 1):
            begin, end = max(bar.start, column * cell), min(bar.start + bar.seconds, (column + 1) * cell)
            shares[column] += max(0.0, end - begin) / cell
    # A step too short for the eye still leaves a mark.
    return "".join(SHADES[min(8, max(round(share * 8), int(share > 0)))] for share in shares)
