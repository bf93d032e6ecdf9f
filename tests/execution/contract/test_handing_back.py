"""Steps that wait behind one that takes too long go to another rank, and each runs exactly once."""

from pathlib import Path

import pytest

from tests.acceptance.tools import Bodies, traced
from tests.mpi import mpirun

pytestmark = pytest.mark.mpi

STUDY = """
import sys, time
import ezpyp
from tests.acceptance.tools import ran

pipeline = ezpyp.Pipeline(sys.argv[1], "back")

@ezpyp.as_pickle_step(pipeline)
def step(x, pause):
    ran(f"step {x}")
    time.sleep(pause)
    return x

# Short ones first: from then on a step of the function is believed to be short.
step.map(range(20), [0.001] * 20)
pipeline.execute(output="none")
step.map(range(100, 160), [0.6 if x % 20 == 0 else 0.001 for x in range(100, 160)])
report = pipeline.execute(output="none")
if pipeline.is_root:
    print(report.done, report.cached)
"""


@pytest.mark.parametrize("size", [2, 3])
def test_every_step_that_is_handed_back_runs_once(tmp_path: Path, size: int) -> None:
    script = tmp_path / "study.py"
    script.write_text(STUDY)
    trace = Bodies(tmp_path / "trace")

    ended = mpirun(size, script, str(tmp_path / "cache"), env=traced(trace.path), timeout=60)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.split() == ["60", "20"]
    assert sorted(trace.take()) == sorted(f"step {x}" for x in [*range(20), *range(100, 160)])
