"""A user's own signal handlers and wakeup descriptor are his after a run as before it."""

from pathlib import Path

import pytest

from tests.mpi import mpirun, python

SCRIPT = """
import os, signal, sys
import ezpyp

reader, writer = os.pipe()
os.set_blocking(writer, False)
os.set_blocking(reader, False)
signal.set_wakeup_fd(writer)
seen = []
signal.signal(signal.SIGTERM, lambda number, _: seen.append(number))
signal.signal(signal.SIGINT, lambda number, _: seen.append(number))

pipeline = ezpyp.Pipeline(sys.argv[1], "study")

@pipeline.step
def work(x):
    return x

work.map(range(6))
pipeline.execute(output="none")
os.kill(os.getpid(), signal.SIGTERM)
os.kill(os.getpid(), signal.SIGINT)
assert seen == [signal.SIGTERM, signal.SIGINT]
assert list(os.read(reader, 10)) == seen
assert signal.set_wakeup_fd(-1) == writer
"""


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
def test_they_are_as_before(tmp_path: Path, ranks: int) -> None:
    script = tmp_path / "study.py"
    script.write_text(SCRIPT)
    cache = str(tmp_path / "cache")
    done = python(script, cache) if ranks == 1 else mpirun(ranks, script, cache)

    assert done.returncode == 0, done.stderr
