"""Start one measurement in processes of its own and read its numbers."""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 300
SETTINGS = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
"""What Open MPI needs on a machine with fewer cores than ranks."""


def job(ranks: int, *args: str) -> dict[str, Any]:
    """Run a job of `benchmarks.parallel._jobs` on so many ranks (0 for serial); the numbers that rank 0 prints."""
    with tempfile.TemporaryDirectory(prefix="ezpyp-bench-") as folder:
        return _numbers(ranks, ["benchmarks.parallel._jobs", folder, *args]) or {}


def peer(name: str) -> float | None:
    """Seconds that a peer takes for 200 tasks of 10 ms; None where it is not installed."""
    from benchmarks.parallel._peers import PEERS

    ranks, module, _ = PEERS[name]
    found = _numbers(
        ranks, [*(["mpi4py.futures", "-m"] if module == "mpi4py.futures" else []), "benchmarks.parallel._peers", name]
    )
    return None if found is None else float(found["wall_s"])


def _numbers(ranks: int, args: list[str]) -> dict[str, Any] | None:
    launcher = [str(Path(sys.executable).parent / "mpirun"), "-n", str(ranks)] if ranks else []
    done = subprocess.run(
        [*launcher, sys.executable, "-m", *args],
        env=os.environ | SETTINGS | {"PYTHONPATH": str(ROOT), "EZPYP_PROGRESS": "0"},
        stdin=subprocess.DEVNULL if not ranks else None,
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(args)} on {ranks} ranks ended with {done.returncode}:\n{done.stderr[-2000:]}")
    found: dict[str, Any] | None = json.loads(done.stdout.strip().splitlines()[-1])
    return found
