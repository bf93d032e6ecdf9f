"""What a rank does when its script ends: abort the job after an error, say farewell otherwise."""

import atexit
import os
import sys
from collections.abc import Callable
from types import TracebackType

from ezpyp.execution._ranks import RankCommunicator

Hook = Callable[[type[BaseException], BaseException, TracebackType | None], object]

INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C ended."""


class AbortingHook:
    """An excepthook that ends the job on every rank, after the hook that was there has shown the error.

    Without it the rank would end alone, and the others wait for it until the batch system's time limit.
    An exception with a true attribute `collective` was raised on every rank alike: rank 0 shows it, and all
    ranks end by themselves.
    """

    def __init__(self, communicator: RankCommunicator, previous: Hook) -> None:
        self._communicator = communicator
        self._previous = previous
        self._owner = os.getpid()

    def __call__(
        self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None
    ) -> None:
        if os.getpid() != self._owner:
            self._previous(kind, error, traceback)
        elif getattr(error, "collective", False):
            if self._communicator.rank == 0:
                self._previous(kind, error, traceback)
        else:
            try:
                self._previous(kind, error, traceback)
            finally:
                self._abort(kind)

    def leave(self) -> None:
        """Say farewell at the end of the process; as `atexit` calls it, before MPI is finalized."""
        if os.getpid() != self._owner:
            return
        # A hook put over ours that does not call it: the error is found where Python left it.
        error = getattr(sys, "last_value", None)
        if sys.excepthook is not self and error is not None and not getattr(error, "collective", False):
            self._abort(type(error))
        self._communicator.leave()

    def _abort(self, kind: type[BaseException]) -> None:
        rank, size, host = self._communicator.rank, self._communicator.size, self._communicator.host
        message = f"ezpyp: {kind.__name__} on rank {rank} of {size}, host {host}: the job ends on every rank"
        self._communicator.abort(message, INTERRUPTED if issubclass(kind, KeyboardInterrupt) else 1)


def install(communicator: RankCommunicator) -> None:
    """Watch over the end of this process."""
    hook = AbortingHook(communicator, sys.excepthook)
    sys.excepthook = hook
    atexit.register(hook.leave)
