"""Failures under ``mpirun``: every rank learns of them, in seconds, and none waits for one that raised."""

import re
import time
from pathlib import Path

import pytest

from tests.mpi import mpirun

from .tools import Bodies, query, traced

pytestmark = pytest.mark.mpi

LIMIT_S = 10

CHECKED = """
import sys
from ezpyp import Pipeline, as_pickle_step
from ezpyp.errors import PipelineFailedError, StepFailedError
from tests.acceptance.tools import ran

pipeline = Pipeline(sys.argv[1], "checked")

@as_pickle_step(pipeline)
def good(number):
    return number

@as_pickle_step(pipeline)
def leave(number):
    sys.exit(number)

@as_pickle_step(pipeline)
def bad(number):
    raise ValueError(f"no {number}")

@as_pickle_step(pipeline)
def below(value):
    return value

good.map(range(10)), leave(0), below(bad(1))
try:
    pipeline.execute(check=True)
except PipelineFailedError as error:
    ran(f"{pipeline.rank} raised {sorted(error.failed)}")
    try:
        pipeline.get_result("bad")
    except StepFailedError as inner:
        ran(f"{pipeline.rank} traceback {'ValueError: no 1' in str(inner)}")
    raise
ran(f"{pipeline.rank} went on")
"""

ONE_RANK = """
import sys
from ezpyp import Pipeline, as_pickle_step

def here(place):
    if (pipeline.rank, place) == (WHO, WHERE):
        WHAT

pipeline = Pipeline(sys.argv[1], "lonely")

@as_pickle_step(pipeline)
def alpha(x):
    return x

here("before declaring")
alpha.map(range(20))
here("before freezing")
pipeline.initialize_schema()
here("before executing")
pipeline.execute()
here("before executing again")
alpha(20)
pipeline.execute()
print("went on")
"""


def written(tmp_path: Path, source: str) -> Path:
    script = tmp_path / "script.py"
    script.write_text(source)
    return script


def test_a_checked_run_raises_on_all_ranks_and_exits_non_zero(tmp_path: Path, location: Path) -> None:
    trace = Bodies(tmp_path / "trace")
    script = written(tmp_path, CHECKED)

    started = time.monotonic()
    job = mpirun(4, script, str(location), env=traced(trace.path))

    assert time.monotonic() - started < LIMIT_S
    assert job.returncode != 0
    expected = [f"{rank} raised ['bad', 'leave']" for rank in range(4)]
    assert sorted(trace.take()) == sorted([*expected, *(f"{rank} traceback True" for rank in range(4))])
    assert job.stderr.count("Traceback (most recent call last)") == 1
    assert job.stderr.count("\nezpyp.errors.PipelineFailedError: ") == 1


def test_a_checked_run_records_what_finished(tmp_path: Path, location: Path) -> None:
    mpirun(4, written(tmp_path, CHECKED), str(location), env=traced(tmp_path / "trace"))

    rows = query(location, "SELECT status, count(*) FROM current_steps GROUP BY status ORDER BY status")
    assert rows == [(0, 10), (1, 2), (2, 1)]
    assert (location / "pipeline.summary").read_text().startswith("Pipeline Failed @ ")


@pytest.mark.parametrize(
    ("rank", "place"),
    [
        (1, "before declaring"),
        (2, "before freezing"),
        (0, "before freezing"),
        (1, "before executing"),
        (2, "before executing again"),
        (0, "before executing again"),
    ],
)
def test_no_rank_waits_for_one_whose_script_raised(tmp_path: Path, location: Path, rank: int, place: str) -> None:
    what = 'raise RuntimeError("only here")'
    script = written(tmp_path, one_rank(rank, place, what))

    started = time.monotonic()
    job = mpirun(3, script, str(location))

    assert time.monotonic() - started < LIMIT_S
    assert job.returncode != 0
    assert "RuntimeError: only here" in job.stderr
    assert "went on" not in job.stdout


@pytest.mark.parametrize(("rank", "place"), [(1, "before freezing"), (0, "before executing again")])
def test_no_rank_waits_for_one_that_left(tmp_path: Path, location: Path, rank: int, place: str) -> None:
    script = written(tmp_path, one_rank(rank, place, "sys.exit(0)"))

    started = time.monotonic()
    job = mpirun(3, script, str(location))

    assert time.monotonic() - started < LIMIT_S
    assert job.returncode != 0
    assert f"rank {rank}" in job.stderr
    assert "went on" not in job.stdout


def test_ranks_that_declare_different_steps_are_refused_before_anything_is_written(
    tmp_path: Path, location: Path
) -> None:
    script = written(tmp_path, one_rank(1, "before freezing", "alpha(100)"))

    job = mpirun(3, script, str(location))

    assert job.returncode != 0
    assert re.search(r"RanksDisagreeError: .*\balpha\[x=100\].*\brank(\(s\))? 1\b", job.stderr)
    assert not (location / "pipeline.schema").exists()


def one_rank(rank: int, place: str, what: str) -> str:
    """Give a script in which one rank does something of its own at one place."""
    return ONE_RANK.replace("WHO", str(rank)).replace("WHERE", repr(place)).replace("WHAT", what)
