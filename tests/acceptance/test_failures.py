"""Failing steps: what is skipped, what goes on, what is recorded, and how a failure is mended.

What a step does to itself is in ``tests/execution/contract/test_in_steps.py``, at any number of ranks.
"""

import os
import sys
from pathlib import Path

import pytest

import ezpyp
from ezpyp import Pipeline
from ezpyp.errors import PipelineFailedError, StepFailedError, StepSkippedError

from .tools import Bodies, declared, edit, executed, query, ran

BRANCHES = """
@as_pickle_step(pipeline)
def root(number):
    ran(f"root {number}")
    return number / (number - 3)

step leaf(value): return value
step tip(value): return value

for number in range(10):
    tip(leaf(root(number)))
"""


@pytest.fixture
def pipeline(location: Path) -> Pipeline:
    return Pipeline(location, "study")


def test_one_of_ten_branches_fails_nine_finish_and_the_next_run_retries_it(location: Path, bodies: Bodies) -> None:
    failed, skipped = ("root[number=3]",), ["leaf[number=3]", "tip[number=3]"]
    pipeline = declared(location, BRANCHES)

    report = pipeline.execute()

    assert len(bodies.take()) == 28
    assert (report.total, report.done, report.cached, report.failed) == (30, 27, 0, failed)
    assert sorted(report.skipped) == skipped
    assert "ZeroDivisionError" in str(report.failures[failed[0]])
    rows = query(location, "SELECT status, name FROM current_steps ORDER BY phase")
    assert [name for status, name in rows if status] == [*failed, *skipped]
    assert sorted(step.status for step in pipeline.steps)[-3:] == [1, 2, 2]
    for source in (pipeline, ezpyp.open_cache(location)):
        assert source.get_status("root", number=3) == 1
        said = r"root\[number=3\][^\0]*Traceback[^\0]*script\.py[^\0]*ZeroDivisionError: division by zero"
        with pytest.raises(StepFailedError, match=said) as caught:
            source.get_result("root", number=3)
        assert caught.value.step == failed[0]
        for name in skipped:
            with pytest.raises(StepSkippedError, match=rf"{name.partition('[')[0]}[^\0]*root\[number=3\]"):
                source.get_result(name)

    again = declared(location, BRANCHES)
    with pytest.raises(PipelineFailedError, match=r"root\[number=3\]") as checked:
        again.execute(check=True)

    assert bodies.take() == ["root 3"]
    assert tuple(checked.value.failed) == failed
    assert (location / "pipeline.summary").read_text().startswith(f"Pipeline Failed @ {location}\n")
    assert query(location, "SELECT done, cached, failed, skipped FROM runs ORDER BY run") == [
        (27, 0, 1, 2),
        (0, 27, 1, 2),
    ]


def test_a_mended_step_is_no_conflict_and_runs_with_its_descendants(location: Path, bodies: Bodies) -> None:
    broken = """
    step alpha(x): return x / 0
    step beta(x): return -x
    step other(x): return x

    beta(alpha(3)), other(1)
    """
    executed(location, broken)
    assert sorted(bodies.take()) == ["alpha", "other"]

    pipeline = executed(location, edit(broken, ("x / 0", "x / 1")))

    assert bodies.take() == ["alpha", "beta"]
    assert pipeline.get_result("beta") == -3


def test_execute_again_in_the_same_process_retries_the_failure(pipeline: Pipeline, tmp_path: Path) -> None:
    ready = tmp_path / "ready"
    step = pipeline.step(lambda path: Path(path).read_text(), name="wait")(str(ready))
    pipeline.execute()
    assert step.status == 1

    ready.write_text("now")
    pipeline.execute()

    assert (step.status, step.get_result()) == (0, "now")


@pytest.mark.parametrize("text", ["caf\udce9.txt", "nul \0 byte", "two\nlines", "\x1b[31mred", "é" * 100_000, ""])
def test_an_error_of_any_text_fails_its_step_alone(location: Path, pipeline: Pipeline, text: str) -> None:
    @pipeline.step
    def alpha() -> None:
        raise FileNotFoundError(text)

    step, fine = alpha(), pipeline.step(len, name="beta")("ab")
    pipeline.execute()

    assert (step.status, fine.get_result()) == (1, 2)
    with pytest.raises(StepFailedError, match="FileNotFoundError"):
        step.get_result()
    assert (location / "pipeline.summary").read_text().startswith("Pipeline Failed")


def test_an_interrupt_ends_the_run_and_keeps_what_was_finished(location: Path, tmp_path: Path, bodies: Bodies) -> None:
    flag = tmp_path / "flag"
    source = f"""
    import os

    @as_pickle_step(pipeline)
    def alpha(x):
        ran(x)
        if x == 2 and os.path.exists({str(flag)!r}):
            raise KeyboardInterrupt
        return x

    alpha.map([0, 1, 2, 3])
    """
    flag.touch()
    with pytest.raises(KeyboardInterrupt):
        executed(location, source)
    assert bodies.take() == ["0", "1", "2"]

    flag.unlink()
    executed(location, source)

    assert bodies.take() == ["2", "3"]
    assert query(location, "SELECT status FROM runs ORDER BY run") == [("interrupted",), ("completed",)]


@pytest.mark.parametrize(("way", "code"), [("exit", 3), ("raise", 1), ("return", 0)])
def test_a_child_that_a_step_forks_off_ends_by_itself(pipeline: Pipeline, bodies: Bodies, way: str, code: int) -> None:
    @pipeline.step
    def forking(how):
        if (child := os.fork()) == 0:
            if how == "exit":
                sys.exit(3)
            if how == "raise":
                raise ValueError(how)
            return None
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    @pipeline.step
    def after(status):
        ran("after")
        return status

    after(forking(way))

    assert pipeline.execute(output="none").ok
    assert bodies.take() == ["after"]
    assert pipeline.get_result("forking") == code
