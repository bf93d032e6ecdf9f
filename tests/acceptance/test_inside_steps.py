"""What a body does to the process it runs in stays with that step."""

import os
import sys
from pathlib import Path

import pytest

from ezpyp import Pipeline
from ezpyp.errors import StepFailedError


def test_a_pipeline_run_inside_a_step_fails_the_step_alone(location: Path) -> None:
    pipeline = Pipeline(location, "outer")

    @pipeline.step
    def nested(x):
        return pipeline.execute()

    @pipeline.step
    def other(x):
        return x

    nested(1), other(2)
    report = pipeline.execute(output="none")

    assert report.failed == ("nested",)
    assert pipeline.get_result("other") == 2
    with pytest.raises(StepFailedError, match="inside a running step"):
        pipeline.get_result("nested")


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
