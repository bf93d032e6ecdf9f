"""The communicator of this process."""

import functools
import os

from ezpyp.execution._communicator import Communicator, SerialCommunicator
from ezpyp.execution._launch import OWNER, detect, owner_mark


def connect() -> Communicator:
    """The communicator of this process: serial without a launcher, else over MPI.

    The first call in a rank imports mpi4py, and waits for the other ranks to make the same call. Later calls
    return the same communicator. A process forked off by a rank is serial.

    Raises:
        LaunchError: No MPI library, or not the launcher's; on every rank, before anything else was touched.
    """
    return _connect(os.getpid())


@functools.cache
def _connect(pid: int) -> Communicator:
    launch = detect(os.environ, pid)
    if launch is None or launch.size == 1:
        return SerialCommunicator()
    os.environ[OWNER] = owner_mark(os.environ, pid)
    # Here, not above: it needs mpi4py, which takes 80 ms (MPICH) to 1 s (Open MPI), and an MPI library.
    from ezpyp.execution._mpi_communicator import join

    return join(launch)
