"""What a killed run leaves behind is swept by the next one; a run after one that ended in order looks for nothing."""

import os
import signal
from pathlib import Path

import pytest

from ezpyp.store.objects import ObjectStore
from tests.mpi import mpirun, python

from .tools import executed, query, traced

KILLED = """
import os, signal, sys
import ezpyp

pipeline = ezpyp.Pipeline(sys.argv[1], "swept")
written = os.writev

def die(*arguments):
    written(*arguments)
    if "die" in sys.argv:
        os.kill(os.getpid(), signal.SIGKILL)
    return written(*arguments)

@ezpyp.as_pickle_step(pipeline)
def large(seed):
    if "die" in sys.argv:
        os.writev = die
    return [bytes([seed]) * 6_000_000]

large.map([1, 2])
pipeline.execute()
"""


def strays(location: Path) -> list[str]:
    return [path.name for path in location.rglob("*.tmp")]


def test_what_a_killed_run_was_writing_is_swept_by_the_next(tmp_path: Path) -> None:
    script, location = tmp_path / "study.py", tmp_path / "cache"
    script.write_text(KILLED)
    ended = python(script, str(location), "die", env=traced(tmp_path / "trace"))
    assert ended.returncode == -signal.SIGKILL
    assert len(strays(location)) == 1

    ended = python(script, str(location), env=traced(tmp_path / "trace"))

    assert ended.returncode == 0, ended.stderr
    assert strays(location) == []
    assert query(location, "SELECT status FROM runs ORDER BY run") == [("running",), ("completed",)]


@pytest.mark.mpi
def test_what_killed_ranks_were_writing_is_swept_by_the_next_job(tmp_path: Path) -> None:
    script, location = tmp_path / "study.py", tmp_path / "cache"
    script.write_text(KILLED)
    assert mpirun(2, script, str(location), "die", env=traced(tmp_path / "trace")).returncode != 0
    assert strays(location) != []

    assert mpirun(2, script, str(location), env=traced(tmp_path / "trace")).returncode == 0
    assert strays(location) == []


@pytest.mark.parametrize(("body", "status"), [("1", "completed"), ("1 / 0", "failed")])
def test_after_a_run_that_ended_in_order_nothing_is_looked_for(
    location: Path, monkeypatch: pytest.MonkeyPatch, body: str, status: str
) -> None:
    monkeypatch.setattr(ObjectStore, "sweep", lambda self: 1 / 0)

    for _ in range(2):
        executed(location, f"as_pickle_step(pipeline, name='alpha')(lambda: {body})()")

    assert query(location, "SELECT status FROM runs") == [(status,)] * 2


def test_an_export_that_was_cut_short_is_swept_too(tmp_path: Path) -> None:
    stray = tmp_path / f".{2**22 + 1}.0.ab.{os.uname().nodename}.tmp"
    stray.touch()

    assert ObjectStore(tmp_path).clean_up() == 1
    assert not stray.exists()
