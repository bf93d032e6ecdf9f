"""``why`` after one edit of a script: the words that a user reads."""

from pathlib import Path

import pytest

from tests.inspect.test_real_runs import run

HEAD = 'from ezpyp import Pipeline\npipeline = Pipeline("cache", "p")\n'
TAIL = "\npipeline.execute(revise=True)\n"


@pytest.fixture
def told(tmp_path: Path, ask):
    """``told(script, old, new)``: what ``why f`` says after a run with the edit, without its first line."""

    def told(script: str, old: str, new: str, step: str = "f") -> list[str]:
        assert old in script
        for body in (script, script.replace(old, new)):
            run(tmp_path, HEAD + body + TAIL)
        return ask(tmp_path / "cache", "why", step).lines

    return told


NOT_CACHED = "f: ran in run 2, again: cache=False, so it runs in every run"


def test_step_that_is_not_cached_any_more_says_so(told):
    script = "@pipeline.step\ndef f(x):\n    return x\nf(1)\n"
    assert told(script, "step\n", "step(cache=False)\n") == [NOT_CACHED]


def test_step_with_upstreams_that_is_not_cached_any_more_says_so(told):
    script = "@pipeline.step\ndef up(x):\n    return x\n@pipeline.step\ndef f(x):\n    return x\nf(up(1))\n"
    assert told(script, "step\ndef f", "step(cache=False)\ndef f") == [NOT_CACHED]


RAN = "f: ran in run 2, because since it was last known:"


def test_changed_default_of_the_step_itself_is_told_by_its_place(told):
    script = "@pipeline.step\ndef f(x, opts={'rate': 0.1}):\n    return x\nf(1)\n"
    assert told(script, "0.1", "0.2") == [RAN, "  default opts['rate'] 0.1 -> 0.2 in f (script.py:3)"]


def test_value_that_is_a_step_now_is_told_in_words(told):
    script = "@pipeline.step\ndef up(x):\n    return x\n@pipeline.step\ndef f(x):\n    return x\nu = up(1)\nf(1)\n"
    assert told(script, "\nf(1)", "\nf(u)") == [RAN, "  argument x: the value 1 -> the result of step up"]


def test_another_part_of_an_upstream_is_told_as_one_change(told):
    script = "@pipeline.step\ndef up(x):\n    return {'a': 1, 'b': 2}\n@pipeline.step\ndef f(x):\n    return x\n"
    found = told(script + "f(up(1)['a'])\n", "['a']", "['b']")
    assert found == [RAN, "  another part of upstream up at x: ['a'] -> ['b']"]


def test_steps_in_another_order_are_told_as_one_change(told):
    script = (
        "@pipeline.step\ndef s(x):\n    return x\n@pipeline.step\ndef f(xs):\n    return xs[0]\nf(s.map([1, 2, 3]))\n"
    )
    found = told(script, "[1, 2, 3]", "[3, 2, 1]")
    assert found == [RAN, "  another order of the steps at xs[]: s[x=1], s[x=2], s[x=3] -> s[x=3], s[x=2], s[x=1]"]


def test_changed_tracking_is_named(told, tmp_path):
    (tmp_path / "utils.py").write_text("def norm(x):\n    return x\n")
    script = "import utils\n@pipeline.step\ndef f(x):\n    return utils.norm(x)\nf(1)\n"
    assert "  no_track= not given -> ['utils']" in told(script, "step\n", "step(no_track=('utils',))\n")


def test_method_of_an_enum_that_is_an_argument_is_told_by_its_line(told):
    script = (
        "import enum\nclass Mode(enum.Enum):\n    A = 1\n    def go(self):\n        return 60\n"
        "@pipeline.step\ndef f(m):\n    return m.go()\nf(Mode.A)\n"
    )
    assert told(script, "60", "61") == [RAN, "  argument m: Mode.A, method Mode.go (script.py:7): constant 60 -> 61"]


def test_root_of_a_long_chain_is_named(told):
    script = (
        "@pipeline.step\ndef first(x):\n    return x + 5\n@pipeline.step\ndef add(x, n):\n    return x + n\n"
        "@pipeline.step\ndef f(x):\n    return x\nx = first(1)\nfor n in range(40):\n    x = add(x, n)\nf(x)\n"
    )
    lines = told(script, "x + 5", "x + 6")
    assert len(lines) == 22
    assert lines[-1].strip() == "further up, first: constant 5 -> 6 in first (script.py:5)"
