"""The graph and the timeline as pictures: well-formed, nothing on top of another, readable at every size."""

import html
import json
import re
from itertools import combinations, pairwise
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ezpyp.inspect.svg.graph import BOX, layered
from ezpyp.inspect.svg.picture import FILLS, elided
from ezpyp.inspect.svg.timeline import Bar, Lane, _round_times, picture
from tests.inspect import build

SVG = "{http://www.w3.org/2000/svg}"
FAILED = FILLS["failed"][1]
Box = tuple[float, float, float, float]


def parsed(text: str) -> ET.Element:
    assert text.isascii()
    return ET.fromstring(text)


def drawn(ask, folder: Path, *words: str) -> ET.Element:
    return parsed(ask(folder, *words, "--format", "svg").out)


def rects(root: ET.Element, **attributes: str) -> list[ET.Element]:
    return [r for r in root.iter(f"{SVG}rect") if all(r.attrib.get(n) == v for n, v in attributes.items())]


def described(root: ET.Element) -> list[ET.Element]:
    """Rectangles that say something when the pointer rests on them."""
    return [rect for rect in rects(root) if rect.find(f"{SVG}title") is not None]


def box(rect: ET.Element) -> Box:
    """Left, top, right and bottom."""
    x, y, wide, high = (float(rect.attrib[name]) for name in ("x", "y", "width", "height"))
    return x, y, x + wide, y + high


def area(found: Box) -> float:
    return (found[2] - found[0]) * (found[3] - found[1])


def shared(a: Box, b: Box) -> float:
    """How much of one lies under the other."""
    return max(0.0, min(a[2], b[2]) - max(a[0], b[0])) * max(0.0, min(a[3], b[3]) - max(a[1], b[1]))


# The graph.


@st.composite
def graphs(draw):
    layers = sorted(draw(st.lists(st.integers(0, 5), min_size=1, max_size=25)))
    renumbered = {layer: number for number, layer in enumerate(sorted(set(layers)))}
    layers = [renumbered[layer] for layer in layers]
    pairs = [(a, b) for a, b in combinations(range(len(layers)), 2) if layers[a] < layers[b]]
    return layers, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=40)) if pairs else []


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_no_box_stands_on_another_and_no_edge_passes_behind_one(graph):
    layers, edges = graph
    layout = layered(layers, edges)

    assert sorted(node for column in layout.columns for node in column) == list(range(len(layers)))
    for column in layout.columns:
        heights = sorted(layout.centres[node] for node in column)
        assert all(b - a >= BOX - 1e-6 for a, b in pairwise(heights))
    for (up, down), path in zip(edges, layout.paths, strict=True):
        assert len(path) == layers[down] - layers[up] - 1
        for column, centre in zip(layout.columns[layers[up] + 1 : layers[down]], path, strict=True):
            assert all(abs(layout.centres[node] - centre) >= BOX / 2 for node in column)
    assert all(c - BOX / 2 >= -1e-6 and c + BOX / 2 <= layout.height + 1e-6 for c in layout.centres)


def test_parallel_chains_run_straight():
    layout = layered([0, 0, 0, 1, 1, 1, 2, 2, 2], [(0, 5), (1, 4), (2, 3), (5, 8), (4, 7), (3, 6)])

    for chain in ((0, 5, 8), (2, 3, 6)):
        assert len({layout.centres[node] for node in chain}) == 1


def test_a_name_too_long_loses_its_middle():
    assert elided("x" * 300, 40).count("x") == 38
    assert elided("漢" * 40, 20) == "漢" * 5 + "…" + "漢" * 4


ODD_NAMES = ["漢字カナ", "é" * 3, "x" * 300, 'a\nb<&">', "\x1b[2J\ufffe", "👩‍🔬 scientist"]


def test_pictures_of_odd_names_are_well_formed_and_say_what_they_show(tmp_path, ask):
    cache = build.Cache(tmp_path)
    first, *_, last = ODD_NAMES
    for name in ODD_NAMES:
        upstream = [(first, "order" if name == "x" * 300 else "value", "")] if name != first else []
        cache.step(name, phase=len(upstream), upstream=upstream, function="f<&>")
    cache.revision()
    run = cache.run(total=len(ODD_NAMES))
    for name in ODD_NAMES:
        cache.row(name, run, int(name == last), result=None)
    folder = cache.close()

    for verb, of_no_size in (("graph", 1), ("timeline", 3)):
        root = drawn(ask, folder, verb)
        wide, high = (float(root.attrib[side]) for side in ("width", "height"))
        assert all(box(r)[2] <= wide and box(r)[3] <= high for r in rects(root)[of_no_size:])
        assert root.find(f"{SVG}title") is not None
    shown = "".join(drawn(ask, folder, "graph").itertext())
    for words in ("toy: 6 steps, revision 1", "done 5", "✗ failed 1", "dashed: order only"):
        assert words in shown
    assert ask(folder, "graph", "--format", "svg").out.count("stroke-dasharray") == 1


def sweep(folder: Path, number: int) -> Path:
    """As many simulations, each with an analysis, a total and a chain of 50."""
    cache = build.Cache(folder)
    cache.db.execute("BEGIN")
    for x in range(number):
        cache.step(f"simulate[x={x}]")
        cache.step(f"analyse[x={x}]", phase=1, upstream=[(f"simulate[x={x}]", "value", "args[0]")])
    cache.step("total", phase=2, upstream=[(f"analyse[x={x}]", "value", "args[0]") for x in range(number)])
    last = "total"
    for x in range(50):
        cache.step(f"walk[x={x}]", phase=3 + x, upstream=[(last, "value", "args[0]")])
        last = f"walk[x={x}]"
    cache.revision()
    cache.db.execute("COMMIT")
    return cache.close()


def test_a_graph_is_grouped_where_it_could_not_be_read(tmp_path, ask):
    for number, shown in ((4, 59), (5, 53), (900, 53)):
        folder = sweep(tmp_path / str(number), number)
        found = [box(rect) for rect in rects(drawn(ask, folder, "graph"), rx="5")]
        assert len(found) == shown
        assert not any(shared(a, b) for a, b in combinations(found, 2))

    assert len(ask.json(folder, "graph", "--by", "function")) == 4
    words = "".join(drawn(ask, folder, "graph", "--by", "function").itertext())
    assert "\N{MULTIPLICATION SIGN}50 · ↻" in words
    assert "↻ needs steps of its own function" in words


def test_graph_of_nothing_is_a_picture_and_what_was_killed_is_shown_so(tmp_path, killed, ask):
    folder = build.Cache(tmp_path / "empty").close()
    assert rects(drawn(ask, folder, "graph"), rx="5") == []
    assert ask.json(folder, "graph") == []

    assert ask.json(killed, "graph")[1]["steps"] == {"killed": 1}
    assert {"killed": 1} in [row["steps"] for row in ask.json(killed, "graph", "--by", "phase")]
    assert "† killed 1" in "".join(drawn(ask, killed, "graph").itertext())


@pytest.mark.parametrize("form", ["mermaid", "dot"])
def test_no_label_is_taken_for_html_or_markdown(form, tmp_path, ask):
    name = '<b onclick="x">&amp;`*a*` #35; \\N'
    cache = build.Cache(tmp_path)
    cache.revision(added=[cache.step(name)])

    (line,) = [line for line in ask(cache.close(), "graph", "--format", form).lines if "onclick" in line]

    # As the programs that draw these read them: Mermaid numbers of characters, Graphviz HTML's own words for three.
    if form == "mermaid":
        label = line.removeprefix('  s0["').removesuffix('"]:::pending')
        assert set('"<>&`\\').isdisjoint(label)
        assert re.sub("#(\\d+);", lambda match: chr(int(match[1])), label) == name
    else:
        label = json.loads(line[line.index("=") + 1 : line.index(", fillcolor")])
        assert set("<>").isdisjoint(label)
        assert html.unescape(label) == name


# The timeline: runs of 10 s.


def busy(folder: Path, ranks: int, steps: int, share: float = 0.5, functions: int = 1) -> build.Cache:
    """Each rank but the last of several works that share of the time, in so many steps."""
    cache = build.Cache(folder)
    cache.db.execute("BEGIN")
    for rank in range(max(1, ranks - 1)):
        for number in range(steps):
            cache.step(f"f{number % functions}[r={rank},n={number}]")
    cache.revision()
    run, each = cache.run(ranks=ranks, seconds=10.0), 10 / steps
    for number, name in enumerate(cache.ids):
        start = build.START + each * (number % steps)
        cache.row(name, run, result=None, rank=number // steps, started_at=start, seconds=each * share)
    cache.db.execute("COMMIT")
    return cache


def lane(root: ET.Element) -> Box:
    """The first lane; the legend has the same pattern and is smaller."""
    return max((box(rect) for rect in rects(root, fill="url(#idle)")), key=lambda found: found[2] - found[0])


def work(root: ET.Element) -> list[Box]:
    """All that stands for work, with the ends of steps in the next column; the legend lies above."""
    idle, top = ("url(#idle)", "#ffffff"), lane(root)[1]
    return [box(r) for r in rects(root) if r.attrib.get("fill") not in idle and float(r.attrib.get("y", 0)) >= top]


@pytest.mark.parametrize("functions", [1, 2])
@pytest.mark.parametrize(("number", "share"), [(7, 0.04), (7, 1.0), (700, 0.5), (10_000, 0.04), (10_000, 1.0)])
def test_as_much_of_a_lane_is_drawn_as_its_rank_was_busy(share, number, functions, tmp_path, ask):
    folder = busy(tmp_path, 1, number, share, functions).close()
    root = drawn(ask, folder, "timeline")
    left, top, right, bottom = lane(root)
    found = sorted(work(root))

    assert sum(map(area, found)) / area(lane(root)) == pytest.approx(share, rel=0.1)
    assert all(x >= left - 0.1 and to_x <= right + 0.5 and y >= top - 0.1 and to_y <= bottom + 0.1
               for x, y, to_x, to_y in found)  # fmt: skip
    # Steps of two functions in one pixel stand on each other.
    assert sum(shared(a, b) for a, b in pairwise(found)) < 0.1 * sum(map(area, found))
    titles = re.findall(r"<title>(?:(\d+) steps from )?f", ask(folder, "timeline", "--format", "svg").out)
    assert sum(int(count or 1) for count in titles) == number
    if number == 7:  # a step that can be seen by itself is as high as its lane
        assert {b - y for _, y, _, b in found} == {bottom - top}


def test_many_ranks_in_one_lane_do_not_fill_it_when_they_are_idle():
    bars = [
        Bar("f", "f", 0, rank, "h", n * 0.005, 0.001, n * 0.005 + 0.001, 1) for n in range(2_000) for rank in (0, 1)
    ]
    root = parsed("".join(picture([Lane((0, 1), "h", tuple(bars))], 10.0, "two ranks")))

    assert sum(map(area, work(root))) / area(lane(root)) == pytest.approx(0.2, rel=0.1)


def test_what_is_short_or_failed_can_be_seen_among_thousands(tmp_path, ask):
    cache = busy(tmp_path / "many", 1, 9_500)
    cache.db.execute("UPDATE step_rows SET status = 1, seconds = 1e-7 WHERE step = 7001")
    folder = cache.close()
    (single,) = described(drawn(ask, busy(tmp_path / "one", 1, 1, 1e-7).close(), "timeline"))

    root = drawn(ask, folder, "timeline")
    bars = described(root)
    (failed,) = [bar for bar in bars if bar.attrib["fill"] == FAILED]

    for x, y, to_x, to_y in (box(failed), box(single)):
        assert min(to_x - x, to_y - y) > 0.5
    assert len(bars) < 2_000
    assert re.fullmatch(r"10 steps from f0\[r=0,n=\d\]: 5.3 ms", bars[0].find(f"{SVG}title").text)
    assert ask(folder, "timeline").lines[0].startswith("Run 1: completed, 9500 steps on 1 rank in 10.00 s, ")
    assert len(ask.json(folder, "timeline")) == 9_500


def test_timeline_has_a_lane_a_rank_a_bar_a_step_and_says_how_idle(tmp_path, ask):
    folder = busy(tmp_path / "few", 4, 20).close()
    root, text = drawn(ask, folder, "timeline"), ask(folder, "timeline").lines

    assert len(described(root)) == 60
    assert text[0] == "Run 1: completed, 60 steps on 4 ranks in 10.00 s, efficiency 38%"
    assert text[0] in "".join(root.itertext())
    assert [line.split()[-1] for line in text[1:5]] == ["50%", "50%", "50%", "0%"]
    assert text[-1] == "15.00 s of work; idle: 25.00 s of all ranks together"

    folder = busy(tmp_path / "many", 300, 10).close()
    root, text = drawn(ask, folder, "timeline"), ask(folder, "timeline").lines
    assert len(rects(root, fill="url(#idle)")) == 100 + 1
    assert float(root.attrib["height"]) < 1000
    assert len(text) == 60 + 3
    assert text[1].startswith("ranks 0-4 ")


def test_timeline_shows_the_last_run_that_computed_something(tmp_path, declared, ask):
    cache = build.finished(tmp_path / "cache")
    cache.run(cached=3, done=0)
    cache.row("alpha", 2, cached=1)
    folder = cache.close()

    assert ask(folder, "timeline").lines[0].startswith("Run 1: ")
    nothing = "Run 2: completed, 0 steps on 2 ranks in 2.00 s, nothing was computed\n"
    assert ask(folder, "timeline", "--run", "2").out == nothing

    assert ask(declared, "timeline").out == "no run yet\n"
    assert ask(declared, "timeline", "--format", "csv").out == "name,function,status,rank,host,start,seconds\n"
    answer = ask(declared, "timeline", "--format", "svg")
    assert (answer.out, answer.err) == ("", "no run yet\n")


def test_the_timeline_of_a_killed_run_ends_where_it_was_last_heard_of(tmp_path, ask):
    def seconds(folder: Path, *words: str) -> list[object]:
        return [row["seconds"] for row in ask.json(folder, "timeline", *words) if row["name"] == "beta"]

    cache = build.running(tmp_path / "heard", build.dead_owner())
    cache.db.execute("UPDATE holder SET heartbeat = ?", [build.START + 20])
    folder = cache.close()
    assert seconds(folder) == [20.0]
    assert ask(folder, "timeline").lines[0] == "Run 1: killed, 2 steps on 2 ranks in at least 20.00 s, efficiency 51%"
    assert "beta,beta,-2,0,node1,0.0,20.0\n" in ask(folder, "timeline", "--format", "csv").out

    # A heartbeat of a later run says nothing of it; the row that says running is written after a second.
    cache = build.running(tmp_path / "later", build.dead_owner())
    cache.run("running", started_at=build.START + 500, **dict.fromkeys(("finished_at", "seconds")))
    cache.hold()
    assert seconds(cache.close(), "--run", "1") == [1.0]

    cache = build.running(tmp_path / "interrupted")
    cache.db.execute("UPDATE holder SET owner = NULL")
    cache.db.execute("UPDATE runs SET status = 'interrupted', finished_at = started_at + 3, seconds = 3")
    assert seconds(cache.close()) == [3.0]
    assert "Run 1: interrupted" in ask(cache.folder, code=1).out


def test_times_of_the_axis_are_few_and_round():
    for wall in (1e-6, 0.0045, 0.999, 1.0, 9.99, 10.0, 11.9, 59.0, 123456.0):
        times = list(_round_times(wall))
        assert 5 <= len(times) <= 11
        assert times[0] == 0
        assert times[-1] <= wall * (1 + 1e-9)
    assert list(_round_times(0.0)) == []
