"""What a rank does when it ends: abort the job after an error, send a shutdown message otherwise."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from types import FrameType, TracebackType
from typing import NoReturn

from ezpyp.execution.mpi.ranks import RankCommunicator
from ezpyp.execution.worker import place_of
from ezpyp.steps.function import RUNNING

TERMINATED = 143
"""What a shell reports for a program that SIGTERM ended."""
SIGINT_PATIENCE_S = 2.0
SIGTERM_PATIENCE_S = 5.0


class Terminated(KeyboardInterrupt):
    """SIGTERM came: like Ctrl-C, it interrupts a body and is no failure of its step."""


class Signals:
    """Turns SIGTERM into an exception of the main thread, and watches that it gets there.

    A batch system sends SIGTERM at the time limit, Open MPI when a rank has died: what has finished can still be
    recorded, and the message can say which step was running. Python's handlers wait for the main thread, which may be
    inside C code for hours; a thread that the signal reaches through a pipe ends the rank then. Handlers that the user
    has installed stay.
    """

    def __init__(self, give_up: Callable[[str], object]) -> None:
        self._give_up = give_up
        self._owner = os.getpid()
        self._interrupted = threading.Event()
        self._is_terminated = False

    def install(self) -> None:
        """Take the places of the handlers that nobody has changed; in the main thread alone."""
        if threading.current_thread() is not threading.main_thread():
            return
        if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            signal.signal(signal.SIGTERM, self._terminate)
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self._interrupt)
        self._watch()

    def _terminate(self, number: int, _: FrameType | None) -> None:
        if os.getpid() != self._owner:  # a process that a step forked ends as any other does
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        if not self._is_terminated:  # launchers send a second one while the first is being obeyed
            self._is_terminated = True
            raise Terminated("SIGTERM")

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self._interrupted.set()
        signal.default_int_handler(number, frame)

    def _watch(self) -> None:
        reader, writer = os.pipe()
        os.set_blocking(writer, False)
        earlier = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        if earlier >= 0:  # another event loop listens
            signal.set_wakeup_fd(earlier)
            os.close(reader)
            os.close(writer)
            return
        # A child's signals are not this process's.
        os.register_at_fork(after_in_child=_stop_listening)
        threading.Thread(target=self._listen, args=(reader,), name="ezpyp-signals", daemon=True).start()

    def _listen(self, reader: int) -> None:
        while number := os.read(reader, 1):
            if number[0] == signal.SIGTERM and signal.getsignal(signal.SIGTERM) == self._terminate:
                threading.Event().wait(SIGTERM_PATIENCE_S)
                self._give_up("SIGTERM")
            elif number[0] == signal.SIGINT and signal.getsignal(signal.SIGINT) == self._interrupt:
                if not self._interrupted.wait(SIGINT_PATIENCE_S):
                    self._give_up("Ctrl-C")
                self._interrupted.clear()


def ignore_signals() -> None:
    """The process ends anyway: no signal may interrupt its final flush."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _stop_listening() -> None:
    if threading.current_thread() is threading.main_thread():
        signal.set_wakeup_fd(-1)


INTERRUPTED = 130
"""What a shell reports for a program that Ctrl-C ended."""


class Shutdown:
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
            ignore_signals()
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
        """Shut down at the end of the interpreter, before MPI is finalized."""
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
        ignore_signals()
        rank, size, host = self._communicator.rank, self._communicator.size, self._communicator.host
        doing = ""
        with suppress(RuntimeError):  # the coordinator may be at it in its thread
            doing = self._communicator.doing()
        message = f"ezpyp: {cause} on rank {rank} of {size}, host {host}{place}{doing}: the job ends on every rank"
        self._communicator.abort(message, code)


def _code(cause: str) -> int:
    return {"SIGTERM": TERMINATED, "KeyboardInterrupt": INTERRUPTED, "Ctrl-C": INTERRUPTED}.get(cause, 1)
