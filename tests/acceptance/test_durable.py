"""``Pipeline(durable=True)``: what was printed as done waits for the disk; without it nothing does."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from ezpyp import Pipeline
from ezpyp.execution import recorder as _recorder
from tests.mpi import mpirun

from .tools import traced

FULL = 2


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files and folders that were made to wait for the disk."""
    names: list[str] = []
    sync = os.fsync

    def note(descriptor: int) -> None:
        names.append(os.readlink(f"/proc/self/fd/{descriptor}"))
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", note)
    return names


@pytest.fixture
def modes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """SQLite's ``synchronous`` at each commit of results."""
    found: list[int] = []
    insert: Callable[..., None] = _recorder.insert_results

    def note(connection: sqlite3.Connection, rows: object) -> None:
        found.append(connection.execute("PRAGMA synchronous").fetchone()[0])
        insert(connection, rows)

    monkeypatch.setattr(_recorder, "insert_results", note)
    return found


@pytest.mark.parametrize("durable", [True, False])
def test_durable_results_and_commits_wait_for_the_disk_and_others_do_not(
    location: Path, synced: list[str], modes: list[int], durable: bool
) -> None:
    pipeline = Pipeline(location, "study", durable=durable)
    pipeline.step(bytes)(100_000)
    pipeline.execute(output="none")

    assert {mode == FULL for mode in modes} == {durable}
    (folder,) = (location / "objects").iterdir()
    assert {str(folder), str(location)} <= set(synced) if durable else synced == []
    assert any(name.endswith(".tmp") for name in synced) == durable


@pytest.mark.mpi
def test_other_ranks_wait_for_the_disk_too(tmp_path: Path) -> None:
    script = tmp_path / "study.py"
    script.write_text(
        """
import os, sys, time
import ezpyp
from tests.acceptance.tools import ran

pipeline = ezpyp.Pipeline(sys.argv[1], "durable", durable=True)
sync = os.fsync

def note(descriptor):
    ran(f"rank {pipeline.rank}")
    sync(descriptor)

os.fsync = note

@ezpyp.as_pickle_step(pipeline)
def large(seed):
    time.sleep(0.1)
    return bytes([seed]) * 50_000

large.map(range(6))
pipeline.execute()
"""
    )
    trace = tmp_path / "trace"
    assert mpirun(2, script, str(tmp_path / "cache"), env=traced(trace)).returncode == 0
    assert set(trace.read_text().split("\n")) >= {"rank 0", "rank 1"}
