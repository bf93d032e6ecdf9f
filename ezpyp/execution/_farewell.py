"""What a rank does when it ends: abort the job after an error, say farewell otherwise."""

import atexit
import os
import sys
from contextlib import suppress
from types import TracebackType
from typing import NoReturn

from ezpyp.execution._failure import place_of
from ezpyp.execution._ranks import RankCommunicator
from ezpyp.execution._signals import TERMINATED, Signals, Terminated, obey_no_more
from ezpyp.steps import RUNNING

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
        self._has_left = False

    def install(self) -> None:
        """Take the places where a process ends."""
        sys.excepthook = self.excepthook
        os._exit = self.exit_at_once
        atexit.register(self.leave)
        Signals(lambda name: self._abort(name, _code(name))).install()

    def excepthook(self, kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
        """Show an uncaught error with the hook that was there before, and abort the job."""
        if os.getpid() != self._owner:
            self._previous_hook(kind, error, traceback)
        elif not getattr(error, "collective", False):
            obey_no_more()
            try:
                # Ctrl-C reaches every rank: a traceback each would be a wall of them.
                if not isinstance(error, KeyboardInterrupt) or self._previous_hook is not sys.__excepthook__:
                    self._previous_hook(kind, error, traceback)
            finally:
                self._abort_after(error)
        elif self._communicator.rank == 0:
            self._previous_hook(kind, error, traceback)

    def exit_at_once(self, status: int) -> NoReturn:
        """In place of `os._exit`, after which MPICH's launcher kills the other ranks and reports success."""
        if os.getpid() == self._owner:
            self._abort(f"os._exit({status})", status or 1)
        self._exit(status)

    def finalizing(self) -> None:
        """Somebody is about to finalize MPI, which waits for every rank; none can be talked with after it."""
        if os.getpid() != self._owner or self._has_left:
            return
        if RUNNING.depth:
            self._abort("MPI.Finalize()", 1)
        self._has_left = True
        self._communicator.leave()

    def leave(self) -> None:
        """Say farewell at the end of the interpreter, before MPI is finalized."""
        if os.getpid() != self._owner:
            return
        os._exit = self._exit
        # A hook that was put over ours and does not call it: the error is where Python left it.
        error = getattr(sys, "last_value", None)
        if sys.excepthook != self.excepthook and error is not None and not getattr(error, "collective", False):
            self._abort_after(error)
        if not self._has_left:
            self._has_left = True
            self._communicator.leave()
        self._communicator.close()

    def _abort_after(self, error: BaseException) -> NoReturn:
        name = "SIGTERM" if isinstance(error, Terminated) else type(error).__name__
        place = place_of(error.__traceback__) if isinstance(error, KeyboardInterrupt) else None
        self._abort(name, _code(name), f" at {place[0]}:{place[1]}" if place else "")

    def _abort(self, cause: str, code: int, place: str = "") -> NoReturn:
        obey_no_more()
        rank, size, host = self._communicator.rank, self._communicator.size, self._communicator.host
        doing = ""
        with suppress(RuntimeError):  # the coordinator may be at it in its thread
            doing = self._communicator.doing()
        message = f"ezpyp: {cause} on rank {rank} of {size}, host {host}{place}{doing}: the job ends on every rank"
        self._communicator.abort(message, code)


def _code(cause: str) -> int:
    return {"SIGTERM": TERMINATED, "KeyboardInterrupt": INTERRUPTED, "Ctrl-C": INTERRUPTED}.get(cause, 1)
