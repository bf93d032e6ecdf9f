"""Start real MPI jobs from tests: ``mpirun(4, script)``, with a hard time limit.

The MPI flavour comes from the environment, so that one suite is run on several:

- nothing set: the ``mpirun`` beside ``sys.executable`` (the ``mpich`` wheel puts it there), else PATH's;
- ``EZPYP_TEST_MPIRUN``: a whole command prefix, such as ``"/opt/openmpi/bin/mpirun --oversubscribe"``;
- ``EZPYP_TEST_MPI_PYTHON``: the Python whose mpi4py fits that ``mpirun`` (default: ``sys.executable``).

A missing ``mpirun`` is a failure, never a skip.
"""

import atexit
import contextlib
import functools
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
"""Folder of the checkout; put on PYTHONPATH, so that the tested code is this one."""

LAUNCHER_PREFIXES = ("PMI_", "PMIX_", "PMI2_", "OMPI_", "HYDRA_", "HYDI_", "MPI_", "MPIR_", "EZPYP_")
"""Names that a surrounding job would hand down to the jobs that tests start."""

JOB_MARK = "EZPYP_TEST_JOB"
"""Environment variable by which everything that a test started is found again."""

OPEN_MPI_SETTINGS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
"""What Open MPI needs in a container and on two cores; MPICH does not look at it."""


def mpirun_command() -> list[str]:
    """Command prefix that starts an MPI job, to be followed by ``-n N PYTHON SCRIPT``."""
    told = os.environ.get("EZPYP_TEST_MPIRUN")
    if told:
        return shlex.split(told)
    # No resolve(): in a virtual environment the executable is a link out of the folder that holds mpirun.
    beside = Path(sys.executable).parent / "mpirun"
    found = str(beside) if beside.exists() else shutil.which("mpirun")
    if found is None:
        raise FileNotFoundError('no mpirun: pip install "ezpyp[mpi]", or set EZPYP_TEST_MPIRUN')
    return [found]


def mpi_python() -> str:
    """The Python that MPI jobs run."""
    return os.environ.get("EZPYP_TEST_MPI_PYTHON", sys.executable)


def clean_environ(env: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment without a surrounding job's variables, with the checkout importable, `env` on top."""
    kept = {name: text for name, text in os.environ.items() if not name.startswith(LAUNCHER_PREFIXES)}
    # Compiled once for all jobs, wherever pyc files may otherwise not be written: 0.12 s a rank.
    kept.pop("PYTHONDONTWRITEBYTECODE", None)
    compiled = {"PYTHONPYCACHEPREFIX": compiled_folder()}
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, [kept.get("PYTHONPATH")])])}
    return kept | OPEN_MPI_SETTINGS | paths | compiled | dict(env or {})


@functools.cache
def compiled_folder() -> str:
    """Folder of this test session for compiled modules, removed at its end."""
    folder = tempfile.mkdtemp(prefix="ezpyp-tests-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def mpirun(n: int, script: str | Path, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``mpirun -n N python SCRIPT ARGS`` to its end; the options are those of `run`."""
    return run([*mpirun_command(), "-n", str(n), mpi_python(), str(script), *args], **options)


def python(script: str | Path, *args: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run ``python SCRIPT ARGS`` without a launcher, otherwise like `mpirun`."""
    return run([mpi_python(), str(script), *args], **options)


def run(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    timeout: float = 60,
    cwd: str | Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run a command and kill it, with everything that it started, at the time limit.

    Args:
        command: The words of it.
        env: Variables set on top of the cleaned environment.
        timeout: Seconds after which all is killed.
        cwd: Its working folder.

    Raises:
        subprocess.TimeoutExpired: The time limit was reached; carries what was printed until then.
    """
    with start(command, env=env, cwd=cwd) as (process, read):
        try:
            process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise subprocess.TimeoutExpired(command, timeout, *read()) from None
        return subprocess.CompletedProcess(command, process.returncode, *read())


@contextlib.contextmanager
def start(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | Path | None = None
) -> Iterator[tuple[subprocess.Popen[bytes], "Reader"]]:
    """A running command and a function that reads what it has printed; killed whole at the end of the block.

    For tests that send signals to a running job. Output goes to files, not pipes: a rank that outlives its
    mpirun would hold a pipe open, and reading it to the end would wait for that rank.
    """
    mark = uuid.uuid4().hex
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        process = subprocess.Popen(
            command,
            # Not DEVNULL: MPICH's mpirun may end the job when its stdin ends before rank 0 has started ("process
            # reading stdin too slowly", 36 of 40 on a busy machine; 0 of 40 with a pipe that stays open).
            stdin=subprocess.PIPE,
            stdout=out,
            stderr=err,
            env=clean_environ(env) | {JOB_MARK: mark},
            cwd=cwd,
            start_new_session=True,  # a test's Ctrl-C, or a rank's killpg, stays on its own side
        )
        try:
            yield process, Reader(mark, out.fileno(), err.fileno())
        finally:
            kill_job(process, mark)
            if process.stdin:
                process.stdin.close()


class Reader:
    """Reads what a job has printed so far: ``read() -> (stdout, stderr)``; `mark` is for `job_members`."""

    def __init__(self, mark: str, *descriptors: int) -> None:
        self.mark = mark
        self._descriptors = descriptors

    def __call__(self) -> tuple[str, str]:
        out, err = (self._text(descriptor) for descriptor in self._descriptors)
        return out, err

    @staticmethod
    def _text(descriptor: int) -> str:
        # pread leaves the file position alone, which the job's own writes share.
        return os.pread(descriptor, os.fstat(descriptor).st_size, 0).decode(errors="replace")


def job_members(mark: str) -> list[int]:
    """Processes that carry a job's mark in the environment that they were started with.

    Neither process groups nor sessions will do: Hydra and PRRTE give ranks groups of their own, and a rank
    that outlives its mpirun is no longer its descendant.
    """
    members = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f"{JOB_MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                members.append(int(folder.name))
    return members


def kill_job(process: subprocess.Popen[bytes], mark: str) -> None:
    """End a started command and everything that it started, and nothing else."""
    for pid in {process.pid, *job_members(mark)} if process.poll() is None else job_members(mark):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    process.wait()
    # What Open MPI's mpirun leaves behind when it is killed: a later one whose process has the same number would refuse
    # to start ("the PMIx server's listener thread failed to start"). Tests kill many, and process numbers come back.
    # (A folder of its own for each job is no way out: then that mpirun often crashes when a rank never joins.)
    shutil.rmtree(Path(tempfile.gettempdir()) / f"ompi.{process.pid}", ignore_errors=True)
