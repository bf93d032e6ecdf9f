"""200 tasks of 10 ms of pure Python with what others offer: ``python -m benchmarks.parallel._peers NAME``."""

import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from importlib import import_module

from benchmarks.parallel._work import busy

TASKS = 200


def _serial() -> float:
    started = time.perf_counter()
    for number in range(TASKS):
        busy(number)
    return time.perf_counter() - started


def _halves() -> float:
    """Two forked processes with half of the tasks each: what two cores give."""
    started = time.perf_counter()
    child = os.fork()
    for number in range(TASKS // 2):
        busy(number)
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    return time.perf_counter() - started


def _mpi_futures() -> float:
    from mpi4py.futures import MPIPoolExecutor

    with MPIPoolExecutor() as pool:
        list(pool.map(busy, range(2)))  # the pool is up
        started = time.perf_counter()
        list(pool.map(busy, range(TASKS)))
        return time.perf_counter() - started


def _pool() -> float:
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(busy, range(2)))
        started = time.perf_counter()
        list(pool.map(busy, range(TASKS)))
        return time.perf_counter() - started


def _joblib() -> float:
    from joblib import Parallel, delayed

    with Parallel(n_jobs=2) as parallel:
        parallel(delayed(busy)(number) for number in range(2))
        started = time.perf_counter()
        parallel(delayed(busy)(number) for number in range(TASKS))
        return time.perf_counter() - started


def _dask() -> float:
    dask = import_module("dask")
    tasks = [dask.delayed(busy)(number) for number in range(TASKS)]
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(busy, range(2)))
        started = time.perf_counter()
        dask.compute(*tasks, scheduler="processes", pool=pool)
        return time.perf_counter() - started


PEERS: dict[str, tuple[int, str, Callable[[], float]]] = {
    "serial": (0, "sys", _serial),
    "two forked halves": (0, "os", _halves),
    "mpi4py.futures, 2 ranks": (2, "mpi4py.futures", _mpi_futures),
    "mpi4py.futures, 3 ranks": (3, "mpi4py.futures", _mpi_futures),
    "process pool of 2": (0, "concurrent.futures", _pool),
    "joblib, 2 jobs": (0, "joblib", _joblib),
    "dask, 2 processes": (0, "dask", _dask),
}
"""Ranks (0 without mpirun), the module that it needs, and what it does."""

if __name__ == "__main__":
    try:
        print(json.dumps({"wall_s": PEERS[sys.argv[1]][2]()}))
    except ImportError:
        print("null")
