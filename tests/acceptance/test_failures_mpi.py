"""A checked run under ``mpirun`` raises on every rank; what ends a rank is in ``tests/execution/contract``."""

from pathlib import Path

import pytest

from tests.mpi import mpirun

from .tools import Bodies, query, traced

pytestmark = pytest.mark.mpi

LIMIT_S = 20

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


def written(tmp_path: Path, source: str) -> Path:
    script = tmp_path / "script.py"
    script.write_text(source)
    return script


def test_a_checked_run_raises_on_all_ranks_and_records_what_finished(tmp_path: Path, location: Path) -> None:
    trace = Bodies(tmp_path / "trace")

    job = mpirun(4, written(tmp_path, CHECKED), str(location), env=traced(trace.path), timeout=LIMIT_S)

    assert job.returncode != 0
    expected = [f"{rank} raised ['bad', 'leave']" for rank in range(4)]
    assert sorted(trace.take()) == sorted([*expected, *(f"{rank} traceback True" for rank in range(4))])
    assert job.stderr.count("Traceback (most recent call last)") == 1
    assert job.stderr.count("\nezpyp.errors.PipelineFailedError: ") == 1
    rows = query(location, "SELECT status, count(*) FROM current_steps GROUP BY status ORDER BY status")
    assert rows == [(0, 10), (1, 2), (2, 1)]
    assert (location / "pipeline.summary").read_text().startswith("Pipeline Failed @ ")
