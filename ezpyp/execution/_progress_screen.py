"""Where progress is shown: one line of a terminal that changes, or a line of a batch log now and then."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from ezpyp.execution._progress_line import LASTS_S, Screen
from ezpyp.execution._progress_tally import Part, duration

if TYPE_CHECKING:
    from rich.console import Console

SETTING = "EZPYP_PROGRESS"
LIVE_EVERY_S = 0.1
RESTORED_EVERY_S = 0.02
PLAIN_EVERY_S = 10.0
PLAIN_AT_LEAST_EVERY_S = 1800.0
BAR_WIDTH = 20
USUAL_WIDTH = 80
ERASE = "\r\x1b[2K"


class LiveLine:
    """The last line of a terminal. What else is written there goes through `aside`, which takes the line away first.

    Not rich's own live display: it wants the standard streams for itself, and a thread, and hides the cursor, which a
    kill would leave hidden.

    Args:
        stream: The terminal, as text.
        width: Gives the number of columns.
        clock: Seconds that only ever grow.
    """

    def __init__(
        self, stream: TextIO, width: Callable[[], int] | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._stream = stream
        self._width = width or (lambda: os.get_terminal_size(stream.fileno()).columns or USUAL_WIDTH)
        self._clock = clock
        # A signal handler that prints may interrupt this very thread inside the lock.
        self._lock = threading.RLock()
        self._next_s = LASTS_S
        self._restored = 0.0
        self._text = ""
        self._is_drawn = False
        self._is_mid_line = False
        self._console: Console | None = None

    def is_due(self, elapsed_s: float) -> bool:
        return elapsed_s >= self._next_s

    def show(self, fraction: float, parts: Sequence[Part], elapsed_s: float) -> None:
        with contextlib.suppress(OSError, ValueError):  # the terminal is gone: no reason to lose a result
            # Not inside the lock: rich may have to be imported, and a step that imports it too and prints waits for us.
            text = self._line(fraction, parts)
            with self._lock:
                if self._next_s == float("inf"):
                    return
                self._next_s = elapsed_s + LIVE_EVERY_S
                if not self._is_drawn or text != self._text:
                    self._text = text
                    self._draw()

    @contextmanager
    def aside(self, last: bytes) -> Iterator[None]:
        with self._lock:
            self._erase()
            self._is_mid_line = last != b"\n"
            yield
            # At once, or a run that prints often would never show it; but not after each line of one that prints much.
            if self._text and self._clock() >= self._restored + RESTORED_EVERY_S:
                self._restored = self._clock()
                self._draw()

    def close(self) -> None:
        with self._lock:
            self._erase()
            self._text = ""
            self._next_s = float("inf")

    def _draw(self) -> None:
        # Behind an unfinished line of a step there is no room.
        if not self._is_mid_line and _takes_writes(self._stream.fileno()):
            self._is_drawn = True
            self._write(ERASE + self._text)

    def _erase(self) -> None:
        if self._is_drawn:
            self._is_drawn = False
            self._write(ERASE)

    def _line(self, fraction: float, parts: Sequence[Part]) -> str:
        # rich takes 0.1 s to import: only a terminal, and a run that lasts, ever needs it.
        from rich.console import Console
        from rich.text import Text

        console = self._console = self._console or Console(file=self._stream, force_terminal=True)
        console.width = max(2, self._width())
        filled = round(fraction * BAR_WIDTH)
        full, empty = ("━", "─") if console.encoding.startswith("utf") else ("=", "-")
        text = Text.assemble((full * filled, "green"), (empty * (BAR_WIDTH - filled), "dim"), " ", *parts)
        text.truncate(console.width - 1, overflow="ellipsis" if full != "=" else "crop")
        with console.capture() as captured:
            console.print(text, end="", highlight=False, no_wrap=True, soft_wrap=True)
        return captured.get()

    def _write(self, text: str) -> None:
        # Not through the stream's buffer, which refuses a signal handler that prints while it is written to.
        with contextlib.suppress(OSError, ValueError):
            os.write(self._stream.fileno(), text.encode(self._stream.encoding, "replace"))


def _takes_writes(descriptor: int) -> bool:
    """Whether a terminal is ours to draw on: it was not halted by Ctrl-S, nor is this a background job."""
    try:
        if os.tcgetpgrp(descriptor) != os.getpgrp():
            return False
    except OSError:
        pass  # not the terminal that this process was started from
    return bool(select.select([], [descriptor], [], 0)[1])


class PlainLines:
    """Whole lines, every ten seconds at first; later whenever a run is a fifth older than it was.

    Args:
        stream: Where they go.
        time_of_day: Gives the time of day as text.
    """

    def __init__(self, stream: TextIO, time_of_day: Callable[[], str] = lambda: time.strftime("%H:%M:%S")) -> None:
        self._stream = stream
        self._time_of_day = time_of_day
        self._next_s = PLAIN_EVERY_S
        self._is_mid_line = False

    def is_due(self, elapsed_s: float) -> bool:
        return elapsed_s >= self._next_s

    def show(self, fraction: float, parts: Sequence[Part], elapsed_s: float) -> None:  # noqa: ARG002 - Screen's
        self._next_s = elapsed_s + min(max(PLAIN_EVERY_S, elapsed_s / 5), PLAIN_AT_LEAST_EVERY_S)
        said = "".join(text for text, _ in parts)
        begin = "\n" * self._is_mid_line  # a step's own progress bar may stand there
        line = f"{begin}ezpyp {self._time_of_day()}, after {duration(elapsed_s)}: {said}\n"
        encoding = self._stream.encoding or "utf-8"
        with contextlib.suppress(OSError, ValueError):
            # One write, so that the lines of several ranks are not torn.
            self._stream.write(line.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
            self._is_mid_line = False

    @contextmanager
    def aside(self, last: bytes) -> Iterator[None]:
        self._is_mid_line = last != b"\n"
        yield

    def close(self) -> None:
        self._next_s = float("inf")


def is_wanted(asked: bool, environ: Mapping[str, str]) -> bool:
    """Whether progress is to be shown: ``EZPYP_PROGRESS`` beats the script.

    Example:
        >>> is_wanted(True, {}), is_wanted(True, {"EZPYP_PROGRESS": "0"}), is_wanted(False, {"EZPYP_PROGRESS": "1"})
        (True, False, True)
    """
    text = environ.get(SETTING, "")
    return text not in ("0", "off", "none") if text else asked


def screen_for(
    stdout: TextIO | None, stderr: TextIO | None, environ: Mapping[str, str], *, alone: bool
) -> Screen | None:
    """The screen that fits standard error; None where there is none.

    Args:
        stdout: Where standard output really leads.
        stderr: Where standard error really leads.
        environ: Environment variables.
        alone: Whether all that is written there goes through this process, which can set the line aside for it.
    """
    if stderr is None:
        return None
    is_live = alone and _is_terminal(stderr) and environ.get("TERM", "dumb") != "dumb" and not _is_piped(stdout)
    return LiveLine(stderr) if is_live else PlainLines(stderr)


def _is_terminal(stream: TextIO) -> bool:
    try:
        return os.isatty(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return False


def _is_piped(stream: TextIO | None) -> bool:
    """Whether output goes through another program: ``script.py | tee log`` writes into the very same terminal."""
    try:
        return stream is not None and not _shows_nothing(stream.fileno())
    except (OSError, ValueError, AttributeError):
        return True


def _shows_nothing(descriptor: int) -> bool:
    """Whether what is written here reaches a terminal through us alone, or never."""
    mode = os.fstat(descriptor).st_mode
    return os.isatty(descriptor) or stat.S_ISREG(mode) or stat.S_ISCHR(mode)
