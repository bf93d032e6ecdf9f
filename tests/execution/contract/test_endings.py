"""What kills a rank, or breaks its script, ends the job on every rank: soon, with a message, and what finished is kept.

A job that does not end is killed at its time limit, and fails the test.
"""

import os
import re
import signal
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess, Popen, TimeoutExpired

import pytest

import ezpyp
from tests.acceptance.tools import query
from tests.mpi import Reader, job_members, mpi_python, mpirun, mpirun_command, python, start

VICTIM = Path(__file__).with_name("victim.py")
LIMIT_S = 20.0
"""10 s, and the start of the job: half a second with MPICH, two with Open MPI, several on a busy machine."""

pytestmark = pytest.mark.mpi


@dataclass(frozen=True, slots=True)
class Case:
    """How a rank ends in the middle of a step, and what the launcher and the rank report.

    Attributes:
        size: Number of ranks; 0 for a serial run.
        who: The rank.
        how: What it does.
        codes: Exit codes of MPICH's launcher and of Open MPI's.
        said: What the rank says itself; "" where it cannot say anything any more.
    """

    size: int
    who: int
    how: str
    codes: tuple[int, ...]
    said: str = ""

    def __str__(self) -> str:
        return f"{self.how} on {self.who} of {self.size}"


INTERRUPTED = (130,)
TERMINATED = (143,)
KILLED = (9, 137)
IN_STEP = [
    Case(4, 0, "SIGKILL", KILLED),
    Case(2, 1, "SIGTERM", TERMINATED, "SIGTERM"),
    Case(2, 1, "os._exit(0)", (1,), "os._exit(0)"),
    Case(2, 0, "KeyboardInterrupt", INTERRUPTED, "KeyboardInterrupt"),
    Case(2, 1, "MPI.Finalize()", (1,), "MPI.Finalize()"),
]


def victim(tmp_path: Path, size: int, where: str, who: int, how: str, **env: str) -> CompletedProcess[str]:
    args = (str(tmp_path / "cache"), where, str(who), how)
    if size == 0:
        return python(VICTIM, *args, timeout=LIMIT_S)
    return mpirun(size, VICTIM, *args, env=env, timeout=LIMIT_S)


def kept(tmp_path: Path) -> None:
    """What was finished is recorded, nobody holds the location, and the next run goes on."""
    cache = ezpyp.open_cache(tmp_path / "cache")
    assert [cache.get_result(f"quick[x={x}]") for x in range(20)] == list(range(20))
    pipeline = ezpyp.Pipeline(tmp_path / "cache", "victim")
    pipeline.step(len, name="after")([1, 2])
    assert pipeline.execute(output="none").ok


def one_line_a_rank(stderr: str, size: int) -> None:
    said = re.findall(r"^ezpyp: .* on rank (\d+) of", stderr, re.MULTILINE)
    assert len(said) == len(set(said)) <= size
    assert "Traceback" not in stderr


@pytest.mark.parametrize("case", IN_STEP, ids=str)
def test_a_rank_that_ends_in_a_step_ends_the_job(tmp_path: Path, case: Case) -> None:
    job = victim(tmp_path, case.size, "step", case.who, case.how)

    assert job.returncode in case.codes
    assert "went on" not in job.stdout
    one_line_a_rank(job.stderr, case.size)
    if case.said:
        told = rf"^ezpyp: {re.escape(case.said)} on rank {case.who} of {case.size}, host \S+.* in step 'held\[x=\d\]'"
        assert re.search(told, job.stderr, re.MULTILINE)
    # The rows tell where each long step ran, also where nothing could be said any more.
    rows = query(tmp_path / "cache", "SELECT rank, host FROM current_steps WHERE status = -2")
    assert {rank for rank, _ in rows} == set(range(case.size))
    assert {host for _, host in rows} == {os.uname().nodename}
    kept(tmp_path)


def test_the_next_run_names_the_steps_ranks_and_hosts_of_one_that_was_killed(tmp_path: Path) -> None:
    """MPICH's launcher kills all ranks when one is killed: nobody is left to say it at once."""
    with running(tmp_path, 2) as (process, read):
        time.sleep(1.5)
        for pid in job_members(read.mark):
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(LIMIT_S)

    job = victim(tmp_path, 0, "nowhere", 0, "nothing")
    host = re.escape(os.uname().nodename)
    at = ", ".join(rf"'held\[x=\d\]' on rank {rank} of {host}" for rank in range(2))
    assert re.search(
        rf"^Run 2 was killed on {host} while it ran {at}; what had finished is kept$", job.stdout, re.MULTILINE
    )
    assert job.stdout.count("was killed") == 1


@pytest.mark.parametrize("how", ["KeyboardInterrupt", "os._exit(3)", "SIGTERM"])
def test_a_serial_run_ends_with_the_same_codes(tmp_path: Path, how: str) -> None:
    job = victim(tmp_path, 0, "step", 0, how)

    # A signal that ends a process without a launcher has its number negative.
    assert job.returncode in {"KeyboardInterrupt": (130, -2), "os._exit(3)": (3,), "SIGTERM": (-15,)}[how]
    kept(tmp_path)


@pytest.mark.parametrize(("size", "name"), [(2, "SIGINT"), (4, "SIGTERM")])
def test_a_signal_to_mpirun_ends_all_ranks_with_a_line_each(tmp_path: Path, size: int, name: str) -> None:
    with running(tmp_path, size) as (process, read):
        process.send_signal(signal.Signals[name])
        code = process.wait(LIMIT_S)
        wait_until(lambda: not job_members(read.mark))
        stderr = read()[1]

    assert code != 0
    one_line_a_rank(stderr, size)
    assert query(tmp_path / "cache", "SELECT status FROM runs ORDER BY started_at DESC LIMIT 1") == [("interrupted",)]
    kept(tmp_path)


@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_ranks_that_are_in_c_code_end_too(tmp_path: Path, name: str) -> None:
    """Python's handlers wait for the main thread, which is not in Python."""
    with running(tmp_path, 2, "nothing, in C code") as (process, read):
        time.sleep(1.5)  # by then the bodies are there
        process.send_signal(signal.Signals[name])
        code = process.wait(LIMIT_S)
        wait_until(lambda: not job_members(read.mark))  # Open MPI's launcher does not wait for them

    assert code != 0
    kept(tmp_path)


def test_sigterm_to_all_ranks_as_a_batch_system_sends_it(tmp_path: Path) -> None:
    with running(tmp_path, 4) as (process, read):
        for pid in 2 * ranks_of(read.mark):  # and again: launchers do so while the first is being obeyed
            os.kill(pid, signal.SIGTERM)
        code = process.wait(LIMIT_S)
        stderr = read()[1]

    assert code in TERMINATED
    one_line_a_rank(stderr, 4)
    assert re.search(r"^ezpyp: SIGTERM on rank \d of 4, host \S+.* in step 'held\[x=\d\]'", stderr, re.MULTILINE)
    kept(tmp_path)


NOT_0 = range(1, 256)
LEFT = r"RankLeftError: rank {} on host \S+ ended the script"
RAISED = r"RuntimeError: only here(?s:.*)^ezpyp: RuntimeError on rank {} of {}, host \S+: the job ends"
NO_ROOM = r"rank 2 on host \S+ has no room to store the result of step 'held\[x=\d+\]': .*ulimit"
NO_INDEX = r"^ezpyp: StoreError on rank 0 of 2, host \S+.* in step 'held\[x=\d\]'.*: .*ezpyp\.sqlite"


@pytest.mark.parametrize(
    ("size", "where", "who", "how", "codes", "said"),
    [
        (4, "between two runs", 0, "raises", {1}, RAISED.format(0, 4)),
        (2, "at the end", 1, "raises", {1}, RAISED.format(1, 2)),
        (4, "between two runs", 0, "leaves", NOT_0, LEFT.format(0)),
        (2, "between two runs", 1, "MPI.Finalize()", NOT_0, LEFT.format(1)),
        (4, "between two runs", 2, "full disk", NOT_0, NO_ROOM),
        # An error that every rank raises alike is shown once, and needs no abort.
        (4, "between two runs", 0, "full disk", {1}, r"^ezpyp\.errors\.StoreError: "),
        # Nothing of what the bodies compute could be recorded: they are not waited for.
        (2, "step", 1, "index removed", {1}, NO_INDEX),
    ],
)
def test_no_rank_waits_for_one_that_is_broken(
    tmp_path: Path, size: int, where: str, who: int, how: str, codes: Collection[int], said: str
) -> None:
    job = victim(tmp_path, size, where, who, how)

    assert job.returncode in codes
    assert "went on" not in job.stdout or where == "at the end"
    assert re.search(said, job.stderr, re.MULTILINE)
    if (who, how) == (0, "full disk"):
        assert len(re.findall(said, job.stderr, re.MULTILINE)) == 1
        assert "the job ends" not in job.stderr
    if who == 2:
        statement = "SELECT type, rank FROM failures NATURAL JOIN current_steps WHERE status = 1"
        assert set(query(tmp_path / "cache", statement)) == {("ezpyp.errors.StoreError", 2)}
    if where == "between two runs":
        kept(tmp_path)


@pytest.mark.parametrize("how", ["leaves", "SIGKILL"])
def test_a_rank_that_never_joins_ends_the_job_in_the_join_timeout(tmp_path: Path, how: str) -> None:
    """The others are inside MPI_Init, where only a watchdog helps; its traceback names the setting.

    It is the ranks that must be gone. Open MPI's launcher (5.0.11) may itself crash or hang after it has ended them,
    where one was just connecting to it.
    """
    with started(tmp_path, 2, "before joining", 1, how, EZPYP_JOIN_TIMEOUT_S="1.5") as (process, read):
        wait_until(lambda: process.poll() is not None or (read()[1] and not ranks_of(read.mark)))
        with suppress(TimeoutExpired):
            assert process.wait(2) != 0
        out, err = read()

    assert "went on" not in out
    assert how == "SIGKILL" or "every_rank_must_join_within_ezpyp_join_timeout_s" in err


def test_a_rank_0_that_catches_ctrl_c_does_not_wait_for_the_others_bodies(tmp_path: Path) -> None:
    """The others know nothing of it, and compute for a minute what nobody will record."""
    with running(tmp_path, 2, "catches Ctrl-C") as (process, read):
        os.kill(int(re.findall(r"process (\d+) of rank 0", read()[0])[0]), signal.SIGINT)
        code = process.wait(LIMIT_S)
        wait_until(lambda: not job_members(read.mark))
        out, err = read()

    assert code not in (0, None)
    assert "went on" not in out
    assert "rank 0 left a call by KeyboardInterrupt" in err


@contextmanager
def running(tmp_path: Path, size: int, how: str = "nothing") -> Iterator[tuple["Popen[bytes]", Reader]]:
    """A job whose ranks are all in a step that goes on for a minute."""
    with started(tmp_path, size, "step", 99, how) as (process, read):
        wait_until(lambda: read()[0].count("held ") == size)
        yield process, read


def started(
    tmp_path: Path, size: int, where: str, who: int, how: str, **env: str
) -> AbstractContextManager[tuple["Popen[bytes]", Reader]]:
    args = [str(tmp_path / "cache"), where, str(who), how]
    return start([*mpirun_command(), "-n", str(size), mpi_python(), str(VICTIM), *args], env=env)


def ranks_of(mark: str) -> list[int]:
    """Process ids of a job's ranks: of what it started, those that run Python."""
    return [pid for pid in job_members(mark) if program(pid).startswith("python")]


def program(pid: int) -> str:
    """The name of what a process runs; "" where it has just ended."""
    try:
        return Path(os.readlink(f"/proc/{pid}/exe")).name
    except FileNotFoundError:
        return ""


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < deadline, "still waiting"
        time.sleep(0.02)
