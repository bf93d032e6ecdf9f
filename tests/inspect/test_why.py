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
