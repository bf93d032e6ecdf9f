"""``timeline``: which rank did what when."""

import shutil
from collections.abc import Iterable
from dataclasses import asdict

import click

from ezpyp.inspect.command import example, reads
from ezpyp.inspect.facts import Holder, end_of, holder, with_truth
from ezpyp.inspect.output import Column, count, duration, format_option, one_line, write_rows
from ezpyp.inspect.svg.timeline import Lane, bars_of, efficiency, lanes_of, merged, picture
from ezpyp.store.reader import Reader
from ezpyp.store.rows import RunView

SHADES = " ▁▂▃▄▅▆▇█"
WIDEST, MOST_LANES = 120, 64
FIELDS = ("name", "function", "status", "rank", "host", "start", "seconds")
# The finest that either picture can show, in parts of the whole time.
CELLS = 960


@click.command(epilog=example("cache timeline --format svg > timeline.svg"))
@click.option("--run", type=int, help="Of this run; by default the last that computed something.")
@format_option("table", "svg", "json", "csv")
@reads
def timeline(reader: Reader, run: int | None, form: str) -> None:
    """Which rank did what when, and how well they were used.

    In the table a column is dark where the rank worked all the time; svg has a bar a step. JSON and CSV have
    one row a step: its start counts in seconds from the start of the run.
    """
    held = holder(reader)
    found = _run(reader, run, held)
    finish = end_of(reader, found, held) if found else 0.0
    if form in ("json", "csv"):
        bars = bars_of(reader, found, finish) if found else iter(())
        write_rows(map(asdict, bars), [Column("name")], form, fields=FIELDS)
        return
    if found is None:
        click.echo("no run yet", err=form == "svg")
        return
    wall = finish - found.started_at
    lanes = lanes_of(found, bars_of(reader, found, finish, wall / CELLS))
    title = _title(found, lanes, wall)
    for line in picture(lanes, wall, title) if form == "svg" else _text(title, lanes, wall):
        click.echo(line)


def _run(reader: Reader, number: int | None, held: Holder | None) -> RunView | None:
    """The run that is asked for, with the truth about its end."""
    if number is None:
        number = reader.number("SELECT max(run) FROM step_rows WHERE cached = 0 AND rank IS NOT NULL") or None
    run = reader.run(reader.view(run=number).run or None)
    return with_truth(run, held) if run else None


def _title(run: RunView, lanes: list[Lane], wall: float) -> str:
    steps = sum(bar.steps for lane in lanes for bar in lane.bars)
    took = f"{'at least ' if run.status == 'killed' else ''}{duration(wall)}"
    return (
        f"Run {run.run}: {run.status}, {count(steps, 'step')} on {count(run.ranks, 'rank')} in {took}"
        f"{f', efficiency {efficiency(lanes, wall):.0%}' if steps else ', nothing was computed'}"
    )


def _text(title: str, lanes: list[Lane], wall: float) -> Iterable[str]:
    yield title
    if not wall or not any(lane.bars for lane in lanes):
        return
    shown = merged(lanes, MOST_LANES)
    labels = [one_line(lane.label) for lane in shown]
    left = max(map(len, labels))
    room = max(10, min(WIDEST, shutil.get_terminal_size().columns) - left - 9)
    for label, lane in zip(labels, shown, strict=True):
        yield f"{label:<{left}} |{_shaded(lane, wall, room)}| {lane.busy / wall:4.0%}"
    yield f"{'':<{left}}  0{duration(wall):>{room - 1}}"
    busy = sum(bar.seconds for lane in lanes for bar in lane.bars)
    yield f"{duration(busy)} of work; idle: {duration(max(0.0, wall * len(lanes) - busy))} of all ranks together"


def _shaded(lane: Lane, wall: float, room: int) -> str:
    """The share of each column of time in which a rank worked, as a block of that height."""
    cell, shares = wall / room, [0.0] * room
    for bar in lane.bars:
        first = min(room - 1, max(0, int(bar.start / cell)))
        last = min(room - 1, max(0, int(bar.finish / cell)))
        busy = bar.seconds / ((bar.finish - bar.start) or 1.0)
        for column in range(first, last + 1):
            begin, end = max(bar.start, column * cell), min(bar.finish, (column + 1) * cell)
            shares[column] += busy * max(0.0, end - begin) / cell / len(lane.ranks)
    # A step too short for the eye still leaves a mark.
    return "".join(SHADES[min(8, max(round(share * 8), int(share > 0)))] for share in shares)
