"""How far a run is, in words, and where that is shown: one line of a terminal, or a line now and then."""

from __future__ import annotations

import contextlib
import os
import select
import stat
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple, Protocol, TextIO

from ezpyp.execution.capture.capture import Display
from ezpyp.execution.messages import DONE, FAILED, SKIPPED
from ezpyp.execution.scheduler import Estimate

if TYPE_CHECKING:
    from rich.console import Console


CACHED = "cached"
NAMES = 3
"""Running steps that are named, the longest first."""

Part = tuple[str, str]
"""A piece of text and its style."""


class Planned(NamedTuple):
    """What is known of the steps before they run, by position; see `Estimate`."""

    names: Sequence[str]
    groups: Sequence[Hashable]
    expected: Sequence[float | None]
    pending: Sequence[int]
    ranks: int


class Tally:
    """Counts the ends of steps."""

    def __init__(self, planned: Planned) -> None:
        self._planned = planned
        self._ends: Counter[int | str] = Counter({CACHED: len(planned.names) - len(planned.pending)})
        self._last_end: dict[int, int | str] = {}
        self._pending = set(planned.pending)
        self._estimate = Estimate(planned.groups, planned.expected, planned.pending, planned.ranks)

    def ended(self, position: int, end: int | str, seconds: float | None) -> None:
        """A step has come to an end: a status, or `CACHED` where another result was taken; s where its body ran."""
        self._ends[end] += 1
        self._last_end[position] = end
        self._estimate.ended(position, seconds)

    def put_back(self, position: int) -> None:
        """A step has to run after all, or once more."""
        end = self._last_end.pop(position, None)
        if end is None and position in self._pending:
            return
        self._pending.add(position)
        self._ends[CACHED if end is None else end] -= 1
        self._estimate.add(position)

    @property
    def fraction(self) -> float:
        """How much of all is done, 0 to 1."""
        return self._finished() / max(1, len(self._planned.names))

    def _finished(self) -> int:
        return self._ends[DONE] + self._ends[CACHED]

    def parts(self, running: Mapping[int, float]) -> list[Part]:
        """The words; ``running`` says for how long steps run already, s."""
        total, ends = len(self._planned.names), self._ends
        parts = [(f"{self._finished()} of {total} steps done", "bold")]
        counted: list[tuple[int | str, str, str]] = [
            (CACHED, "cached", "cyan"),
            (FAILED, "failed", "bold red"),
            (SKIPPED, "skipped", "yellow"),
        ]
        parts += [(f", {ends[end]} {word}", style) for end, word, style in counted if ends[end]]
        left_s = self._estimate.seconds_left(running)
        if left_s is not None and sum(ends.values()) < total:
            parts.append((f", {duration(left_s)} left", "green"))
        if running:
            parts.append((f", {len(running)} running: {self._named(running)}", "dim"))
        return parts

    def _named(self, running: Mapping[int, float]) -> str:
        longest = sorted(running.items(), key=lambda item: -item[1])[:NAMES]
        named = [f"{self._planned.names[position]} {duration(seconds)}" for position, seconds in longest]
        return ", ".join([*named, *(["..."] if len(running) > NAMES else [])])


def duration(seconds: float) -> str:
    """A time as people say it."""
    if round(seconds) < 60:
        return f"{round(seconds)} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d" + (f" {hours} h" if hours else "")


# Follows a run while it goes on, and shows now and then how far it is.

LASTS_S = 0.5
"""A run that takes less says nothing, and pays for nothing but the notes."""
FOLLOWED_EVERY_S = 0.05


class Screen(Display, Protocol):
    """Where progress is shown, and how often."""

    def is_due(self, elapsed_s: float) -> bool:
        """Whether it is time to show something again."""

    def show(self, fraction: float, parts: Sequence[Part], elapsed_s: float) -> None:
        """Show how far a run is."""


class ProgressLine:
    """Follows a run's events; what happens is noted by the threads that run steps, and counted by the one that ticks.

    Args:
        plan: Gives what is known of the steps; asked for once the run has lasted for `LASTS_S`.
        screen: Where it is shown.
        clock: Seconds that only ever grow.
    """

    def __init__(
        self, plan: Callable[[], Planned], screen: Screen, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self.screen = screen
        self._plan = plan
        self._clock = clock
        self._began = clock()
        self._next_s = LASTS_S
        # A deque: noted by one thread while another counts, without a lock, in 0.1 us.
        self._notes: deque[tuple[int, int | str | None, float | None]] = deque()
        self._tally: Tally | None = None

    def ended(self, position: int, end: int | str, seconds: float | None = None) -> None:
        """A step has come to an end: a status, or `CACHED` where another result was taken; s where its body ran."""
        self._notes.append((position, end, seconds))

    def put_back(self, position: int) -> None:
        """A step has to run after all, or once more."""
        self._notes.append((position, None, None))

    def tick(self, running: Mapping[int, tuple[float, int, str]]) -> None:
        """Show how far it is, if it is time; ``running`` says since when, on which rank and host steps run already."""
        now = self._clock()
        elapsed_s = now - self._began
        if elapsed_s < self._next_s:
            return
        self._next_s = elapsed_s + FOLLOWED_EVERY_S
        if self._tally is None:
            self._tally = Tally(self._plan())
        tally = self._tally
        while self._notes:
            position, end, seconds = self._notes.popleft()
            if end is None:
                tally.put_back(position)
            else:
                tally.ended(position, end, seconds)
        if self.screen.is_due(elapsed_s):
            parts = tally.parts({position: now - began for position, (began, _, _) in running.items()})
            self.screen.show(tally.fraction, parts, elapsed_s)

    def close(self) -> None:
        """The run is over."""
        self.screen.close()


# Where progress is shown: one line of a terminal that changes, or a line of a batch log now and then.

SETTING = "EZPYP_PROGRESS"
LIVE_EVERY_S = 0.1
RESTORED_EVERY_S = 0.02
PLAIN_EVERY_S = 10.0
PLAIN_AT_LEAST_EVERY_S = 1800.0
BAR_WIDTH = 20
USUAL_WIDTH = 80
ERASE = "\r\x1b[2K"


class LiveLine:
    """The last line of a terminal; what else is written there goes through `suspended`, which takes the line away.

    Not rich's own live display: it wants the standard streams for itself, and a thread, and hides the cursor, which a
    kill would leave hidden.
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
    def suspended(self, last: bytes) -> Iterator[None]:
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
    """Whole lines, every ten seconds at first; later whenever a run is a fifth older than it was."""

    def __init__(self, stream: TextIO, time_of_day: Callable[[], str] = lambda: time.strftime("%H:%M:%S")) -> None:
        self._stream = stream
        self._time_of_day = time_of_day
        self._next_s = PLAIN_EVERY_S
        self._is_mid_line = False

    def is_due(self, elapsed_s: float) -> bool:
        return elapsed_s >= self._next_s

    def show(self, fraction: float, parts: Sequence[Part], elapsed_s: float) -> None:  # noqa: ARG002 - Screen's
        self._next_s = elapsed_s + min(max(PLAIN_EVERY_S, elapsed_s / 5), PLAIN_AT_LEAST_EVERY_S)
        text = "".join(text for text, _ in parts)
        begin = "\n" * self._is_mid_line  # a step's own progress bar may stand there
        line = f"{begin}ezpyp {self._time_of_day()}, after {duration(elapsed_s)}: {text}\n"
        encoding = self._stream.encoding or "utf-8"
        with contextlib.suppress(OSError, ValueError):
            # One write, so that the lines of several ranks are not torn.
            self._stream.write(line.encode(encoding, "replace").decode(encoding))
            self._stream.flush()
            self._is_mid_line = False

    @contextmanager
    def suspended(self, last: bytes) -> Iterator[None]:
        self._is_mid_line = last != b"\n"
        yield

    def close(self) -> None:
        self._next_s = float("inf")


def is_wanted(asked: bool, environ: Mapping[str, str]) -> bool:
    """Whether progress is to be shown: ``EZPYP_PROGRESS`` beats the script."""
    text = environ.get(SETTING, "")
    return text not in ("0", "off", "none") if text else asked


def screen_for(
    stdout: TextIO | None, stderr: TextIO | None, environ: Mapping[str, str], *, alone: bool
) -> Screen | None:
    """The screen that fits where standard error really leads; None where there is none.

    ``alone`` says that all that is written there goes through this process, which can set the line aside for it.
    """
    if stderr is None:
        return None
    try:
        is_live = alone and os.isatty(stderr.fileno()) and environ.get("TERM", "dumb") != "dumb"
        is_live = is_live and (stdout is None or not _is_piped(stdout.fileno()))
    except (OSError, ValueError, AttributeError):
        is_live = False  # a stream of another kind
    return LiveLine(stderr) if is_live else PlainLines(stderr)


def _is_piped(descriptor: int) -> bool:
    """Whether output goes through another program: ``script.py | tee log`` writes into the very same terminal."""
    mode = os.fstat(descriptor).st_mode
    return not (os.isatty(descriptor) or stat.S_ISREG(mode) or stat.S_ISCHR(mode))
