"""Whether a process is a rank, and what happens when launcher and MPI library do not fit."""

import os
import re
from pathlib import Path

import pytest

from ezpyp.execution.mpi.communicator import OWNER, detect, owner_mark
from tests.mpi import ROOT, mpirun, python

SCRIPTS = Path(__file__).parent / "scripts"

ENVIRONMENTS = {
    "MPICH": ({"PMI_RANK": "1", "PMI_SIZE": "4", "PMI_FD": "9", "MPI_LOCALNRANKS": "2"}, 1, 4),
    "MPICH -pmi-port": ({"PMI_ID": "1", "PMI_PORT": "node:37021", "MPI_LOCALNRANKS": "2"}, 1, None),
    "Open MPI": ({"OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_SIZE": "4", "PMIX_RANK": "3"}, 3, 4),
    "PALS": ({"PALS_RANKID": "5", "PMI_RANK": "5", "PMI_SIZE": "8"}, 5, 8),
    "PALS without a size": ({"PALS_RANKID": "5"}, 5, None),
    "MVAPICH": ({"MV2_COMM_WORLD_RANK": "0", "MV2_COMM_WORLD_SIZE": "2"}, 0, 2),
    "Flux": ({"FLUX_TASK_RANK": "2", "FLUX_JOB_SIZE": "3"}, 2, 3),
    "srun, PMIx": ({"PMIX_RANK": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"}, 1, 2),
    "srun, PMI": ({"PMI_RANK": "1", "SLURM_STEP_NUM_TASKS": "2", "SLURM_PROCID": "1"}, 1, 2),
    "MPICH in a Slurm job": ({"PMI_RANK": "9", "PMI_SIZE": "64", "SLURM_STEP_NUM_TASKS": "2"}, 9, 64),
    "PMIx alone": ({"PMIX_RANK": "1"}, 1, None),
}


@pytest.mark.parametrize(("environ", "rank", "size"), ENVIRONMENTS.values(), ids=ENVIRONMENTS)
def test_every_launcher_is_seen_and_a_child_process_of_a_rank_is_no_rank(environ, rank, size):
    launch = detect(environ)
    assert launch is not None
    assert (launch.rank, launch.size) == (rank, size)

    marked = environ | {OWNER: owner_mark(environ, pid=100)}
    assert detect(marked, pid=100) == launch
    assert detect(marked, pid=101) is None


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"SLURM_PROCID": "0", "SLURM_NTASKS": "64", "SLURM_JOB_ID": "7"},
        {"SLURM_STEP_NUM_TASKS": "1"},
        {"PMI_ID": "0"},
        {"PMI_SIZE": "4"},
        {"OMPI_COMM_WORLD_SIZE": "4"},
        {"PMI_RANK": "", "PMIX_RANK": "none"},
        {"PBS_JOBID": "12", "PBS_NP": "8"},
    ],
    ids=str,
)
def test_without_a_launcher_there_is_no_launch(environ: dict[str, str]) -> None:
    assert detect(environ) is None


@pytest.mark.parametrize(
    "changed",
    [{"SLURM_JOB_ID": "8"}, {"PMI_SIZE": "2"}, {"PMI_FD": "11"}, {"PMIX_NAMESPACE": "other"}],
    ids=str,
)
def test_a_job_started_by_a_rank_is_launched_anew(changed: dict[str, str]) -> None:
    """``sbatch next.slurm`` in a step hands the whole environment down, the mark included."""
    environ = {"PMI_RANK": "0", "PMI_SIZE": "4", "PMI_FD": "9", "SLURM_JOB_ID": "7"}
    inherited = environ | {OWNER: owner_mark(environ, pid=100)} | changed

    assert detect(inherited, pid=100 + 1) is not None


@pytest.mark.mpi
def test_children_of_ranks_are_serial() -> None:
    # Python 3.12 warns of any fork beside threads, and MPI has some.
    job = mpirun(2, SCRIPTS / "children.py", env={"PYTHONWARNINGS": "ignore::DeprecationWarning"}, timeout=20)

    assert (job.returncode, job.stderr) == (0, "")
    ways = ("fork", "os.fork", "spawn", "subprocess")
    assert sorted(job.stdout.splitlines()) == [f"{rank} {how} 0 of 1" for rank in (0, 1) for how in ways]


@pytest.mark.mpi
@pytest.mark.parametrize("how", ["initializes late", "finalizes"])
def test_a_script_may_use_mpi_itself(how: str) -> None:
    job = mpirun(2, SCRIPTS / "own_mpi.py", how, timeout=20)

    assert (job.returncode, job.stdout, job.stderr) == (0, "ok\nok\n", "")


# No MPI library of the tests belongs to Flux, so that to each of them this is somebody else's launcher. Without the
# error each process would be rank 0 of 1, all would write the same cache, and the exit code be 0.
FOREIGN = {"FLUX_TASK_RANK": "0", "FLUX_JOB_SIZE": "4"}
NO_LIBRARY = (
    r"Flux started this process as a rank of an MPI job, but mpi4py cannot load an MPI.*pip install \"ezpyp\[mpi\]"
)


@pytest.mark.parametrize(
    ("env", "message"),
    [
        ({}, r"Flux started 4 ranks, but the MPI library that mpi4py loads \(.*sees 1: they do not belong together"),
        ({"MPI4PY_LIBMPI": "/nowhere/libmpi.so"}, NO_LIBRARY),
        ({"PYTHONPATH": os.pathsep.join([".", str(ROOT)])}, rf"{NO_LIBRARY}"),
        ({"EZPYP_JOIN_TIMEOUT_S": "soon"}, r"EZPYP_JOIN_TIMEOUT_S='soon' is not a number of seconds\n"),
    ],
    ids=["another MPI", "no library", "no mpi4py", "no number"],
)
def test_a_launcher_that_does_not_fit_is_an_error(connecting: Path, env: dict[str, str], message: str) -> None:
    if "PYTHONPATH" in env:
        Path("mpi4py.py").write_text("raise ImportError('no such package')")
        message = message.replace(".*", r" library \(no such package\).*")
    rank = python(connecting, env=FOREIGN | env)

    assert (rank.returncode, rank.stdout) == (1, "")
    assert re.match(message, rank.stderr.partition("ezpyp.errors.LaunchError: ")[2])


@pytest.fixture
def connecting(tmp_path: Path) -> Path:
    """A script that connects, and says whether that took mpi4py."""
    script = tmp_path / "connect.py"
    script.write_text(
        "import sys\nfrom ezpyp.execution.mpi.connect import connect\nconnect()\nprint('mpi4py' in sys.modules)"
    )
    return script


def test_a_single_process_needs_no_mpi_library(connecting: Path) -> None:
    for job in (python(connecting), mpirun(1, connecting, env={"MPI4PY_LIBMPI": "/nowhere/libmpi.so"})):
        assert (job.returncode, job.stdout) == (0, "False\n")
