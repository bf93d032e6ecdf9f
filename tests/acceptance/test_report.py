"""What ``execute()`` returns: the same on every rank, readable, and with all that is to be known of a failure."""

import ast
import dataclasses
import pickle
from pathlib import Path

import pytest

from ezpyp import Pipeline
from ezpyp.execution.messages import Failure
from ezpyp.execution.output import Report
from tests.mpi import mpirun, python

SCRIPT = """
import sys, time
import ezpyp

pipeline = ezpyp.Pipeline(sys.argv[1], "study")

@pipeline.step
def work(x):
    time.sleep(0.2)
    if x == 3:
        raise ValueError(f"{x} is too many")  # the user's own line
    return x

@pipeline.step
def below(x):
    return x

steps = work.map(range(6))
below(steps[3])
report = pipeline.execute(output="none")
with open(f"{sys.argv[1]}.{pipeline.rank}", "w") as file:
    print([getattr(report, name) if name != "failures" else {n: tuple(f) for n, f in report.failures.items()}
           for name in report.__slots__], file=file)
"""


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.mpi), pytest.param(4, marks=pytest.mark.mpi)])
def test_every_rank_has_the_same_report(tmp_path: Path, ranks: int) -> None:
    script, cache = tmp_path / "study.py", tmp_path / "cache"
    script.write_text(SCRIPT)
    done = python(script, str(cache)) if ranks == 1 else mpirun(ranks, script, str(cache))

    assert done.returncode == 0, done.stderr
    texts = [Path(f"{cache}.{rank}").read_text() for rank in range(ranks)]
    assert len(set(texts)) == 1
    run, revision, total, passed, cached, failed, skipped, failures, seconds, busy, size = ast.literal_eval(texts[0])
    assert (run, revision, total, passed, cached, size) == (1, 1, 7, 5, 0, ranks)
    assert (failed, skipped) == (("work[x=3]",), ("below",))
    kind, message, file, line, traceback = failures["work[x=3]"]
    assert (kind, message, file) == ("ValueError", "3 is too many", str(script))
    assert line == 1 + SCRIPT.split("\n").index('        raise ValueError(f"{x} is too many")  # the user\'s own line')
    assert "in work\n" in traceback
    assert 6 * 0.2 <= busy <= ranks * seconds


def report(count: int) -> Report:
    failures = {f"step{n}": Failure("ValueError", f"no {n}\nmore", "study.py", n, "Traceback") for n in range(count)}
    return Report(3, 2, count + 5, 5, 0, tuple(failures), (), failures, 4.0, 6.0, 2)


def test_it_is_frozen_and_may_travel() -> None:
    one = report(1)

    with pytest.raises(dataclasses.FrozenInstanceError):
        one.done = 6  # type: ignore[misc]
    assert pickle.loads(pickle.dumps(one)) == one
    assert hash(one) == hash(report(1))


def test_its_text_names_failures_as_far_as_they_fit() -> None:
    assert repr(report(0)) == (
        "Report(run 3, revision 2: 5 steps, 5 done, 0 cached, 0 failed, 0 skipped in 4 s on 2 ranks, 75 % busy)"
    )
    assert repr(report(1)).splitlines()[1:] == ["    step0 failed with ValueError: no 0)"]
    assert repr(report(100)).splitlines()[-2:] == ["    step9 failed with ValueError: no 9", "    and 90 more)"]


def test_a_run_without_anything_to_do_has_no_efficiency(tmp_path: Path) -> None:
    pipeline = Pipeline(tmp_path / "cache", "study")
    pipeline.step(abs)(-3)
    assert pipeline.execute(output="none").efficiency > 0

    again = pipeline.execute(output="none")

    assert (again.cached, again.busy_seconds, again.efficiency) == (1, 0.0, 0.0)
    assert repr(again).endswith(" s)")
