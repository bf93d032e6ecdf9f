"""However a rank ends, the job ends on every rank: soon, with a truthful exit code, saying which rank."""

import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.mpi import job_members, mpi_python, mpirun, mpirun_command, start

SCRIPTS = Path(__file__).parent / "scripts"

pytestmark = pytest.mark.mpi

LIMIT_S = 15.0
"""For a whole job, start-up included (0.4 s with MPICH, 1.5 s with Open MPI); a hang takes for ever."""


def ends(
    wait: str, victim: int, how: str, detail: str = "0", *, ranks: int = 2, timeout_s: float = 60
) -> subprocess.CompletedProcess[str]:
    args = (wait, str(victim), how, detail)
    env = {"EZPYP_JOIN_TIMEOUT_S": str(timeout_s)}
    return mpirun(ranks, SCRIPTS / "one_rank_ends.py", *args, env=env, timeout=LIMIT_S)


@pytest.mark.parametrize("victim", [0, 1])
def test_an_error_in_the_script_is_shown_and_ends_the_job(victim: int) -> None:
    job = ends("calls", victim, "raise", ranks=3)

    assert job.returncode == 1
    assert "ValueError: broken script" in job.stderr
    assert re.search(rf"ezpyp: ValueError on rank {victim} of 3, host \S+: the job ends", job.stderr)


@pytest.mark.parametrize("hook", ["earlier hook", "later hook"])
def test_a_users_excepthook_still_runs(hook: str) -> None:
    job = ends("receive", 1, hook)

    assert job.returncode == 1
    assert f"{hook} saw ValueError('broken script')" in job.stderr
    assert "ezpyp: ValueError on rank 1 of 2" in job.stderr


def test_ctrl_c_on_a_rank_ends_the_job_as_interrupted() -> None:
    job = ends("calls", 1, "signal", "SIGINT")

    assert job.returncode == 130
    assert "ezpyp: KeyboardInterrupt on rank 1 of 2" in job.stderr


@pytest.mark.parametrize(
    ("wait", "victim", "how", "detail"),
    [
        ("calls", 0, "exit", "0"),
        ("calls", 1, "exit", "3"),
        ("receive", 0, "exit", "3"),
        ("flush", 1, "exit", "0"),
        ("calls", 1, "exit handler", ""),
    ],
)
def test_a_rank_that_leaves_is_named_by_those_that_wait(wait: str, victim: int, how: str, detail: str) -> None:
    job = ends(wait, victim, how, detail, ranks=3)

    assert job.returncode == 1
    assert re.search(rf"RankLeftError: rank {victim} on host \S+ ended the script", job.stderr)


@pytest.mark.parametrize(("victim", "status"), [(0, 0), (1, 3)])
def test_os_exit_of_a_rank_is_no_success(victim: int, status: int) -> None:
    """MPICH's launcher kills the other ranks then, and reports the status, 0 included."""
    job = ends("receive", victim, "os._exit", str(status))

    assert job.returncode == (status or 1)
    assert f"ezpyp: os._exit({status}) on rank {victim} of 2" in job.stderr


@pytest.mark.parametrize(("victim", "name"), [(0, "SIGKILL"), (1, "SIGTERM")])
def test_a_killed_rank_ends_the_job(victim: int, name: str) -> None:
    job = ends("calls", victim, "signal", name)

    # MPICH reports the signal's number, Open MPI as a shell does.
    assert job.returncode in (signal.Signals[name], 128 + signal.Signals[name])


@pytest.mark.parametrize(("how", "detail"), [("exit", "0"), ("raise", "")])
def test_a_rank_that_never_joins_ends_the_job_in_the_join_timeout(how: str, detail: str) -> None:
    """The others are inside MPI_Init, where only a watchdog helps; its traceback names the setting."""
    job = ends("join", 1, how, detail, timeout_s=1.5)

    assert job.returncode != 0
    assert "joined" not in job.stdout
    assert "every_rank_must_join_within_ezpyp_join_timeout_s" in job.stderr or "broken script" in job.stderr


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_a_signal_to_mpirun_leaves_nothing_behind(name: str) -> None:
    script = SCRIPTS / "one_rank_ends.py"
    command = [*mpirun_command(), "-n", "3", mpi_python(), str(script), "calls", "99", "raise"]
    with start(command) as (process, read):
        wait_until(lambda: read()[0].count("joined") == 3)
        process.send_signal(signal.Signals[name])
        code = process.wait(10)
        wait_until(lambda: not job_members(read.mark))

    assert code != 0


def wait_until(condition: Callable[[], bool], timeout_s: float = 10) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "still waiting"
        time.sleep(0.02)


def test_an_error_on_every_rank_alike_is_shown_once() -> None:
    job = mpirun(3, SCRIPTS / "all_end.py", "collective error", timeout=LIMIT_S)

    assert job.returncode == 1
    assert job.stderr.count("SomeError: conflict on every rank") == 1
    assert "the job ends" not in job.stderr
    assert job.stdout.count("left after") == 3


def test_ranks_that_exit_alike_keep_their_exit_code() -> None:
    job = mpirun(3, SCRIPTS / "all_end.py", "exit 3", timeout=LIMIT_S)

    assert (job.returncode, job.stdout.count("left after")) == (3, 3)


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


def test_a_rank_that_is_done_waits_for_one_that_works_on() -> None:
    job = mpirun(2, SCRIPTS / "all_end.py", "rank 0 works on", timeout=LIMIT_S)

    assert (job.returncode, job.stderr) == (0, "")
    assert "rank 0 is done" in job.stdout
