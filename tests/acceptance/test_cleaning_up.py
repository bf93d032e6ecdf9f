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


def strays(location: Path) -> list[str]:
    return [path.name for path in location.rglob("*.tmp")]


def stray(location: Path) -> Path:
    """What a process that is dead was writing."""
    path = location / "objects" / f".{2**22 + 1}.0.ab.{os.uname().nodename}.tmp"
    path.parent.mkdir(exist_ok=True)
    path.touch()
    return path


@pytest.mark.parametrize("ranks", [pytest.param(0, id="serial"), pytest.param(2, id="2 ranks", marks=pytest.mark.mpi)])
def test_what_a_killed_run_was_writing_is_cleaned_up_by_the_next(tmp_path: Path, location: Path, ranks: int) -> None:
    script = tmp_path / "study.py"
    script.write_text(KILLED)

    def run(*words: str) -> int:
        arguments, env = (script, str(location), *words), traced(tmp_path / "trace")
        return (mpirun(ranks, *arguments, env=env) if ranks else python(*arguments, env=env)).returncode

    assert run("die") != 0
    assert strays(location) != []

    assert run() == 0
    assert strays(location) == []
    assert query(location, "SELECT status FROM runs ORDER BY run") == [("running",), ("completed",)]


@pytest.mark.parametrize(("body", "status"), [("1", "completed"), ("1 / 0", "failed")])
def test_after_a_run_that_ended_in_order_nothing_is_looked_for(location: Path, body: str, status: str) -> None:
    source = f"as_pickle_step(pipeline, name='alpha')(lambda: {body})()"
    executed(location, source)
    left = stray(location)

    executed(location, source)

    assert query(location, "SELECT status FROM runs") == [(status,)] * 2
    assert left.exists()


@pytest.mark.parametrize("folder", ["", "objects"], ids=["an export", "an object"])
def test_files_of_dead_processes_are_cleaned_up_wherever_they_stand(location: Path, folder: str) -> None:
    source = "as_pickle_step(pipeline, name='alpha')(lambda: 1)()"
    executed(location, source)
    left = stray(location)
    left = left.rename(location / folder / left.name)
    with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection, connection:
        connection.execute("UPDATE runs SET status = 'running'")  # as a killed run leaves it

    executed(location, source)

    assert not left.exists()
