"""What a killed run was writing is cleaned up by the next run; after a run that ended in order nobody looks for it."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

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


@pytest.mark.parametrize("ranks", [pytest.param(0, id="serial"), pytest.param(2, id="2 ranks", marks=pytest.mark.mpi)])
def test_what_a_killed_run_was_writing_is_cleaned_up_by_the_next(tmp_path: Path, location: Path, ranks: int) -> None:
    script = tmp_path / "study.py"
    script.write_text(KILLED)

    def run(*words: str) -> int:
        arguments, env = (script, str(location), *words), traced(tmp_path / "trace")
        return (mpirun(ranks, *arguments, env=env) if ranks else python(*arguments, env=env)).returncode

    assert run("die") != 0
    assert list(location.rglob("*.tmp")) != []

    assert run() == 0
    assert list(location.rglob("*.tmp")) == []
    assert query(location, "SELECT status FROM runs ORDER BY run") == [("running",), ("completed",)]


@pytest.mark.parametrize("folder", [".", "objects"], ids=["an export", "an object"])
@pytest.mark.parametrize(("body", "status"), [("1", "completed"), ("1 / 0", "failed"), ("1", "running")])
def test_what_dead_processes_left_is_looked_for_only_after_a_run_that_was_killed(
    location: Path, folder: str, body: str, status: str
) -> None:
    source = f"as_pickle_step(pipeline, name='alpha')(lambda: {body})()"
    executed(location, source)
    left = location / folder / f".{2**22 + 1}.0.ab.{os.uname().nodename}.tmp"
    left.parent.mkdir(exist_ok=True)
    left.touch()
    assert status == "running" or query(location, "SELECT status FROM runs") == [(status,)]
    with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection, connection:
        connection.execute("UPDATE runs SET status = ?", (status,))  # a killed run leaves it running

    executed(location, source)

    assert left.exists() == (status != "running")
