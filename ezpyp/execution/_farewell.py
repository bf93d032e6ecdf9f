"""What a rank does when it ends: abort the job after an error, say farewell otherwise."""

import atexit
import os
import sys
from types import TracebackType
from typing import NoReturn

from ezpyp.execution._ranks import RankCommunicator

INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C ended."""


class Farewell:
    """Watches over the end of a rank; of this process alone, not of children that it forks.

    Without it a rank that fails would end alone, and the others wait for it until the batch system's time
    limit. An exception with a true attribute `collective` was raised on every rank alike: rank 0 shows it,
    and all ranks end by themselves.
    """

    def __init__(self, communicator: RankCommunicator) -> None:
        self._communicator = communicator
        self._owner = os.getpid()
        self._previous_hook = sys.excepthook
        self._exit = os._exit

    def install(self) -> None:
        """Take the places where a process ends."""
        sys.excepthook = self.excepthook
        os._exit = self.exit_at_once
        atexit.register(self.leave)

    def excepthook(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        """Show an uncaught error with the hook that was there before, and abort the job."""
        if os.getpid() != self._owner:
            self._previous_hook(kind, error, traceback)
        elif not getattr(error, "collective", False):
            try:
                self._previous_hook(kind, error, traceback)
            finally:
                self._abort(kind.__name__, INTERRUPTED if issubclass(kind, KeyboardInterrupt) else 1)
        elif self._communicator.rank == 0:
            self._previous_hook(kind, error, traceback)

    def exit_at_once(self, status: int) -> NoReturn:
        """In place of `os._exit`, after which MPICH's launcher kills the other ranks and reports success."""
        if os.getpid() == self._owner:
            self._abort(f"os._exit({status})", status or 1)
        self._exit(status)

    def leave(self) -> None:
        """Say farewell at the end of the interpreter, before MPI is finalized."""
        if os.getpid() != self._owner:
            return
        os._exit = self._exit
        # A hook that was put over ours and does not call it: the error is where Python left it.
        error = getattr(sys, "last_value", None)
        if sys.excepthook != self.excepthook and error is not None and not getattr(error, "collective", False):
            self._abort(type(error).__name__, INTERRUPTED if isinstance(error, KeyboardInterrupt) else 1)
        self._communicator.leave()

    def _abort(self, cause: str, code: int) -> NoReturn:
        rank, size, host = self._communicator.rank, self._communicator.size, self._communicator.host
        message = f"ezpyp: {cause} on rank {rank} of {size}, host {host}: the job ends on every rank"
        self._communicator.abort(message, code)
