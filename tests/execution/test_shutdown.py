"""How ranks part, below any run; what kills a rank, or breaks its script, is in ``contract/test_endings.py``."""

import re
from pathlib import Path

import pytest

from tests.mpi import mpirun

SCRIPTS = Path(__file__).parent / "scripts"

pytestmark = pytest.mark.mpi

LIMIT_S = 15.0
"""For a whole job, start-up included (0.4 s with MPICH, 1.5 s with Open MPI); a hang takes for ever."""


@pytest.mark.parametrize(
    ("wait", "how", "said"),
    [
        # A hook of the user's that hides ours does not keep the job going.
        (
            "receive",
            "later hook",
            r"later hook saw ValueError\('broken script'\)(?s:.*)ezpyp: ValueError on rank 1 of 2",
        ),
        ("flush", "exit", r"RankLeftError: rank 1 on host \S+ ended the script"),
        ("calls", "exit handler", r"RankLeftError: rank 1 on host \S+ ended the script"),
    ],
)
def test_a_rank_that_ends_is_named(wait: str, how: str, said: str) -> None:
    job = mpirun(2, SCRIPTS / "one_rank_ends.py", wait, "1", how, timeout=LIMIT_S)

    assert job.returncode == 1
    assert re.search(said, job.stderr)


def test_a_normal_end_takes_no_time() -> None:
    job = mpirun(4, SCRIPTS / "all_end.py", "idle", timeout=LIMIT_S)

    assert (job.returncode, job.stderr) == (0, "")
    delays = [float(text) for text in re.findall(r"left after (\S+) s", job.stdout)]
    assert len(delays) == 4
    assert max(delays) < 0.2
    # And a rank that waits leaves its core to others.
    shares = [float(text) for text in re.findall(r"rank [123] used (\S+)", job.stdout)]
    assert len(shares) == 3
    assert max(shares) < 0.05


def test_ranks_that_are_done_wait_for_one_that_works_on_and_keep_their_exit_code() -> None:
    job = mpirun(2, SCRIPTS / "all_end.py", "rank 0 works on", timeout=LIMIT_S)

    assert job.returncode == 3
    assert "ezpyp:" not in job.stderr  # Open MPI's launcher tells of the exit code there
    assert "Traceback" not in job.stderr
    assert "rank 0 is done" in job.stdout
    assert job.stdout.count("left after") == 2
