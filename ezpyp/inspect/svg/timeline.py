"""The timeline as a picture: a lane a rank, a bar a step, idle time hatched."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from math import log10
from operator import itemgetter

from ezpyp.inspect.output import duration, one_line
from ezpyp.inspect.svg.picture import FAINT, FILLS, OTHERS, SERIES, Picture, elided, text_width
from ezpyp.store.reader import Reader, Value
from ezpyp.store.rows import RunView, Status

# A step that did not end has no seconds, and lasts as long as its run is known to have lasted.
COMPUTED = """
SELECT w.step, w.status, w.rank, coalesce(w.host, '') AS host, w.started_at - :start AS start,
    coalesce(w.seconds, max(0.0, :finish - w.started_at)) AS seconds
FROM step_rows w WHERE w.run = :run AND w.cached = 0 AND w.rank IS NOT NULL
    AND w.started_at IS NOT NULL AND (w.seconds IS NOT NULL OR w.status = :running)
"""
# A million bars cannot be seen: steps of one function that lie in one cell of time become one bar, which SQLite does
# in a tenth of the time that reading them would take. Without a cell (NULL / anything is NULL) each is its own.
SHORT = "cast(start / :cell AS int) = cast((start + seconds) / :cell AS int)"
BARS = f"""
WITH computed AS ({COMPUTED})
SELECT s.name, f.name, b.status, b.rank, b.host, b.start, b.seconds, b.finish, b.steps FROM (
    SELECT step, status, rank, host, start, seconds, start + seconds AS finish, 1 AS steps FROM computed
    WHERE ({SHORT}) IS NOT 1
UNION ALL
    SELECT c.step, c.status, c.rank, c.host, min(c.start), sum(c.seconds), max(c.start + c.seconds), count(*)
    FROM computed c CROSS JOIN steps s ON s.id = c.step WHERE {SHORT}
    GROUP BY c.rank, cast(c.start / :cell AS int), s.function, c.status
) b JOIN steps s ON s.id = b.step JOIN functions f ON f.id = s.function ORDER BY b.start
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One step on its rank, or several of one function that are too short to be seen apart, with the name of one.

    Times count from the start of the run; ``seconds`` are those in which the rank worked.
    """

    name: str
    function: str
    status: int
    rank: int
    host: str
    start: float
    seconds: float
    finish: float
    steps: int


@dataclass(frozen=True, slots=True)
class Lane:
    """What one rank did, or several ranks that are shown as one."""

    ranks: tuple[int, ...]
    host: str
    bars: tuple[Bar, ...] = ()

    @property
    def busy(self) -> float:
        """Seconds in which one of its ranks worked, on average."""
        return sum(bar.seconds for bar in self.bars) / len(self.ranks)

    @property
    def label(self) -> str:
        """Which ranks, and where."""
        first, last = self.ranks[0], self.ranks[-1]
        return f"rank {first} {self.host}" if first == last else f"ranks {first}-{last}"


def bars_of(reader: Reader, run: RunView, finish: float, cell: float | None = None) -> Iterator[Bar]:
    """The steps that a run computed, in order of their start; those that did not end last until ``finish``.

    Several short steps of one function that start within ``cell`` seconds become one bar.
    """
    values: dict[str, Value] = {"start": run.started_at, "finish": finish, "cell": cell}
    for row in reader.ask(BARS, values | {"run": run.run, "running": int(Status.RUNNING)}):
        yield Bar(*row)


def lanes_of(run: RunView, bars: Iterable[Bar]) -> list[Lane]:
    """One lane a rank, also for a rank that did nothing: idle time is what one looks for."""
    found: dict[int, list[Bar]] = {rank: [] for rank in range(run.ranks)}
    for bar in bars:
        found.setdefault(bar.rank, []).append(bar)
    hosts = {rank: found[rank][0].host if found[rank] else run.host or "" for rank in found}
    return [Lane((rank,), hosts[rank], tuple(found[rank])) for rank in sorted(found)]


def merged(lanes: Sequence[Lane], most: int) -> list[Lane]:
    """At most so many lanes: neighbours become one where there are more."""
    size = max(1, -(-len(lanes) // most))
    groups = [lanes[start : start + size] for start in range(0, len(lanes), size)]
    return [
        Lane(
            tuple(rank for lane in group for rank in lane.ranks),
            group[0].host,
            tuple(bar for lane in group for bar in lane.bars),
        )
        for group in groups
    ]


def efficiency(lanes: Sequence[Lane], wall: float) -> float:
    """The share of all ranks' time in which they worked; 1 when no rank was ever idle."""
    ranks = sum(len(lane.ranks) for lane in lanes)
    return sum(lane.busy * len(lane.ranks) for lane in lanes) / (wall * ranks) if wall and ranks else 0.0


# Bars that are narrower than a pixel, summed up: each column of pixels has its share of every function's work.


@dataclass(slots=True)
class Share:
    """What one function did in one column of pixels: how wide its bars are there, and the steps that begin there."""

    first: Bar
    pixels: float = 0.0
    steps: int = 0
    seconds: float = 0.0


# Column -> whether it failed, and the function -> what it did.
Columns = dict[int, dict[tuple[bool, str], Share]]


def parted(bars: Iterable[Bar], scale: float, room: int) -> tuple[list[Bar], Columns]:
    """The bars that can be seen by themselves, and the columns of all others; ``scale`` is pixels in a second."""
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
    part = columns.setdefault(column, {}).setdefault(kind, Share(bar))
    part.pixels += bar.seconds * scale * (1.0 - beyond)
    part.steps += bar.steps
    part.seconds += bar.seconds
    if beyond:
        columns.setdefault(column + 1, {}).setdefault(kind, Share(bar)).pixels += bar.seconds * scale * beyond


MARGIN, TOP, ROOM = 24.0, 84.0, 960.0
HIGHEST_LANE, LOWEST_LANE, ROOM_FOR_LANES, MOST_LANES = 26.0, 5.0, 640.0, 128
LONGEST_NAME = 30
# A step too short for the eye still leaves a mark of so many pixels.
THINNEST = 0.6
# Seconds in a unit, its name, and from how many seconds on the axis has it.
UNITS = ((3600, "h", 18_000), (60, "min", 600), (1, "s", 0))
HATCH = (
    '<defs><pattern id="idle" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect width="6" height="6" fill="#f6f8fa"/><path d="M0,0 V6" stroke="#dde2e7" stroke-width="2"/></pattern></defs>'
)


def picture(lanes: Sequence[Lane], wall: float, title: str) -> Iterable[str]:
    """The lines of an SVG file."""
    shown = merged(lanes, MOST_LANES)
    pitch = min(HIGHEST_LANE, max(LOWEST_LANE, ROOM_FOR_LANES / max(1, len(shown))))
    labels = [elided(one_line(lane.label), LONGEST_NAME) for lane in shown]
    left = MARGIN + max((text_width(label, 11) for label in labels), default=0.0) + 10
    colours = _colours(lanes)
    drawn = Picture([HATCH])
    drawn.write(MARGIN, 26, title, size=14, style='font-weight="bold"')
    bottom = TOP + pitch * len(shown)
    _draw_axis(drawn, left, bottom, wall)
    for number, (lane, label) in enumerate(zip(shown, labels, strict=True)):
        y = TOP + number * pitch
        # Labels need 12 pixels; of narrower lanes some keep theirs.
        if number % max(1, round(12 / pitch)) == 0:
            drawn.write(MARGIN, y + pitch / 2, label, size=11)
            drawn.write(left + ROOM + 8, y + pitch / 2, f"{lane.busy / wall if wall else 0:4.0%}", size=11, fill=FAINT)
        drawn.box(left, y + pitch * 0.08, (ROOM, pitch * 0.84), "url(#idle)")
        _draw_bars(drawn, lane, (left, y + pitch * 0.08, pitch * 0.84), wall, colours)
    end = drawn.legend(MARGIN, 54, _legend(colours, lanes))
    wide = max(left + ROOM + 56, end, MARGIN + text_width(title, 14) + MARGIN)
    return drawn.file(wide, bottom + 36, title)


def _colours(lanes: Sequence[Lane]) -> dict[str, str]:
    """A colour for each of the functions that took the most time; the rest are grey."""
    seconds: dict[str, float] = {}
    for bar in (bar for lane in lanes for bar in lane.bars):
        seconds[bar.function] = seconds.get(bar.function, 0.0) + bar.seconds
    return dict(zip(sorted(seconds, key=lambda name: -seconds[name]), SERIES, strict=False))


def _legend(colours: dict[str, str], lanes: Sequence[Lane]) -> list[tuple[str, str]]:
    entries = [(fill, elided(one_line(name), LONGEST_NAME)) for name, fill in colours.items()]
    bars = [bar for lane in lanes for bar in lane.bars]
    if any(bar.function not in colours for bar in bars):
        entries.append((OTHERS, "other functions"))
    if any(bar.status == Status.FAILED for bar in bars):
        entries.append((FILLS["failed"][1], "failed"))
    return [*entries, ("url(#idle)", "idle")]


def _draw_axis(drawn: Picture, left: float, bottom: float, wall: float) -> None:
    """A line and its time at round numbers."""
    unit, word = next((unit, word) for unit, word, least in UNITS if wall >= least)
    for moment in _round_times(wall / unit):
        x = left + ROOM * moment * unit / wall
        drawn.line(f"M{x:.1f},{TOP - 4:.1f} V{bottom + 4:.1f}")
        drawn.write(x, bottom + 16, f"{moment:g} {word}", size=10, fill=FAINT, style='text-anchor="middle"')


def _round_times(wall: float) -> Iterator[float]:
    """Five to ten round numbers from 0 to at most ``wall``, none where that is 0."""
    if wall <= 0:
        return
    decade = 10.0 ** int(log10(wall) - (wall < 1))
    step = next(size * decade for size in (0.1, 0.2, 0.5, 1.0, 2.0) if wall / (size * decade) <= 10)
    for number in range(int(wall / step * (1 + 1e-9)) + 1):
        yield round(number * step, 9)


def _draw_bars(
    drawn: Picture, lane: Lane, place: tuple[float, float, float], wall: float, colours: dict[str, str]
) -> None:
    """The bars of a lane; what is narrower than a pixel takes its share of one's height, and the rest shows as idle."""
    left, y, high = place
    seen, columns = parted(lane.bars, ROOM / wall, int(ROOM))
    opacity = f' fill-opacity="{max(0.15, 1 / len(lane.ranks)):.2f}"' if len(lane.ranks) > 1 else ""
    for bar in seen:
        start, end = (min(ROOM, moment * ROOM / wall) for moment in (bar.start, bar.finish))
        fill = _fill(bar.function, bar.status == Status.FAILED, colours)
        # A white edge keeps neighbours apart, but would swallow a narrow bar.
        edge = 'stroke="#ffffff" stroke-width="0.8"' if end - start >= 4 else ""
        tip = f"{bar.name}: {duration(bar.seconds)}"
        drawn.box(left + start, y, (end - start, high), fill, style=edge + opacity, tip=tip)
    for column, parts in columns.items():
        foot, a_rank = y + high, high / len(lane.ranks)
        stretch = max(1.0, THINNEST / (a_rank * sum(part.pixels for part in parts.values()) or THINNEST))
        for (has_failed, function), part in sorted(parts.items(), key=itemgetter(0)):
            tall = min(foot - y, max(THINNEST * has_failed, part.pixels * a_rank * stretch))
            foot -= tall
            # The end of a step is described by the column before.
            many = f"{part.steps} steps from " if part.steps > 1 else ""
            tip = f"{many}{part.first.name}: {duration(part.seconds)}" if part.steps else ""
            drawn.box(left + column, foot, (1.0, tall), _fill(function, has_failed, colours), tip=tip)


def _fill(function: str, has_failed: bool, colours: dict[str, str]) -> str:
    return FILLS["failed"][1] if has_failed else colours.get(function, OTHERS)
