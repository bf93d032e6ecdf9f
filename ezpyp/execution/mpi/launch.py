"""Is this process a rank of an MPI job? Answered from the environment, without touching MPI.

mpi4py is imported only where the answer is yes, so that a serial run needs no MPI library, and a script that
is started without a launcher never waits for one.
"""

import os
import zlib
from collections.abc import Mapping
from typing import NamedTuple

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
    """What the environment says of the job that this process is a rank of.

    Attributes:
        launcher: Name of the launcher, for messages.
        rank: Number of this rank, where the launcher says it.
        size: Number of ranks, where the launcher says it.
        local_size: Number of ranks on this machine, where the launcher says it.
    """

    launcher: str
    rank: int | None
    size: int | None
    local_size: int | None = None


def detect(environ: Mapping[str, str], pid: int | None = None) -> Launch | None:
    """Find the launcher that started this process as a rank.

    Args:
        environ: Environment variables.
        pid: Process id of this process (default: the real one).

    Returns:
        The launch, or ``None`` where this is no rank: no launcher, or a child process of a rank.

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
