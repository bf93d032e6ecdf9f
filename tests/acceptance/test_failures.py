"""Failing steps: what is skipped, what goes on, what is recorded, and how a failure is mended.

What a step does to itself is in ``tests/execution/contract/test_in_steps.py``, at any number of ranks.
"""

import os
import sys
from pathlib import Path

import pytest

import ezpyp
from ezpyp import Pipeline, as_pickle_step
from ezpyp.errors import PipelineFailedError, StepFailedError, StepSkippedError

from .tools import Bodies, declared, edit, executed, query

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


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("branches")
        patch.setenv("TRACE_FILE", str(folder / "trace"))
        return executed(folder / "cache", BRANCHES)


def test_one_of_ten_branches_fails_and_nine_finish(pipeline: Pipeline) -> None:
    rows = query(pipeline.schema_path.parent, "SELECT status, name FROM current_steps ORDER BY phase")

    assert [name for status, name in rows if status == 1] == ["root[number=3]"]
    assert [name for status, name in rows if status == 2] == ["leaf[number=3]", "tip[number=3]"]
    assert {name for status, name in rows if status == 0} == {
        f"{name}[number={number}]" for name in ("root", "leaf", "tip") for number in range(10) if number != 3
    }
    assert pipeline.get_status("root", number=3) == 1
    assert sorted(step.status for step in pipeline.steps)[-3:] == [1, 2, 2]


@pytest.mark.parametrize("opened", [False, True], ids=["pipeline", "cache"])
def test_a_failed_result_raises_with_the_traceback_and_a_skipped_one_names_the_failed_step(
    pipeline: Pipeline, opened: bool
) -> None:
    source = ezpyp.open_cache(pipeline.schema_path.parent) if opened else pipeline
    said = r"root\[number=3\][^\0]*Traceback[^\0]*script\.py[^\0]*ZeroDivisionError: division by zero"

    with pytest.raises(StepFailedError, match=said) as caught:
        source.get_result("root", number=3)
    assert caught.value.step == "root[number=3]"
    for name in ("leaf", "tip"):
        with pytest.raises(StepSkippedError, match=rf"{name}[^\0]*root\[number=3\]"):
            source.get_result(f"{name}[number=3]")


def test_a_failed_step_and_what_it_skipped_run_again(location: Path, bodies: Bodies) -> None:
    executed(location, BRANCHES)
    assert len(bodies.take()) == 28

    executed(location, BRANCHES)

    assert bodies.take() == ["root 3"]


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


def test_execute_again_in_the_same_process_retries_the_failure(location: Path, tmp_path: Path) -> None:
    pipeline = Pipeline(location, "study")
    ready = str(tmp_path / "ready")

    @as_pickle_step(pipeline)
    def wait() -> str:
        return Path(ready).read_text()

    step = wait()
    pipeline.execute()
    assert step.status == 1

    Path(ready).write_text("now")
    pipeline.execute()

    assert step.status == 0
    assert step.get_result() == "now"


def test_a_checked_run_raises_after_the_summary_is_written(location: Path) -> None:
    with pytest.raises(PipelineFailedError, match=r"root\[number=3\]") as caught:
        executed(location, BRANCHES, check=True)

    assert tuple(caught.value.failed) == ("root[number=3]",)
    summary = (location / "pipeline.summary").read_text()
    assert summary.startswith(f"Pipeline Failed @ {location}\n")
    assert query(location, "SELECT count(*) FROM current_steps WHERE status = 0") == [(27,)]


@pytest.mark.parametrize("text", ["caf\udce9.txt", "nul \0 byte", "two\nlines", "\x1b[31mred", "é" * 100_000, ""])
def test_an_error_of_any_text_fails_its_step_alone(location: Path, text: str) -> None:
    pipeline = Pipeline(location, "study")

    @as_pickle_step(pipeline)
    def alpha() -> None:
        raise FileNotFoundError(text)

    @as_pickle_step(pipeline)
    def beta() -> int:
        return 2

    step, fine = alpha(), beta()
    pipeline.execute()

    assert fine.get_result() == 2
    assert step.status == 1
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


def test_the_report_counts_and_keeps_the_failures(location: Path, bodies: Bodies) -> None:
    report = declared(location, BRANCHES).execute()

    assert (report.total, report.done, report.cached) == (30, 27, 0)
    assert tuple(report.failed) == ("root[number=3]",)
    assert sorted(report.skipped) == ["leaf[number=3]", "tip[number=3]"]
    assert "ZeroDivisionError" in str(report.failures["root[number=3]"])

    again = declared(location, BRANCHES).execute()

    assert (again.total, again.done, again.cached) == (30, 0, 27)


@pytest.mark.parametrize("way", ["exit", "raise", "return"])
def test_a_child_that_a_step_forks_off_ends_by_itself(location: Path, tmp_path: Path, way: str) -> None:
    pipeline = Pipeline(location, "forking")
    trace = tmp_path / "trace"

    def note(text: str) -> None:
        with trace.open("a") as file:
            file.write(f"{text}\n")

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
        note("after")
        return status

    after(forking(way))
    report = pipeline.execute(output="none")

    assert report.ok
    assert trace.read_text() == "after\n"
    assert pipeline.get_result("forking") == {"exit": 3, "raise": 1, "return": 0}[way]
