"""``diff`` between two revisions of a sweep: few lines, however many steps changed."""

import re
from pathlib import Path

import pytest

from ezpyp.explain.step_diff import Cause
from ezpyp.inspect.causes import by_cause
from tests.inspect.test_real_runs import run

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


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Revision 2: the code of the thirty `twice` is another one; revision 3: also that of `reduce` and of `other`."""
    script = SWEEP
    run(tmp_path, script)
    for old, new in (
        ("by * x", "by * x + 1"),
        ("return i\n\n@pipeline.step\ndef twice", "return -i\n\n@pipeline.step\ndef twice"),
    ):
        assert old in script
        script = script.replace(old, new)
        run(tmp_path, script)
    run(tmp_path, script.replace("sum(xs) - base", "sum(xs) + base").replace("by * x + 1", "by * x + 2"))
    return tmp_path / "cache"


SOME = "twice[i=0], twice[i=1], twice[i=2], twice[i=3]"


def test_what_only_follows_is_one_line_a_function(cache, ask):
    first, cause, *above = ask(cache, "diff", "1", "2").lines
    assert first == "Revision 1 -> 2: 0 added, 0 left out, 32 changed"
    assert cause.endswith(f": 30 steps: {SOME}, twice[i=4] and 25 more")
    assert above == [
        "  upstream twice[...] changed (xs[]): 1 step: reduce",
        "  upstream reduce changed (x): 1 step: last",
    ]


def test_why_names_the_cause_of_many_upstreams_once(cache, ask):
    first, above, cause, *rest = ask(cache, "why", "reduce", "--run", "2").lines
    assert first == "reduce: ran in run 2, because since it was last known:"
    assert above == f"  30 upstreams changed (xs[]): {SOME} and 26 more"
    assert cause.startswith("    ")
    assert cause.endswith("twice (script.py:15): all 30")
    assert rest == []


def test_why_goes_down_to_each_root_once(cache, ask):
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


def causes(kind, name, *texts):
    return {f"f[i={n}]": [Cause(kind, text, name)] for n, text in enumerate(texts)}


def test_changes_of_one_argument_each_its_own_way_are_told_together():
    texts = [f"argument x {n} -> {n + 1}" for n in range(9)]
    ((text, steps),) = by_cause(causes("argument", "x[0]", *texts), {})
    assert text == "argument x 0 -> 1 and 8 more like it"
    assert len(steps) == 9
    assert [told[0] for told in by_cause(causes("argument", "x", *texts[:3]), {})] == texts[:3]


def test_steps_that_need_steps_of_another_function_are_told_together():
    texts = [f"upstream at x: load[i={n}] -> fetch[i={n}]" for n in range(9)]
    ((text, steps),) = by_cause(causes("dependency", "load", *texts), {})
    assert text == "upstream at x: load[...] -> fetch[...]"
    assert len(steps) == 9
