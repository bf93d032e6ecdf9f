"""A step that opens and closes the index as a plain file drops SQLite's locks (POSIX does): that is seen."""

import re
import sys
import time
from pathlib import Path

import pytest

from tests.mpi import python, start

from .tools import query

STUDY = """
import os, shutil, subprocess, sys, time
from pathlib import Path
import ezpyp

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
        (here / "cache" / "ezpyp.sqlite").read_bytes()
        subprocess.run([sys.executable, here / "look.py", here], check=True)
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


@pytest.fixture
def script(tmp_path: Path) -> Path:
    (tmp_path / "look.py").write_text(LOOK)
    (tmp_path / "study.py").write_text(STUDY)
    return tmp_path / "study.py"


def stored(folder: Path) -> int:
    return int(query(folder / "cache", "SELECT count(*) FROM results")[0][0])


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
