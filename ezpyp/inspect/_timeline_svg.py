"""The timeline as a picture: a lane a rank, a bar a step, idle time hatched."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from math import log10
from operator import itemgetter

from ezpyp.inspect._columns import Part, parted
from ezpyp.inspect._lanes import Lane, merged
from ezpyp.inspect._palette import FILLS, OTHERS, SERIES
from ezpyp.inspect._rows import Status
from ezpyp.inspect._svg import FAINT, Picture, elided, text_width
from ezpyp.inspect._text import duration, one_line

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
    """The lines of an SVG file.

    Args:
        lanes: One a rank.
        wall: Seconds from left to right.
        title: What stands above.
    """
    shown = merged(lanes, MOST_LANES)
    pitch = min(HIGHEST_LANE, max(LOWEST_LANE, ROOM_FOR_LANES / max(1, len(shown))))
    labels = [elided(one_line(lane.label), LONGEST_NAME) for lane in shown]
    left = MARGIN + max((text_width(label, 11) for label in labels), default=0.0) + 10
    colours = _colours(lanes)
    drawn = Picture([HATCH])
    drawn.words(MARGIN, 26, title, size=14, style='font-weight="bold"')
    bottom = TOP + pitch * len(shown)
    _draw_axis(drawn, left, bottom, wall)
    for number, (lane, label) in enumerate(zip(shown, labels, strict=True)):
        y = TOP + number * pitch
        # Labels need 12 pixels; of narrower lanes some keep theirs.
        if number % max(1, round(12 / pitch)) == 0:
            drawn.words(MARGIN, y + pitch / 2, label, size=11)
            drawn.words(left + ROOM + 8, y + pitch / 2, f"{lane.busy / wall if wall else 0:4.0%}", size=11, fill=FAINT)
        drawn.box(left, y + pitch * 0.08, (ROOM, pitch * 0.84), "url(#idle)")
        _draw_bars(drawn, lane, (left, y + pitch * 0.08, pitch * 0.84), wall, colours)
    end = drawn.legend(MARGIN, 54, _legend(colours, lanes))
    wide = max(left + ROOM + 56, end, MARGIN + text_width(title, 14) + MARGIN)
    return drawn.text(wide, bottom + 36, title)


def _colours(lanes: Sequence[Lane]) -> dict[str, str]:
    """A colour for each of the functions that took the most time; the rest are grey."""
    seconds: Counter[str] = Counter()
    for lane in lanes:
        for bar in lane.bars:
            seconds[bar.function] += bar.seconds  # type: ignore[assignment]  # a Counter adds what it is given
    return dict(zip([name for name, _ in seconds.most_common(len(SERIES))], SERIES, strict=False))


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
        drawn.words(x, bottom + 16, f"{moment:g} {word}", size=10, fill=FAINT, style='text-anchor="middle"')


def _round_times(wall: float) -> Iterator[float]:
    """Five to ten round numbers from 0 to at most ``wall``, none where that is 0.

    Example:
        >>> list(_round_times(11.9))
        [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]
    """
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
        tip = f"{bar.name}: {duration(bar.seconds)}"
        drawn.box(left + start, y, (end - start, high), fill, style=_edge(end - start) + opacity, tip=tip)
    for column, parts in columns.items():
        foot, a_rank = y + high, high / len(lane.ranks)
        stretch = max(1.0, THINNEST / (a_rank * sum(part.pixels for part in parts.values()) or THINNEST))
        for (has_failed, function), part in sorted(parts.items(), key=itemgetter(0)):
            tall = min(foot - y, max(THINNEST * has_failed, part.pixels * a_rank * stretch))
            foot -= tall
            drawn.box(left + column, foot, (1.0, tall), _fill(function, has_failed, colours), tip=_tip(part))


def _fill(function: str, has_failed: bool, colours: dict[str, str]) -> str:
    return FILLS["failed"][1] if has_failed else colours.get(function, OTHERS)


def _tip(part: Part) -> str:
    """Nothing for the end of a step that the column before tells of."""
    many = f"{part.steps} steps from " if part.steps > 1 else ""
    return f"{many}{part.first.name}: {duration(part.seconds)}" if part.steps else ""


def _edge(wide: float) -> str:
    """A white edge keeps neighbours apart, but would swallow a narrow bar."""
    return 'stroke="#ffffff" stroke-width="0.8"' if wide >= 4 else ""
