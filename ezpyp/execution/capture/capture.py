"""What a step says: its output, warnings and log records, kept beside being shown as ever."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator
from typing import NamedTuple, NoReturn, Protocol, Self, TextIO

from ezpyp.execution.capture.log_records import Records, Warnings
from ezpyp.execution.capture.stream import CBuffer, HeadAndTail, Stream, Suspending, not_suspended

SETTING = "EZPYP_CAPTURE"
SHOWN_EVERY_S = 0.05


class Captured(NamedTuple):
    """What a step said, as bytes: a step may write what is no text; both ends where it was much.

    Attributes:
        stdout: Its standard output.
        stderr: Its standard error: warnings, and the log records that a handler wrote there.
        log: Log records that stand in neither, a line each.
    """

    stdout: bytes
    stderr: bytes
    log: bytes


class Display(Protocol):
    """What ezpyp draws below all that is shown."""

    def suspended(self, last: bytes) -> contextlib.AbstractContextManager[object]:
        """Make way for what is about to be shown, of which this is the last byte."""

    def close(self) -> None:
        """Take it away for good."""


class Capture:
    r"""Keeps what the steps of one process say, one step at a time, from `__enter__` to `__exit__`.

    Costs a silent step two looks at files in memory. A thread shows what C code and children write while a step
    runs long.

    Args:
        mode: ``fd`` keeps what anything writes to the descriptors 1 and 2; ``python`` what Python code prints alone,
            for programs that need the terminal itself; ``off`` keeps nothing.

    Example:
        >>> import os
        >>> with Capture() as capture:
        ...     capture.begin()
        ...     print("from Python")
        ...     said = capture.end()
        from Python
        >>> said.stdout
        b'from Python\n'
    """

    def __init__(self, mode: str = "fd") -> None:
        self._mode = mode
        self._streams: tuple[Stream, ...] = ()
        self._owner = os.getpid()
        self._beside = contextlib.ExitStack()

    def __enter__(self) -> Self:
        if self._mode != "off" and not self._is_nested():
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._streams and os.getpid() == self._owner:
            self._stop()

    @staticmethod
    def _is_nested() -> bool:
        """Whether another one listens in this process: ranks may be threads of one process in tests."""
        other = getattr(os._exit, "__self__", None)
        return isinstance(other, Capture) and other._owner == os.getpid()

    def _start(self) -> None:
        descriptor = self._mode == "fd"
        self._c_buffer = CBuffer()
        self._c_buffer.flush()
        self._stopped = threading.Event()
        self._streams = (
            Stream("stdout", 1, HeadAndTail(), descriptor=descriptor),
            Stream("stderr", 2, HeadAndTail(), descriptor=descriptor),
        )
        self._warnings = Warnings(self._streams[1].keep)
        self._records = Records()
        self._exit = os._exit
        os._exit = self._exit_at_once
        _lead_crash_reports_to(self._streams[1].target)
        if descriptor:
            self._thread = threading.Thread(target=self._show, name="ezpyp-output", daemon=True)
            self._thread.start()

    def _stop(self) -> None:
        self._stopped.set()
        if self._mode == "fd":
            self._thread.join()
        if os._exit == self._exit_at_once:
            os._exit = self._exit
        _lead_crash_reports_to(2)
        self._warnings.close()
        self._records.close()
        for stream in self._streams:
            stream.close()
        self._streams = ()

    def _show(self) -> None:
        while not self._stopped.wait(SHOWN_EVERY_S):
            for stream in self._streams:
                stream.show_new()

    def _exit_at_once(self, status: int) -> NoReturn:
        """What others than Python code wrote just before would be lost with the process."""
        if os.getpid() == self._owner:
            self._beside.close()
            for stream in self._streams:
                stream.close()
        self._exit(status)

    @property
    def stdout(self) -> TextIO | None:
        """Standard output for ezpyp's own lines, which are no step's words."""
        return self._streams[0].console if self._streams else sys.stdout

    @property
    def stderr(self) -> TextIO | None:
        """Standard error for ezpyp's own lines."""
        return self._streams[1].console if self._streams else sys.stderr

    @property
    def sees_all(self) -> bool:
        """Whether all that this process and its children show passes through here."""
        return bool(self._streams) and all(stream.has_memory_file for stream in self._streams)

    @property
    def around_stdout(self) -> Suspending:
        """Surrounds what ezpyp itself writes to `stdout`."""
        return self._streams[0].suspended if self._streams else not_suspended

    @contextlib.contextmanager
    def beside(self, drawn: Display) -> Iterator[None]:
        """Make way for what is shown of the streams that lead where standard error leads."""
        for stream in self._streams:
            if stream.leads_to(self._streams[-1]):
                stream.suspended = drawn.suspended
        self._beside.callback(drawn.close)
        try:
            yield
        finally:
            self._beside.close()
            for stream in self._streams:
                stream.suspended = not_suspended

    def begin(self) -> None:
        """A step begins: what was said between steps is nobody's."""
        if self._streams:
            for stream in self._streams:
                stream.discard()
            self._warnings.begin()
            self._records.begin()

    def end(self) -> Captured | None:
        """What the step has said; None where it was silent."""
        if not self._streams:
            return None
        self._c_buffer.flush()
        out, err = self._streams[0].take(), self._streams[1].take()
        log = self._records.take(out, err)
        return Captured(out, err, log) if out or err or log else None


def _lead_crash_reports_to(descriptor: int) -> None:
    """Where a user has Python report crashes: the report would be lost in the memory file with the process."""
    faulthandler = sys.modules.get("faulthandler")
    if faulthandler is not None and faulthandler.is_enabled():
        with contextlib.suppress(OSError, ValueError):
            faulthandler.enable(descriptor)


def mode_asked_for(text: str | None) -> str:
    """The mode that ``EZPYP_CAPTURE`` asks for: ``0`` is off, ``python`` leaves the descriptors alone.

    Example:
        >>> mode_asked_for(None), mode_asked_for("0"), mode_asked_for("python")
        ('fd', 'off', 'python')
    """
    if text in ("0", "off", "none"):
        return "off"
    return "python" if text == "python" else "fd"
