"""The ready queue: which step may start next. Pure; it knows neither MPI nor the store."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Collection, Sequence


class Scheduler:
    """Hands out steps whose upstreams are finished, the most urgent first.

    Args:
        upstreams: Upstreams of every step, by position; one may stand there twice.
        pending: The steps to be handed out; all others count as finished.
        urgency: Order in which ready steps are handed out, by position: the smallest first.
        barrier: Phase of every step where one begins only when those before have ended, and ``urgency`` goes by
            phases too; None without a barrier.

    Example:
        >>> scheduler = Scheduler([(), (), (0, 1)], pending=[0, 1, 2], urgency=[0, 1, 2])
        >>> scheduler.take(), scheduler.take(), scheduler.take()
        (0, 1, None)
        >>> scheduler.finish(0), scheduler.finish(1), scheduler.take(), scheduler.left
        (None, None, 2, 1)
    """

    def __init__(
        self,
        upstreams: Sequence[Sequence[int]],
        pending: Collection[int],
        urgency: Sequence[float],
        barrier: Sequence[int] | None = None,
    ) -> None:
        waiting_for = set(pending)
        self._urgency = urgency
        self._missing: dict[int, int] = {}
        self._dependents: dict[int, list[int]] = {}
        ready = []
        for position in pending:
            missing = {up for up in upstreams[position] if up in waiting_for} if upstreams[position] else ()
            if not missing:
                ready.append((urgency[position], position))
                continue
            self._missing[position] = len(missing)
            for up in missing:
                self._dependents.setdefault(up, []).append(position)
        heapq.heapify(ready)
        self._ready = ready
        self.left = len(waiting_for)
        """Steps that are not finished yet."""
        self._barrier = barrier
        self._unfinished = Counter(barrier[position] for position in pending) if barrier else Counter()

    @property
    def ready(self) -> int:
        """How many steps have all their upstreams; with a barrier not all of them may start."""
        return len(self._ready)

    def take(self) -> int | None:
        """A step that may start now, or None."""
        if not self._ready or (self._barrier and self._barrier[self._ready[0][1]] > min(self._unfinished)):
            return None
        return heapq.heappop(self._ready)[1]

    def finish(self, position: int) -> None:
        """A step has come to its end, whichever; what waited for it alone becomes ready."""
        self.left -= 1
        if self._barrier:
            self._leave_phase(self._barrier[position])
        for dependent in self._dependents.pop(position, ()):
            self._missing[dependent] -= 1
            if not self._missing[dependent]:
                heapq.heappush(self._ready, (self._urgency[dependent], dependent))

    def put_back(self, position: int, upstreams: Collection[int]) -> None:
        """A step that was taken has to wait after all; it is handed out again when these upstreams have finished.

        Example:
            >>> scheduler = Scheduler([(), (0,)], pending=[1], urgency=[0, 1])
            >>> scheduler.take()
            1
            >>> scheduler.reopen(0, ())
            >>> scheduler.put_back(1, [0])
            >>> scheduler.take(), scheduler.take()
            (0, None)
            >>> scheduler.finish(0)
            >>> scheduler.take(), scheduler.left
            (1, 1)
        """
        if not upstreams:
            heapq.heappush(self._ready, (self._urgency[position], position))
            return
        self._missing[position] = len(upstreams)
        for up in upstreams:
            self._dependents.setdefault(up, []).append(position)

    def reopen(self, position: int, upstreams: Collection[int]) -> None:
        """A step that had finished has to run again, when these upstreams, none twice, have finished.

        What waits for it, or is ready already, is not held back here: whoever takes such a step puts it back.
        """
        self.left += 1
        if self._barrier:
            self._unfinished[self._barrier[position]] += 1
        self.put_back(position, upstreams)

    def _leave_phase(self, phase: int) -> None:
        self._unfinished[phase] -= 1
        if not self._unfinished[phase]:
            del self._unfinished[phase]


def in_phases(phases: Sequence[int]) -> list[int]:
    """Urgency of a serial run: phase by phase, in order of declaration.

    Example:
        >>> in_phases([0, 1, 0])
        [0, 2, 1]
    """
    urgency = [0] * len(phases)
    for rank, position in enumerate(sorted(range(len(phases)), key=phases.__getitem__)):
        urgency[position] = rank
    return urgency


def longest_first(upstreams: Sequence[Sequence[int]], seconds: Sequence[float]) -> list[float]:
    """Urgency of a parallel run: the step with the longest path to an end first.

    Args:
        upstreams: Upstreams of every step, by position; each stands before what needs it.
        seconds: How long each step takes, as far as is known.

    Example:
        >>> longest_first([(), (0,), ()], [1.0, 2.0, 2.5])
        [-3.0, -2.0, -2.5]
    """
    longest = list(seconds)
    for position in range(len(longest) - 1, -1, -1):
        for up in upstreams[position]:
            longest[up] = max(longest[up], seconds[up] + longest[position])
    return [-length for length in longest]
