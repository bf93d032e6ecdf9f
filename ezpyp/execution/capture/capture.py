"""What a step says: its output, warnings and log records, kept beside being shown as ever."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple, NoReturn, Protocol, Self, TextIO

from ezpyp.execution.capture.stream import CBuffer, HeadAndTail, Stream, Suspending

if TYPE_CHECKING:
    from logging import LogRecord


LINES = 1000
"""More records of one step than that are kept without a look at what its streams show."""


class Warnings:
    """Every step has its warnings; each is shown once a run, as Python does.

    Python shows a warning once for each line of code: the second of two steps would be without it, and over
    several ranks it would be a matter of luck which one has it.
    """

    def __init__(self, keep: Callable[[str], None]) -> None:
        self._keep = keep
        self._shown: set[tuple[str, type[Warning], str, int]] = set()
        self._previous = warnings.showwarning
        # Private, but there since Python 3.4; without it warnings are kept for the first step alone.
        self._forget: Callable[[], object] = getattr(warnings, "_filters_mutated", object)
        warnings.showwarning = self._show

    def begin(self) -> None:
        """Let each warning come again."""
        self._forget()

    def close(self) -> None:
        """Show warnings as before."""
        if warnings.showwarning == self._show:
            warnings.showwarning = self._previous

    def _show(  # noqa: PLR0917 - the parameters of warnings.showwarning
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        identity = (str(message), category, filename, lineno)
        if identity not in self._shown or file is not None:
            self._shown.add(identity)
            self._previous(message, category, filename, lineno, file, line)
        else:
            self._keep(warnings.formatwarning(message, category, filename, lineno, line))


class Records:
    """The log records of a step, but those that its streams show: a handler wrote them there.

    The user's handlers are left alone: a handler of ours on the root logger would make ``logging.basicConfig()``
    in a step do nothing. A record that no handler takes is kept; one below its logger's level never exists.
    """

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self._buffer = HeadAndTail()
        self._previous: Callable[..., LogRecord] | None = None

    def begin(self) -> None:
        """Listen, once somebody has imported logging."""
        if self._previous is None and "logging" in sys.modules:
            logging = sys.modules["logging"]
            self._previous = logging.getLogRecordFactory()
            logging.setLogRecordFactory(self._made)
        self._lines.clear()

    def take(self, *streams: bytes) -> bytes:
        """The records since `begin` whose messages stand in none of the streams, a line each."""
        if not self._lines:
            return b""
        captured = b"\n".join(streams)
        for message, line in self._lines:
            if message.encode("utf-8", "backslashreplace") not in captured:
                self._buffer.add(f"{line}\n".encode("utf-8", "backslashreplace"))
        self._lines.clear()
        return self._buffer.take()

    def close(self) -> None:
        """Stop listening."""
        if self._previous is not None:
            logging = sys.modules["logging"]
            if logging.getLogRecordFactory() == self._made:
                logging.setLogRecordFactory(self._previous)
            self._previous = None

    def _made(self, *args: object, **kwargs: object) -> LogRecord:
        assert self._previous is not None
        record = self._previous(*args, **kwargs)
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit; logging says so where it formats them
            message = str(record.msg)
        line = f"{record.levelname} {record.name}: {message}"
        if len(self._lines) < LINES:
            self._lines.append((message, line))
        else:
            self._buffer.add(f"{line}\n".encode("utf-8", "backslashreplace"))
        return record


SETTING = "EZPYP_CAPTURE"
SHOWN_EVERY_S = 0.05


class Captured(NamedTuple):
    """What a step said, as bytes, both ends where it was much; ``log`` are records that stand in neither stream."""

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
    """Keeps what the steps of one process say, one step at a time, from `__enter__` to `__exit__`.

    Costs a silent step two looks at files in memory. A thread shows what C code and children write while a step
    runs long.

    Args:
        mode: ``fd`` keeps what anything writes to the descriptors 1 and 2; ``python`` what Python code prints alone,
            for programs that need the terminal itself; ``off`` keeps nothing.
    """

    def __init__(self, mode: str = "fd") -> None:
        self._mode = mode
        self._streams: tuple[Stream, ...] = ()
        self._owner = os.getpid()
        self._beside = contextlib.ExitStack()

    def __enter__(self) -> Self:
        other = getattr(os._exit, "__self__", None)
        # Another one may listen in this process: of a pipeline in another thread, or around this one.
        is_nested = isinstance(other, Capture) and other._owner == os.getpid()
        if self._mode != "off" and not is_nested:
            self._start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._streams and os.getpid() == self._owner:
            self._stop()

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
        return self._streams[0].suspended if self._streams else contextlib.nullcontext

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
                stream.suspended = contextlib.nullcontext

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
    """The mode that ``EZPYP_CAPTURE`` asks for: ``0`` is off, ``python`` leaves the descriptors alone."""
    if text in ("0", "off", "none"):
        return "off"
    return "python" if text == "python" else "fd"
