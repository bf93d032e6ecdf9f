"""A serial run: it commits before every body that is not known to be short, and stands few frames above it."""

import inspect
from contextlib import nullcontext
from dataclasses import dataclass, field

import pytest

from ezpyp import Pipeline
from ezpyp.execution.messages import Outcome
from ezpyp.execution.run import run_serially
from tests.graph.programs import Study


@dataclass
class Run:
    """Coordinator, recorder and worker in one: bodies take as long as they are told to, no time passes."""

    seconds: list[float]
    flushed: list[int] = field(default_factory=list)
    at: int = 0
    host: str = "host"
    left: int = 1

    def next(self) -> int | None:
        return self.at if self.at < len(self.seconds) else None

    def run(self, position: int) -> Outcome:
        return Outcome(position, 0.0, self.seconds[position], 0, "host", None, None, None, None, None)

    def finish(self, outcome: Outcome) -> None:
        self.at += 1

    def flush(self) -> None:
        self.flushed.append(self.at)

    def started(self, position: int, rank: int, host: str) -> None:
        pass

    capture = nullcontext()

    def beside(self, capture: object) -> "nullcontext[None]":
        return nullcontext()

    flush_if_due = tick = begin = end = lambda self, *_: None


@pytest.mark.parametrize(
    ("seconds", "flushed"),
    [
        ([0.0] * 5, [0]),
        ([0.1] * 5, [0, 1, 2, 3, 4]),
        ([0.0, 0.006, *[0.0] * 10], [0, 2]),
        ([0.0, 0.01, *[0.0] * 10], [0, 2, 3, 4, 5]),
    ],
    ids=["short", "long", "a hiccup", "a longer one"],
)
def test_commits_come_before_bodies_that_may_be_long(seconds, flushed):
    study = Study()
    study.function("alpha").map(range(len(seconds)))
    run = Run(seconds)
    run_serially(study.freeze(), run, run, run)  # type: ignore[arg-type]  # it plays all three
    assert run.flushed == flushed


def test_at_most_seven_frames_between_execute_and_a_body(tmp_path):
    pipeline = Pipeline(tmp_path / "cache", "study")
    step = pipeline.step(lambda: len(inspect.stack()), name="depth")()
    pipeline.execute(output="none")
    assert step.get_result() - 1 - len(inspect.stack()) <= 7
