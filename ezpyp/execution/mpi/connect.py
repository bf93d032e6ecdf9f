"""The communicator of this process."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from ezpyp.errors import ParallelError
from ezpyp.execution.mpi.communicator import OWNER, Communicator, SerialCommunicator, detect, owner_mark


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
    from ezpyp.execution.mpi.transport import join

    return join(launch)


PATIENCE_S = 5.0
"""A network file system may show a new file late."""
SHOWN = 5


def not_shared(communicator: Communicator, location: Path) -> ParallelError | None:
    """Whether some rank does not see what rank 0 puts into a folder; collective, the same answer on every rank.

    A folder such as ``/tmp/cache`` is another one on each host: large results would be missing wherever they were not
    made, hours later. Rank 0 makes it where it is not there yet.
    """
    if communicator.size == 1:
        return None
    made: list[Path] = []
    token = _put_token(location, made) if communicator.rank == 0 else None
    token = communicator.share(token)
    if token is None:
        return None  # rank 0 cannot write there at all, and says so when it opens the index
    seen = communicator.collect(communicator.rank == 0 or _sees(location, token))
    error = None
    if seen is not None:
        error = None if all(seen) else ParallelError(_message(communicator, location, seen))
        _tidy(location, token, made if error else ())
    return communicator.share(error)


def _put_token(location: Path, made: list[Path]) -> str | None:
    import uuid  # 2 ms at import, which a serial run is spared

    token = f".shared-{uuid.uuid4().hex}"
    missing = [folder for folder in (location, *location.parents) if not folder.exists()]
    try:
        for folder in reversed(missing):
            folder.mkdir()
            made.append(folder)
        (location / token).touch(exist_ok=False)
    except OSError:
        return None
    return token


def _sees(location: Path, token: str) -> bool:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        with suppress(OSError):
            # Reading the folder has a network file system ask its server again.
            if token in os.listdir(location):
                return True
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)


def _tidy(location: Path, token: str, made: Sequence[Path]) -> None:
    with suppress(OSError):
        (location / token).unlink()
    with suppress(OSError):
        for folder in reversed(made):
            folder.rmdir()


def _message(communicator: Communicator, location: Path, seen: Sequence[bool]) -> str:
    blind = [f"rank {rank} on host {communicator.hosts[rank]}" for rank, sees in enumerate(seen) if not sees]
    more = f" and {len(blind) - SHOWN} more" if len(blind) > SHOWN else ""
    return (
        f"the cache location {location} of rank 0 on host {communicator.host} is not seen by {', '.join(blind[:SHOWN])}"
        f"{more}: every rank must reach the same folder. Choose a location on a file system that all hosts share"
    )
