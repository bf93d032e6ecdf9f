"""A step that opens and closes the index as a plain file drops SQLite's locks (POSIX does): nothing is lost by it."""

import re
import sqlite3
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.mpi import python, start

from .tools import query

STUDY = """
import os, shutil, subprocess, sys, time
from pathlib import Path
import ezpyp
from ezpyp.store import lock as _kept_locks

here = Path(sys.argv[1])
pipeline = ezpyp.Pipeline(here / "cache", "dropped")

@ezpyp.as_pickle_step(pipeline, no_track=["ezpyp"])
def step(i):
    if i == 2 and os.environ["HOW"] == "late":
        shutil.copytree(here / "cache", here / "copy")
        (here / "dropped").touch()
        while not (here / "go").exists():
            time.sleep(0.01)
    if i == 2 and os.environ["HOW"] == "at once":
        time.sleep(0.5)
        _kept_locks._EVERY_S = 1e9
        (here / "cache" / "ezpyp.sqlite").read_bytes()
        subprocess.run([sys.executable, here / "look.py", here], check=True)
    if i == 2 and os.environ["HOW"] == "file":
        (here / "made").write_text("made")
        (here / "dropped").touch()
        while not (here / "go").exists():
            time.sleep(0.01)
        return ezpyp.File(here / "made")
    return i

step.map(range(8))
pipeline.execute()
"""
LOOK = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1] + "/cache/ezpyp.sqlite")
print(connection.execute("SELECT count(*) FROM results").fetchone()[0])
connection.close()
"""


def look(folder: Path) -> None:
    """Read the index as any program would that knows nothing of ezpyp."""
    with closing(sqlite3.connect(folder / "cache" / "ezpyp.sqlite")) as connection:
        connection.execute("SELECT count(*) FROM results").fetchone()


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "look.py").write_text(LOOK)
    (tmp_path / "study.py").write_text(STUDY)
    return tmp_path / "study.py"


def stored(folder: Path) -> int:
    return int(query(folder / "cache", "SELECT count(*) FROM results")[0][0])


@pytest.mark.parametrize("how", ["late", "file"])
def test_the_holder_takes_its_locks_once_more(script: Path, how: str) -> None:
    folder = script.parent
    log = folder / "cache" / "ezpyp.sqlite-wal"
    with start([sys.executable, str(script), str(folder)], env={"HOW": how}) as (job, read):
        while not (folder / "dropped").exists():
            time.sleep(0.01)
        time.sleep(3)
        before = log.stat().st_ino
        look(folder)
        assert log.stat().st_ino == before
        (folder / "go").touch()
        assert job.wait(30) == 0, read()
    assert stored(folder) == 8


def test_a_log_that_was_taken_away_is_an_error_and_loses_nothing(script: Path) -> None:
    folder = script.parent
    ended = python(script, str(folder), env={"HOW": "at once"})
    printed = len(re.findall(r"\[PASS\]", ended.stdout))

    assert ended.returncode != 0
    assert "-wal was taken away while this process wrote it" in ended.stderr
    assert stored(folder) == printed == 2
    assert python(script, str(folder), env={"HOW": "again"}).returncode == 0
    assert stored(folder) == 8


def test_a_job_that_is_refused_takes_no_log_away(script: Path) -> None:
    folder = script.parent
    log = folder / "cache" / "ezpyp.sqlite-wal"
    script.write_text(
        STUDY.replace("shutil.copytree", "_kept_locks.KeptLocks.keep = lambda self: None; shutil.copytree")
    )
    with start([sys.executable, str(script), str(folder)], env={"HOW": "late"}) as (job, read):
        while not (folder / "dropped").exists():
            time.sleep(0.01)
        before = log.stat().st_ino
        refused = python(script, str(folder), env={"HOW": "again"})
        assert "CacheBusyError" in refused.stderr
        assert log.stat().st_ino == before
        (folder / "go").touch()
        assert job.wait(30) == 0, read()
    assert stored(folder) == 8
