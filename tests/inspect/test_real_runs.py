"""The verbs on caches that the real pipeline made."""

import json
import re
import shutil
from pathlib import Path

import pytest
from xxhash import xxh3_128_digest

from ezpyp.explain.step_diff import Cause
from ezpyp.inspect.causes import by_cause
from tests.inspect.build import TOY, run


@pytest.fixture(scope="module")
def edited(tmp_path_factory) -> Path:
    """Run 1; run 2 all cached; then beta's constant and alpha's global edited, run 3."""
    folder = tmp_path_factory.mktemp("edited")
    run(folder, TOY)
    run(folder, TOY)
    return run(folder, TOY.replace("x ** 3", "x ** 4").replace("RATE = 2", "RATE = 5"), EZPYP_REVISE="1")


def test_steps_of_each_run(edited, ask):
    steps = ask.json(edited, "steps", "--sort", "name")
    assert [(row["name"], row["phase"], row["status"], row["cached"]) for row in steps] == [
        ("alpha", 0, 0, False), ("beta", 0, 0, False), ("gamma", 1, 0, False), ("large", 0, 0, True),
    ]  # fmt: skip
    assert (steps[2]["args"], steps[2]["kwargs"]) == ("[243]", "{'b': 16}")
    before = [ask.json(edited, "steps", *words) for words in (("--run", "1"), ("--run", "2"), ("--revision", "1"))]
    assert [[row["cached"] for row in then] for then in before] == [[False] * 4, [True] * 4, [True] * 4]
    assert {then[3]["args"] for then in before} == {"[9]"}
    assert len({row["key"] for row in (steps[1], before[0][1], before[2][1])}) == 2
    assert [(row["run"], row["revision"], row["status"]) for row in ask.json(edited, "runs")] == [
        (1, 1, "completed"), (2, 1, "completed"), (3, 2, "completed"),
    ]  # fmt: skip
    shared = "name, key, function, phase, status, args, kwargs, result, seconds, rank, host, run"
    ours = [{name: row[name] for name in shared.split(", ")} for row in ask.json(edited, "steps")]
    assert ours == ask.json(edited, "sql", f"SELECT {shared} FROM current_steps ORDER BY phase, step")


def test_why_names_constant_global_and_root(edited, ask):
    why = ask.json(edited, "why", "beta")
    (cause,) = why["causes"]
    assert why["kind"] == "changed"
    assert (cause["kind"], cause["old"], cause["new"]) == ("constant", "3", "4")
    assert Path(cause["file"]).name == "script.py"
    assert TOY.splitlines()[cause["line"] - 1].strip() == "return x ** 3"

    first, alpha, rate, beta, constant = ask(edited, "why", "gamma").lines[:5]
    assert first.startswith("gamma: ran in run 3, because")
    assert alpha.strip().startswith("upstream alpha changed")
    assert "RATE" in rate
    assert beta.strip().startswith("upstream beta changed")
    assert "3 -> 4 in beta (script.py:" in constant
    assert "was cached: run 1 made the result" in ask(edited, "why", "large").out
    assert "nothing of that name was known before" in ask(edited, "why", "alpha", "--run", "1").out


def test_diff_groups_by_cause(edited, ask):
    out = ask(edited, "diff").out

    assert out.startswith("Revision 1 -> 2: 0 added, 0 left out, 3 changed\n")
    assert "in beta (script.py:" in out
    assert ": 1 step: beta\n" in out
    first = ask.json(edited, "diff", "0", "1")
    assert first["added"] == ["alpha", "beta", "large", "gamma"]


def test_a_graph_shows_its_edges_and_the_timeline_what_ran(edited, ask):
    assert "gamma  (done)  <- alpha, beta\n" in ask(edited, "graph").out
    assert sum("-->" in line for line in ask(edited, "graph", "--format", "mermaid").lines) == 2
    assert ask(edited, "graph", "--format", "dot").out.count(" -> ") == 2
    assert sorted(bar["name"] for bar in ask.json(edited, "timeline")) == ["alpha", "beta", "gamma"]


def test_what_is_stored_is_given_out_found_sound_and_summed_up(edited, ask, tmp_path):
    for name in ("large", "gamma"):
        out = tmp_path / f"{name}.pkl"
        ask(edited, "get", name, "-o", str(out))
        (row,) = ask.json(edited, "steps", "--name", name)
        assert xxh3_128_digest(out.read_bytes()).hex()[2:] in str(row["result"])
    assert "all as stored" in ask(edited, "verify").out
    largest = ask.json(edited, "du")[0]
    assert (largest["what"], largest["files"]) == ("large", 1)
    for by in ("step", "phase", "revision", "codec", "kept"):
        assert sum(int(str(row["results"])) for row in ask.json(edited, "du", "--by", by)) == 7


def test_a_failure_and_its_repair(tmp_path, failing, ask):
    assert "ZeroDivisionError" in ask(failing, "log", "--failed").out
    assert "return x / 0" in ask(failing, "log", "beta").out
    assert "because beta failed; beta failed in run 1: ZeroDivisionError" in ask(failing, "why", "gamma").out
    assert ask(failing, code=1).out.count("ZeroDivisionError") == 1
    (counted,) = ask.json(failing, "sql", "SELECT phases FROM runs")
    assert json.loads(str(counted["phases"])) == {"0": {"0": 2, "1": 1}, "1": {"2": 1}}

    shutil.copytree(failing, tmp_path / "cache")
    cache = run(tmp_path, TOY)
    assert "ran in run 2, because since it was last known:" in ask(cache, "why", "beta").out


DYING = TOY.replace(
    "    return x ** 3",
    """
    import os, subprocess, sys
    asked = ""
    while "1 running" not in asked:
        asked = subprocess.run([sys.executable, "-m", "ezpyp.inspect", "cache"], capture_output=True, text=True).stdout
    open("asked", "w").write(asked + f"of {os.getpid()}")
    os.kill(os.getpid(), 9)
""",
)


def test_a_run_that_asks_of_itself_and_is_killed(tmp_path, ask):
    with pytest.raises(AssertionError):
        run(tmp_path, DYING)

    asked, _, pid = (tmp_path / "asked").read_text().rpartition("of ")
    assert "Run 1: running" in asked
    assert f"process {pid} on " in asked
    cache = tmp_path / "cache"
    assert "Run 1: killed" in ask(cache, code=1).out
    assert [row["status"] for row in ask.json(cache, "steps", "--status", "0,-2")] == [0, -2]
    assert "all as stored" in ask(cache, "verify").out


TALKING = """
import logging, os, sys
from ezpyp import Pipeline, as_pickle_step

pipeline = Pipeline("cache", "talk")

@as_pickle_step(pipeline)
def alpha(x):
    if x == 4 or os.environ["LAB_SITE"] == "Zurich":
        print("to the screen", x)
        print("to the side", file=sys.stderr)
        logging.getLogger("lab").info("quiet")
    return x

alpha(3)
alpha(4)
pipeline.execute(output="none", revise=True)
"""


def test_log_has_the_output_of_the_run_that_computed_and_why_the_variables_around_it(tmp_path, ask):
    def output(name):
        return ask.json(cache, "log", name)[0]["output"]

    def is_changed_in(site):
        run(tmp_path, TALKING, LAB_SITE=site)
        return "variable LAB_SITE, which the step read, changed" in ask(cache, "why", "alpha[x=3]").out

    cache = tmp_path / "cache"
    assert [is_changed_in(site) for site in ("Zurich", "Zurich", "Oslo", "Zurich")] == [False, False, True, False]
    page = ask(cache, "log", "alpha[x=3]").out
    assert "Output\nto the screen 3\n" in page
    assert "Error output\nto the side" in page
    assert (output("alpha[x=4]")["run"], output("alpha[x=4]")["stdout"]) == (1, "to the screen 4\n")
    assert "Oslo" not in ask(cache, "sql", "SELECT * FROM circumstances").out
    # A row where something differs from the row before, and no other.
    assert [row["run"] for row in ask.json(cache, "sql", "SELECT run FROM circumstances")] == [1, 3, 4]

    run(tmp_path, TALKING.replace("if x == 4 or", "if x == 5 or"), LAB_SITE="Oslo")
    assert output("alpha[x=4]") is None
    assert "nothing was said" in ask(cache, "log", "alpha[x=4]").out


# Many steps that changed: few lines.

SWEEP = """
from ezpyp import Pipeline
pipeline = Pipeline("cache", "sweep")

@pipeline.step
def load(i):
    return i

@pipeline.step
def other(i):
    return i

@pipeline.step
def twice(x, by=2):
    return by * x

@pipeline.step
def reduce(xs, base):
    return sum(xs) - base

@pipeline.step
def last(x):
    return x

loaded = load.map(range(30))
last(reduce([twice(x) for x in loaded], other(1)))
pipeline.execute(revise=True)
"""
SOME = "twice[i=0], twice[i=1], twice[i=2], twice[i=3]"


def test_many_steps_that_changed_are_few_lines(tmp_path, ask):
    """Revision 2 changes the code of the thirty `twice`, revision 3 also that of `reduce`."""
    for by, minus in (("by * x", "- base"), ("by * x + 1", "- base"), ("by * x + 2", "+ base")):
        cache = run(tmp_path, SWEEP.replace("by * x", by).replace("- base", minus))

    first, cause, *above = ask(cache, "diff", "1", "2").lines
    assert first == "Revision 1 -> 2: 0 added, 0 left out, 32 changed"
    assert cause.endswith(f": 30 steps: {SOME}, twice[i=4] and 25 more")
    assert above == [
        "  upstream twice[...] changed (xs[]): 1 step: reduce",
        "  upstream reduce changed (x): 1 step: last",
    ]
    first, upstream, cause = ask(cache, "why", "reduce", "--run", "2").lines
    assert first == "reduce: ran in run 2, because since it was last known:"
    assert upstream == f"  30 upstreams changed (xs[]): {SOME} and 26 more"
    assert cause.startswith("    ")
    assert cause.endswith("twice (script.py:15): all 30")
    assert ask(cache, "why", "last").lines[1:5] == [
        "  upstream reduce changed (x)",
        "    operator - -> + in reduce (script.py:19)",
        f"    30 upstreams changed (xs[]): {SOME} and 26 more",
        "      constant 1 -> 2 in twice (script.py:15): all 30",
    ]


def test_why_says_how_many_upstreams_share_a_cause(tmp_path, ask):
    script = SWEEP.replace(
        "twice(x) for x in loaded", "twice(x, other(2) if i < 9 else 3) for i, x in enumerate(loaded)"
    )
    run(tmp_path, script)
    run(tmp_path, script.replace("other(i):\n    return i", "other(i):\n    return -i").replace("by * x", "by + x"))
    lines = ask(tmp_path / "cache", "why", "reduce").lines
    assert re.match(r"  30 upstreams changed \(xs\[\]\): twice\[", lines[1])
    assert lines[2].strip() == "operator * -> + in twice (script.py:15): all 30"
    assert re.match(r"    upstream other\[i=2\] changed \(by\): 9 of 30: twice\[", lines[3])


@pytest.mark.parametrize(
    ("kind", "name", "text", "together"),
    [
        ("argument", "x[0]", "argument x {} -> 9", "argument x 0 -> 9 and 8 more like it"),
        ("dependency", "load", "upstream at x: load[i={0}] -> fetch[i={0}]", "upstream at x: load[...] -> fetch[...]"),
    ],
)
def test_changes_that_are_alike_are_one_line(kind, name, text, together):
    causes = {f"f[i={n}]": [Cause(kind, text.format(n), name)] for n in range(9)}

    assert by_cause(causes, {}) == [(together, list(causes))]
    few = dict(list(causes.items())[:3])
    assert [line for line, _ in by_cause(few, {})] == [cause.text for (cause,) in few.values()]


RAN = "f: ran in run 2, because since it was last known:"
NOT_CACHED = "f: ran in run 2, again: cache=False, so it runs in every run"
UP = "@pipeline.step\ndef up(x):\n    return {'a': x, 'b': 2}\n"
F = "@pipeline.step\ndef f(x):\n    return x\n"
MODE = """import enum
class Mode(enum.Enum):
    A = 1
    def go(self):
        return 60
@pipeline.step
def f(m):
    return m.go()
f(Mode.A)
"""


@pytest.mark.parametrize(
    ("script", "old", "new", "lines"),
    [
        (F + "f(1)\n", "step\n", "step(cache=False)\n", [NOT_CACHED]),
        (UP + F + "f(up(1))\n", "step\ndef f", "step(cache=False)\ndef f", [NOT_CACHED]),
        (
            F.replace("x)", "x, opts={'rate': 0.1})") + "f(1)\n",
            "0.1", "0.2", [RAN, "  default opts['rate'] 0.1 -> 0.2 in f (script.py:3)"],
        ),
        (
            UP + F + "u = up(1)\nf(1)\n",
            "\nf(1)", "\nf(u)", [RAN, "  argument x 1 -> TMP for up"],
        ),
        (
            UP + F + "f(up(1)['a'])\n",
            "['a']", "['b']", [RAN, "  upstream at x: up['a'] -> up['b']"],
        ),
        (
            UP + F + "f([up(1), up(2), up(3)])\n",
            "up(1), up(2), up(3)", "up(3), up(2), up(1)",
            [RAN, "  another order of the steps at x[]: up[x=1], up[x=2], up[x=3] -> up[x=3], up[x=2], up[x=1]"],
        ),
        (
            UP + F + "f(up.map(range(3)))\n",
            "range(3)", "range(9)", [RAN, "  upstream up[x=3], up[x=4], up[x=5], up[x=6] and 2 more came to x[]"],
        ),
        (
            MODE,
            "60", "61", [RAN, "  argument m (Mode.A): method Mode.go (script.py:7): constant 60 -> 61"],
        ),
    ],
)  # fmt: skip
def test_why_after_one_edit_of_a_script(script, old, new, lines, tmp_path, ask):
    head, tail = 'from ezpyp import Pipeline\npipeline = Pipeline("cache", "p")\n', "\npipeline.execute(revise=True)\n"
    assert old in script
    run(tmp_path, head + script + tail)
    cache = run(tmp_path, head + script.replace(old, new) + tail)

    assert ask(cache, "why", "f").lines == lines


def test_root_of_a_long_chain_is_named(tmp_path, ask):
    script = (
        "from ezpyp import Pipeline\npipeline = Pipeline('cache', 'p')\n"
        "@pipeline.step\ndef first(x):\n    return x + 5\n@pipeline.step\ndef add(x, n):\n    return x + n\n"
        f"{F}x = first(1)\nfor n in range(40):\n    x = add(x, n)\nf(x)\npipeline.execute(revise=True)\n"
    )
    run(tmp_path, script)

    lines = ask(run(tmp_path, script.replace("x + 5", "x + 6")), "why", "f").lines

    assert len(lines) == 22
    assert lines[-1].strip() == "further up, first: constant 5 -> 6 in first (script.py:5)"
