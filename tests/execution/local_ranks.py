"""Ranks as threads of one process: the real communicator over queues instead of MPI.

For tests of what runs on top of a communicator: no mpirun, any number of ranks, 20 ms.
"""

import threading
from collections import deque
from collections.abc import Callable, Collection
from typing import NoReturn, TypeVar

from ezpyp.execution.mpi.ranks import Arrival, Kind, RankCommunicator

Result = TypeVar("Result")


class JobAborted(BaseException):
    """What `abort` raises in the rank that called it."""


class LocalTransport:
    """One rank's end of the queues."""

    threaded = True

    def __init__(self, rank: int, inboxes: list[deque[Arrival]]) -> None:
        self.rank = rank
        self.size = len(inboxes)
        self.host = f"host{rank}"
        self._inboxes = inboxes

    def send(self, dest: int, kind: Kind, data: bytes) -> None:
        self._inboxes[dest].append(Arrival(self.rank, kind, data))

    def poll(self) -> list[Arrival]:
        inbox = self._inboxes[self.rank]
        return [inbox.popleft() for _ in range(len(inbox))]

    def unsent(self) -> Collection[int]:
        return ()

    def is_open(self) -> bool:
        return True

    def close(self) -> None:
        pass

    def abort(self, code: int) -> NoReturn:
        raise JobAborted(code)


def run_ranks(
    size: int, main: Callable[[RankCommunicator], Result], *, timeout: float = 30
) -> list[Result | BaseException]:
    """Run ``main(communicator)`` on every rank; each rank shuts down when it returns or raises.

    Returns:
        What each rank returned, or the exception that it raised.
    """
    inboxes: list[deque[Arrival]] = [deque() for _ in range(size)]
    outcomes: list[Result | BaseException] = [TimeoutError(f"rank still running after {timeout} s")] * size

    def run(rank: int) -> None:
        communicator = RankCommunicator(LocalTransport(rank, inboxes))
        try:
            outcomes[rank] = main(communicator)
        except BaseException as error:
            outcomes[rank] = error
        if not isinstance(outcomes[rank], JobAborted):
            communicator.leave()

    threads = [threading.Thread(target=run, args=(rank,), daemon=True) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout)
    return outcomes
