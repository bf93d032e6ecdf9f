"""A location that is another folder on each host is refused before anything there is touched."""

import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ezpyp.execution.mpi import connect as _sharing
from ezpyp.execution.mpi.connect import not_shared
from ezpyp.execution.mpi.ranks import RankCommunicator
from tests.execution.local_ranks import run_ranks
from tests.mpi import mpirun

SCRIPT = """
import os, sys
rank = int(os.environ.get("PMI_RANK") or os.environ["OMPI_COMM_WORLD_RANK"])
# Two hosts of two ranks, each with a /tmp of its own.
uname = os.uname()
os.uname = lambda: os.uname_result((uname.sysname, f"node{rank // 2}", *uname[2:]))
import ezpyp
from ezpyp.execution.mpi import connect
connect.PATIENCE_S = 0.1
pipeline = ezpyp.Pipeline(f"{sys.argv[1]}/node{rank // 2}/cache", "study")
pipeline.step(abs).map(range(3))
pipeline.execute()
print("went on")
"""


def ask(folder: Path, size: int) -> list[object]:
    def main(communicator: RankCommunicator) -> object:
        communicator.introduce()
        return not_shared(communicator, folder / "here" if communicator.rank != 2 else folder / "there")

    return run_ranks(size, main)  # type: ignore[return-value]


def test_a_shared_folder_is_fine_and_left_as_it_was(tmp_path: Path) -> None:
    assert ask(tmp_path, 2) == [None, None]
    assert [path.name for path in tmp_path.rglob("*")] == ["here"]
    (tmp_path / "here").rmdir()
    (tmp_path / "here").write_text("a file")
    assert ask(tmp_path, 2) == [None, None]  # rank 0 cannot write there, and says so when it opens the index


def test_every_rank_learns_which_rank_does_not_see_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_sharing, "PATIENCE_S", 0.1)

    errors = ask(tmp_path / "new", 4)

    assert len({str(error) for error in errors}) == 1
    assert "is not seen by rank 2 on host host2: " in str(errors[0])
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_shows_late_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "here").mkdir()

    def late(_: float) -> None:
        if not (tmp_path / "there").exists():
            (tmp_path / "there").symlink_to(tmp_path / "here")

    monkeypatch.setattr(_sharing, "time", SimpleNamespace(sleep=late, monotonic=time.monotonic))

    assert ask(tmp_path, 3) == [None] * 3


@pytest.mark.mpi
def test_a_job_ends_on_every_rank_before_the_cache_is_touched(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    kept = tmp_path / "node0" / "cache" / "kept"
    kept.parent.mkdir(parents=True)
    kept.touch()

    job = mpirun(4, script, str(tmp_path), timeout=20)

    assert job.returncode != 0
    assert "went on" not in job.stdout
    assert "is not seen by rank 2 on host node1, rank 3 on host node1: every rank must reach the same" in job.stderr
    assert job.stderr.count("Traceback") == 1
    assert [path.name for path in kept.parent.iterdir()] == ["kept"]
    assert not (tmp_path / "node1").exists()
