"""How a job with ranks is known by its environment, how its ranks talk, and the communicator of a serial run."""

import os
import sys
import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, NoReturn, Protocol, TypeVar

OWNER = "EZPYP_RANK_OWNER"
"""Set by a rank in its own environment: child processes inherit a launcher's variables, but are no ranks."""

# Launcher, variable with the rank, variables with the size (the first that is there counts). In this order:
# Open MPI and PALS set PMIX_ or PMI_ variables too, and their own are the more complete. SLURM_PROCID and
# SLURM_NTASKS must not be here: a plain batch script, which runs once and serially, has them as well.
# SLURM_STEP_NUM_TASKS counts Hydra's proxies where Hydra itself was started through srun, so it comes last.
LAUNCHERS = (
    ("mpirun of Open MPI", "OMPI_COMM_WORLD_RANK", ("OMPI_COMM_WORLD_SIZE",)),
    ("mpirun of MVAPICH", "MV2_COMM_WORLD_RANK", ("MV2_COMM_WORLD_SIZE",)),
    ("PALS", "PALS_RANKID", ("PALS_NRANKS", "PMI_SIZE")),
    ("Flux", "FLUX_TASK_RANK", ("FLUX_JOB_SIZE",)),
    ("mpirun of MPICH (Hydra)", "PMI_RANK", ("PMI_SIZE", "SLURM_STEP_NUM_TASKS")),
    ("srun or another PMIx launcher", "PMIX_RANK", ("SLURM_STEP_NUM_TASKS",)),
)

# Variables that differ from launch to launch. A job that a rank submits inherits the rank's environment, OWNER
# included, but it has a job id of its own, and is launched anew.
LAUNCH_IDS = (
    *("SLURM_JOB_ID", "SLURM_STEP_ID", "PBS_JOBID", "LSB_JOBID", "FLUX_JOB_ID", "PALS_APID", "JOB_ID"),
    *("PMIX_NAMESPACE", "PMI_PORT", "PMI_FD", "PMI_ID", *(rank for _, rank, _ in LAUNCHERS)),
    *(size for _, _, sizes in LAUNCHERS for size in sizes),
)


class Launch(NamedTuple):
    """What the environment says of the job that this process is a rank of; ``local_size`` are those of this machine."""

    launcher: str
    rank: int | None
    size: int | None
    local_size: int | None = None


def detect(environ: Mapping[str, str], pid: int | None = None) -> Launch | None:
    """Find the launcher that started this process as a rank.

    ``None`` where this is no rank: no launcher, or a child process of a rank.

    Example:
        >>> detect({"PMI_RANK": "1", "PMI_SIZE": "4"})
        Launch(launcher='mpirun of MPICH (Hydra)', rank=1, size=4, local_size=None)
        >>> detect({"SLURM_PROCID": "0", "SLURM_NTASKS": "64"}) is None
        True
    """
    if _is_child_of_rank(environ, os.getpid() if pid is None else pid):
        return None
    local_size = _number(environ, "MPI_LOCALNRANKS")
    for launcher, rank, sizes in LAUNCHERS:
        if (number := _number(environ, rank)) is not None:
            known = (size for name in sizes if (size := _number(environ, name)) is not None)
            return Launch(launcher, number, next(known, None), local_size)
    if "PMI_PORT" in environ and (number := _number(environ, "PMI_ID")) is not None:
        # Hydra with -pmi-port names no size. PMI_ID is the rank, unless processes were spawned.
        return Launch("mpirun of MPICH (Hydra)", number, None, local_size)
    return None


def owner_mark(environ: Mapping[str, str], pid: int) -> str:
    """Value of `OWNER` by which a rank claims its launch."""
    launch = "\n".join(f"{name}={environ.get(name)}" for name in LAUNCH_IDS)
    return f"{pid}:{zlib.crc32(launch.encode(errors='surrogateescape')):08x}"


def _is_child_of_rank(environ: Mapping[str, str], pid: int) -> bool:
    """Whether another process already is the rank that these variables were made for."""
    mark = environ.get(OWNER, "")
    owner, _, launch = mark.partition(":")
    return owner != str(pid) and launch == owner_mark(environ, pid).partition(":")[2]


def _number(environ: Mapping[str, str], name: str) -> int | None:
    """A variable's value as a number, or ``None`` where it has none."""
    text = environ.get(name, "").strip()
    return int(text) if text.isascii() and text.isdigit() else None


Value = TypeVar("Value")


class Communicator(Protocol):
    """What the engine needs of the ranks of a job.

    `share` and `collect` are collective: every rank makes the same calls in the same order, with nothing else
    of its own using the communicator meanwhile. `post`, `receive` and `flush` are the engine's channel; what was
    posted before a collective call is never received after it, so that nothing of a run that was broken off can
    be taken for the next one's. No call blocks inside MPI: all waits poll, so that signals are handled and a
    rank that left is noticed.
    """

    doing: Callable[[], str]
    """Says what this rank is at, for its final message: `` in step 'alpha'``."""

    rank: int
    size: int
    host: str
    """Name of this rank's machine."""
    hosts: Sequence[str]
    threaded: bool
    """Whether threads other than the one that connected may use this communicator too."""

    def share(self, value: Value) -> Value:
        """Give rank 0's value to every rank; what the others pass is not looked at.

        Raises:
            RankLeftError: A rank has ended its script, so that it can never make this call.
            RanksDisagreeError: The ranks made different calls before this one.
        """

    def collect(self, value: Value) -> list[Value] | None:
        """Give every rank's value to rank 0, in order of rank; ``None`` on the others. Raises as `share` does."""

    def owe(self, value: object, error: Exception) -> None:
        """Rank 0 leaves a call, by an exception, in which the others still wait for a value that it was to share.

        If it goes on and calls `share` or `collect` once more, they get the value, and the call raises the error.
        """

    def post(self, dest: int, message: object) -> None:
        """Start to send a message, pickled here and now; later calls of `receive` or `flush` complete it."""

    def receive(self) -> tuple[int, object] | None:
        """The next message and the rank that sent it, or ``None`` at once when none has come.

        Messages of one rank come in the order in which it posted them.

        Raises:
            RankLeftError: No message is left to hand out, and a rank has ended its script: any rank where
                this is rank 0, rank 0 elsewhere.
        """

    def flush(self) -> None:
        """Wait until all posted messages are on their way; raises `RankLeftError` where one is for a rank that left."""

    def abort(self, message: str, code: int) -> NoReturn:
        """Print a message to stderr and end the whole job, on every rank, with an exit code."""


class SerialCommunicator:
    """The only rank of a run without MPI."""

    rank = 0
    size = 1
    threaded = True

    def __init__(self) -> None:
        self.host = host_name()
        self.hosts: Sequence[str] = (self.host,)
        self.doing: Callable[[], str] = str
        self._inbox: deque[tuple[int, object]] = deque()

    def share(self, value: Value) -> Value:
        self._inbox.clear()
        return value

    def collect(self, value: Value) -> list[Value] | None:
        self._inbox.clear()
        return [value]

    def owe(self, value: object, error: Exception) -> None:
        pass

    def post(self, dest: int, message: object) -> None:
        if dest != 0:
            raise ValueError(f"no rank {dest}: a serial run has rank 0 alone")
        self._inbox.append((0, message))

    def receive(self) -> tuple[int, object] | None:
        return self._inbox.popleft() if self._inbox else None

    def flush(self) -> None:
        pass

    def abort(self, message: str, code: int) -> NoReturn:
        sys.stderr.write(f"{message}\n")
        raise SystemExit(code)


class Backoff:
    """Pauses between polls: short at first, so that answers are seen at once; longer when nothing comes.

    A rank that spins, or sits in a blocking MPI call, burns a whole core. A sleep costs 50 to 100 us of
    processor time where timers are slow (virtual machines), which at 2 ms is up to 5 % of a core: long waits
    go on slowly to 8 ms, so that an answer is seen after at most a thirtieth of the time waited for it.
    """

    SHORTEST_S = 20e-6
    LONG_S = 2e-3
    LONGEST_S = 8e-3

    def __init__(self) -> None:
        self.delay_s = self.SHORTEST_S

    def wait(self) -> None:
        """Sleep, and make the next sleep longer."""
        time.sleep(self.delay_s)
        if self.delay_s < self.LONGEST_S:
            self.delay_s *= 2 if self.delay_s < self.LONG_S else 1.03

    def reset(self) -> None:
        """Start again from the shortest sleep; call it when something came."""
        self.delay_s = self.SHORTEST_S


def host_name() -> str:
    """Name of this machine, as it stands in rows and messages."""
    # Not socket.gethostname(): importing socket takes 3 ms, and this is on the way of every run.
    return os.uname().nodename
