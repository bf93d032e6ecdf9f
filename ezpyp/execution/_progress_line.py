"""Follows a run while it goes on, and shows now and then how far it is."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

from ezpyp.execution._progress_tally import Part, Planned, Tally

LASTS_S = 0.5
"""A run that takes less says nothing, and pays for nothing but the notes."""
FOLLOWED_EVERY_S = 0.05


class Screen(Protocol):
    """Where progress is shown, and how often."""

    def is_due(self, elapsed_s: float) -> bool:
        """Whether it is time to show something again."""

    def show(self, fraction: float, parts: Sequence[Part], elapsed_s: float) -> None:
        """Show how far a run is."""

    def aside(self, last: bytes) -> AbstractContextManager[object]:
        """Make way for what is about to be written to the same place, of which this is the last byte."""

    def close(self) -> None:
        """Leave nothing behind that goes on changing."""


class ProgressLine:
    """Follows a run's events; what happens is noted by the threads that run steps, and counted by the one that ticks.

    Args:
        plan: Gives what is known of the steps; asked for once the run has lasted for `LASTS_S`.
        screen: Where it is shown.
        clock: Seconds that only ever grow.

    Example:
        >>> from ezpyp.execution._outcome import DONE
        >>> class Paper:
        ...     is_due = lambda self, elapsed_s: True
        ...     show = lambda self, fraction, parts, elapsed_s: print("".join(text for text, _ in parts))
        >>> now = iter([0.0, 100.0]).__next__
        >>> line = ProgressLine(lambda: Planned(["a", "b", "c"], ["f"] * 3, [None] * 3, [1, 2], 1), Paper(), now)
        >>> line.ended(1, DONE, 30.0)
        >>> line.tick({})
        2 of 3 steps done, 1 cached, 30 s left
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
        """Show how far it is, if it is time.

        Args:
            running: Since when, by this clock, each step runs that is running now; on which rank and host.
        """
        now = self._clock()
        elapsed_s = now - self._began
        if elapsed_s < self._next_s:
            return
        self._next_s = elapsed_s + FOLLOWED_EVERY_S
        tally = self._counted()
        if self.screen.is_due(elapsed_s):
            parts = tally.parts({position: now - began for position, (began, _, _) in running.items()})
            self.screen.show(tally.fraction, parts, elapsed_s)

    def _counted(self) -> Tally:
        if self._tally is None:
            self._tally = Tally(self._plan())
        while self._notes:
            position, end, seconds = self._notes.popleft()
            if end is None:
                self._tally.put_back(position)
            else:
                self._tally.ended(position, end, seconds)
        return self._tally

    def close(self) -> None:
        """The run is over."""
        self.screen.close()
