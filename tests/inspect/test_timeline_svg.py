"""The timeline as a picture shows how busy a rank was, however short its steps are."""

import re
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from ezpyp.inspect.svg.picture import FILLS
from ezpyp.inspect.svg.timeline import Bar, Lane
from ezpyp.inspect.svg.timeline import picture as draw
from tests.inspect import build

SVG = "{http://www.w3.org/2000/svg}"
WALL_S = 10.0
Box = tuple[float, float, float, float]


def ran(folder: Path, number: int, share: float, functions: int = 1) -> Path:
    """A rank that runs so many steps of the same length in 10 s, and is idle for the rest of it."""
    cache = build.Cache(folder)
    cache.db.execute("BEGIN")
    for step in range(number):
        cache.step(f"f{step % functions}[n={step}]")
    cache.revision(added=list(cache.ids.values()))
    run = cache.run(ranks=1, seconds=WALL_S)
    each = WALL_S / number
    for place, name in enumerate(cache.ids):
        cache.row(name, run, result=None, started_at=build.START + each * place, seconds=each * share)
    cache.db.execute("COMMIT")
    return cache.close()


def picture(folder: Path, ask) -> ET.Element:
    return ET.fromstring(ask(folder, "timeline", "--format", "svg").out)


def box(rect: ET.Element) -> Box:
    x, y, wide, high = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
    return x, y, wide, high


def shown(drawn: ET.Element) -> list[ET.Element]:
    """All that stands for work, with the ends of steps in the next column; the legend lies above."""
    top = lane(drawn)[1]
    idle = ("url(#idle)", "#ffffff")
    return [
        r for r in drawn.iter(f"{SVG}rect") if r.attrib.get("fill") not in idle and float(r.attrib.get("y", 0)) >= top
    ]


def bars(drawn: ET.Element) -> list[ET.Element]:
    return [rect for rect in drawn.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]


def lane(drawn: ET.Element) -> Box:
    """The first lane; the legend has the same pattern and is smaller."""
    return max(
        (box(rect) for rect in drawn.iter(f"{SVG}rect") if rect.attrib.get("fill") == "url(#idle)"), key=lambda b: b[2]
    )


def area(found: Box) -> float:
    return found[2] * found[3]


@pytest.mark.parametrize("functions", [1, 2])
@pytest.mark.parametrize("number", [7, 700, 10_000])
@pytest.mark.parametrize("share", [0.04, 0.5])
def test_as_much_of_a_lane_is_drawn_as_its_rank_was_busy(share, number, functions, tmp_path, ask):
    drawn = picture(ran(tmp_path, number, share, functions), ask)
    x, y, wide, high = lane(drawn)
    found = [box(bar) for bar in shown(drawn)]

    assert sum(map(area, found)) / (wide * high) == pytest.approx(share, rel=0.1)
    assert all(left >= x - 0.1 and left + width <= x + wide + 0.5 for left, _, width, _ in found)
    assert all(top >= y - 0.1 and top + tall <= y + high + 0.1 for _, top, _, tall in found)


def test_steps_of_two_functions_in_one_pixel_stand_on_each_other(tmp_path, ask):
    found = sorted(box(bar) for bar in shown(picture(ran(tmp_path, 10_000, 1.0, functions=2), ask)))

    hidden = 0.0
    for first, second in pairwise(found):
        across = min(first[0] + first[2], second[0] + second[2]) - max(first[0], second[0])
        along = min(first[1] + first[3], second[1] + second[3]) - max(first[1], second[1])
        hidden += max(0.0, across) * max(0.0, along)
    assert hidden < 0.1 * sum(map(area, found))


def test_a_step_that_can_be_seen_is_as_high_as_its_lane(tmp_path, ask):
    drawn = picture(ran(tmp_path, 7, 0.5), ask)

    assert {box(bar)[3] for bar in bars(drawn)} == {lane(drawn)[3]}


def test_what_is_drawn_as_one_says_how_long_it_took(tmp_path, ask):
    drawn = picture(ran(tmp_path, 9_500, 0.5), ask)
    said = [bar.find(f"{SVG}title").text for bar in bars(drawn)]

    assert re.fullmatch(r"10 steps from f0\[n=\d\]: 5.3 ms", said[0])


def test_a_step_too_short_for_the_eye_leaves_a_mark(tmp_path, ask):
    (bar,) = bars(picture(ran(tmp_path, 1, 1e-7), ask))

    assert min(box(bar)[2:]) > 0.5


def test_many_ranks_in_one_lane_do_not_fill_it_when_they_are_idle():
    bars = [
        Bar("f", "f", 0, rank, "h", n * 0.005, 0.001, n * 0.005 + 0.001, 1) for n in range(2_000) for rank in (0, 1)
    ]
    drawn = ET.fromstring("".join(draw([Lane((0, 1), "h", tuple(bars))], WALL_S, "two ranks")))

    assert sum(area(box(bar)) for bar in shown(drawn)) / area(lane(drawn)) == pytest.approx(0.2, rel=0.1)


def test_a_failed_step_shows_among_thousands(tmp_path, ask):
    folder = ran(tmp_path, 10_000, 0.95)
    with closing(sqlite3.connect(folder / "ezpyp.sqlite")) as connection, connection:
        connection.execute("UPDATE step_rows SET status = 1, seconds = 1e-7 WHERE step = 7001")

    (failed,) = [bar for bar in bars(picture(folder, ask)) if bar.attrib["fill"] == FILLS["failed"][1]]

    assert min(box(failed)[2:]) > 0.5
