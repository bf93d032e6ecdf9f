"""SIGTERM and Ctrl-C on a rank: an orderly end where that is possible, an end in any case."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from types import FrameType

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

    Args:
        give_up: Ends the job at once, with the name of the signal.
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
        os.register_at_fork(after_in_child=_deaf)
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


def obey_no_more() -> None:
    """The process ends anyway: no signal may interrupt its last words."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGINT, signal.SIG_IGN)


def _deaf() -> None:
    if threading.current_thread() is threading.main_thread():
        signal.set_wakeup_fd(-1)
