"""The graph and the timeline as SVG: well-formed, nothing on top of another, readable at every size."""

import html
import json
import re
from itertools import combinations, pairwise
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ezpyp.inspect.svg.graph import BOX, layered
from ezpyp.inspect.svg.picture import FILLS, elided
from ezpyp.inspect.svg.timeline import _round_times
from tests.inspect import build

SVG = "{http://www.w3.org/2000/svg}"


def parsed(text: str) -> ET.Element:
    assert text.isascii()
    return ET.fromstring(text)


def boxes(picture: ET.Element) -> list[tuple[float, float, float, float]]:
    """Left, top, right and bottom of each step's box."""
    found = [rect.attrib for rect in picture.iter(f"{SVG}rect") if rect.attrib.get("rx") == "5"]
    return [
        (x, y, x + float(rect["width"]), y + float(rect["height"]))
        for rect in found
        for x, y in [(float(rect["x"]), float(rect["y"]))]
    ]


def overlap(a, b) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]


@st.composite
def graphs(draw):
    layers = sorted(draw(st.lists(st.integers(0, 5), min_size=1, max_size=25)))
    renumbered = {layer: number for number, layer in enumerate(sorted(set(layers)))}
    layers = [renumbered[layer] for layer in layers]
    pairs = [(a, b) for a, b in combinations(range(len(layers)), 2) if layers[a] < layers[b]]
    return layers, draw(st.lists(st.sampled_from(pairs), unique=True, max_size=40)) if pairs else []


@settings(max_examples=200, deadline=None)
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

    assert [layout.centres[node] for node in (0, 5, 8)] == [layout.centres[0]] * 3
    assert [layout.centres[node] for node in (2, 3, 6)] == [layout.centres[2]] * 3


def test_a_name_too_long_loses_its_middle():
    assert elided("x" * 300, 40).count("x") == 38
    assert elided("漢" * 40, 20) == "漢" * 5 + "…" + "漢" * 4
    assert elided("short", 20) == "short"


ODD_NAMES = ["漢字カナ", "é" * 3, "x" * 300, 'a\nb<&">', "\x1b[2J\ufffe", "👩‍🔬 scientist"]


def odd(folder) -> build.Cache:
    cache = build.Cache(folder)
    first = ODD_NAMES[0]
    for name in ODD_NAMES:
        upstream = [(first, "order" if name == "x" * 300 else "value", "")] if name != first else []
        cache.step(name, phase=len(upstream), upstream=upstream, function="f<&>")
    cache.revision(added=list(cache.ids.values()))
    run = cache.run(total=len(ODD_NAMES))
    for name in ODD_NAMES:
        cache.row(name, run, int(name == "👩‍🔬 scientist"), result=None)
    return cache


@pytest.mark.parametrize("verb", ["graph", "timeline"])
def test_pictures_of_odd_names_are_well_formed(verb, tmp_path, ask):
    picture = parsed(ask(odd(tmp_path).close(), verb, "--format", "svg").out)

    wide, high = (float(picture.attrib[side]) for side in ("width", "height"))
    for rect in list(picture.iter(f"{SVG}rect"))[3 if verb == "timeline" else 1 :]:
        values = [float(rect.attrib[name]) for name in ("x", "y", "width", "height")]
        assert values[0] + values[2] <= wide
        assert values[1] + values[3] <= high
    assert picture.find(f"{SVG}title") is not None


def test_graph_has_title_legend_states_and_order_only_edges(tmp_path, ask):
    text = ask(odd(tmp_path).close(), "graph", "--format", "svg").out

    shown = "".join(parsed(text).itertext())
    assert "toy: 6 steps, revision 1" in shown
    assert "done 5" in shown
    assert "✗ failed 1" in shown
    assert "dashed: order only" in shown
    assert text.count("stroke-dasharray") == 1


def sweep(folder, number: int) -> build.Cache:
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
    cache.revision(added=list(cache.ids.values()))
    cache.db.execute("COMMIT")
    return cache


@pytest.mark.parametrize(("number", "shown"), [(4, 59), (5, 53), (4_900, 53)])
def test_a_graph_is_grouped_where_it_could_not_be_read(number, shown, tmp_path, ask):
    folder = sweep(tmp_path, number).close()

    found = boxes(parsed(ask(folder, "graph", "--format", "svg").out))

    assert len(found) == shown
    assert not any(overlap(a, b) for a, b in combinations(found, 2))
    assert len(ask(folder, "graph", "--by", "function", "--format", "json").rows) == 4


def test_what_needs_steps_of_its_own_function_is_marked(tmp_path, ask):
    folder = sweep(tmp_path, 1).close()

    shown = "".join(parsed(ask(folder, "graph", "--by", "function", "--format", "svg").out).itertext())

    assert "\N{MULTIPLICATION SIGN}50 · ↻" in shown
    assert "↻ needs steps of its own function" in shown


def test_graph_of_nothing_is_a_picture(tmp_path, ask):
    folder = build.Cache(tmp_path).close()

    assert boxes(parsed(ask(folder, "graph", "--format", "svg").out)) == []
    assert ask(folder, "graph", "--format", "json").rows == []


def test_graph_shows_what_was_killed_as_killed(killed, ask):
    assert json.loads(ask(killed, "graph", "--format", "json").out)[1]["steps"] == {"killed": 1}
    assert {"killed": 1} in [box["steps"] for box in ask(killed, "graph", "--by", "phase", "--format", "json").rows]
    assert "† killed 1" in "".join(parsed(ask(killed, "graph", "--format", "svg").out).itertext())


def busy(folder, ranks: int, steps: int) -> build.Cache:
    """Every rank but the last works half of 10 s, in so many steps each."""
    cache = build.Cache(folder)
    cache.db.execute("BEGIN")
    for rank in range(ranks - 1):
        for number in range(steps):
            cache.step(f"f[r={rank},n={number}]")
    cache.revision(added=list(cache.ids.values()))
    run = cache.run(ranks=ranks, seconds=10.0)
    for number, name in enumerate(cache.ids):
        start = build.START + 10 * (number % steps) / steps
        cache.row(name, run, result=None, rank=number // steps, started_at=start, seconds=5 / steps)
    cache.db.execute("COMMIT")
    return cache


def bars(picture: ET.Element) -> list[dict[str, str]]:
    return [rect.attrib for rect in picture.iter(f"{SVG}rect") if rect.find(f"{SVG}title") is not None]


def test_timeline_has_a_lane_a_rank_a_bar_a_step_and_says_how_idle(tmp_path, ask):
    folder = busy(tmp_path, 4, 20).close()

    picture = parsed(ask(folder, "timeline", "--format", "svg").out)
    text = ask(folder, "timeline").lines

    assert len(bars(picture)) == 60
    shown = "".join(picture.itertext())
    assert "80" not in shown
    assert "60 steps on 4 ranks in 10.00 s, efficiency 38%" in shown
    assert text[0] == "Run 1: completed, 60 steps on 4 ranks in 10.00 s, efficiency 38%"
    assert [line.split()[-1] for line in text[1:5]] == ["50%", "50%", "50%", "0%"]
    assert text[-1] == "15.00 s of work; idle: 25.00 s of all ranks together"


def test_timeline_of_many_ranks_and_short_steps_stays_small(tmp_path, ask):
    folder = busy(tmp_path, 300, 40).close()

    text = ask(folder, "timeline", "--format", "svg").out

    picture = parsed(text)
    assert sum(rect.attrib.get("fill") == "url(#idle)" for rect in picture.iter(f"{SVG}rect")) == 100 + 1
    assert float(picture.attrib["height"]) < 1000
    assert len(ask(folder, "timeline").lines) == 60 + 3
    assert ask(folder, "timeline").lines[1].startswith("ranks 0-4 ")


def test_steps_narrower_than_a_pixel_share_one(tmp_path, ask):
    folder = busy(tmp_path, 2, 20_000).close()

    text = ask(folder, "timeline", "--format", "svg").out

    assert len(bars(parsed(text))) < 2_000
    assert re.search(r"<title>\d+ steps from f\[", text)


def test_timeline_shows_the_last_run_that_computed_something(tmp_path, ask):
    cache = build.finished(tmp_path)
    cache.run(cached=3, done=0)
    finished = cache.close()

    assert ask(finished, "timeline").lines[0].startswith("Run 1: ")
    assert ask(finished, "timeline", "--run", "2").out == (
        "Run 2: completed, 0 steps on 2 ranks in 2.00 s, nothing was computed\n"
    )


def beta_of(folder, ask) -> dict[str, object]:
    (row,) = [row for row in ask(folder, "timeline", "--format", "json").rows if row["name"] == "beta"]
    return row


def test_the_timeline_of_a_killed_run_ends_where_it_was_last_heard_of(tmp_path, ask):
    cache = build.running(tmp_path, build.dead_owner())
    cache.db.execute("UPDATE holder SET heartbeat = ?", [build.START + 20])
    folder = cache.close()

    assert beta_of(folder, ask)["seconds"] == 20.0
    assert ask(folder, "timeline").lines[0] == "Run 1: killed, 2 steps on 2 ranks in at least 20.00 s, efficiency 51%"
    assert "killed, 2 steps on 2 ranks in at least 20.00 s" in ask(folder, "timeline", "--format", "svg").out
    assert "beta,beta,-2,0,node1,0.0,20.0\n" in ask(folder, "timeline", "--format", "csv").out


def test_a_heartbeat_of_a_later_run_tells_nothing_of_a_killed_one(tmp_path, ask):
    cache = build.running(tmp_path, build.dead_owner())
    cache.run("running", started_at=build.START + 500, **dict.fromkeys(("finished_at", "seconds")))
    cache.hold()
    folder = cache.close()

    # A row that says running is written a second after the start of its step.
    assert beta_of(folder, lambda *words: ask(*words, "--run", "1"))["seconds"] == 1.0


def test_the_timeline_of_an_interrupted_run_ends_with_it(tmp_path, ask):
    cache = build.running(tmp_path)
    cache.db.execute("UPDATE holder SET owner = NULL")
    cache.db.execute("UPDATE runs SET status = 'interrupted', finished_at = started_at + 3, seconds = 3")

    assert beta_of(cache.close(), ask)["seconds"] == 3.0


def test_timeline_of_nothing(declared, ask):
    assert ask(declared, "timeline").out == "no run yet\n"
    assert ask(declared, "timeline", "--format", "json").rows == []
    assert ask(declared, "timeline", "--format", "csv").out == "name,function,status,rank,host,start,seconds\n"
    answer = ask(declared, "timeline", "--format", "svg")
    assert (answer.out, answer.err) == ("", "no run yet\n")


@pytest.mark.parametrize("wall", [1e-6, 0.0045, 0.999, 1.0, 9.99, 10.0, 11.9, 59.0, 123456.0])
def test_times_of_the_axis_are_few_and_round(wall):
    times = list(_round_times(wall))

    assert 5 <= len(times) <= 11
    assert times[0] == 0
    assert times[-1] <= wall * (1 + 1e-9)


def test_no_time_has_no_axis():
    assert list(_round_times(0.0)) == []


def test_what_is_summed_up_loses_no_step_and_no_failure(tmp_path, ask):
    cache = busy(tmp_path, 2, 20_000)
    cache.db.execute("UPDATE step_rows SET status = 1 WHERE step = 10001")
    folder = cache.close()

    text = ask(folder, "timeline", "--format", "svg").out
    drawn = bars(parsed(text))
    titles = re.findall(r"<title>(?:(\d+) steps from )?f", text)

    assert sum(int(number or 1) for number in titles) == 20_000
    assert [bar["fill"] for bar in drawn].count(FILLS["failed"][1]) == 1
    assert ask(folder, "timeline").lines[0] == "Run 1: completed, 20000 steps on 2 ranks in 10.00 s, efficiency 25%"
    assert len(ask(folder, "timeline", "--format", "json").rows) == 20_000


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
