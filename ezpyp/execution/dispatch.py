"""Which rank gets which steps next, and how many at once. Pure; it knows neither messages nor ranks' threads."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable

CHUNK_S = 0.01
CHUNK_S_PER_RANK = 160e-6
"""Two messages a chunk take the coordinator 80 us: with so much work in each it can serve all ranks, half busy."""
AHEAD_S = 1.0
BOOKS_S = 50e-6
"""What the coordinator's books of a step take, about."""
SOON_S = 0.05
"""A tiny step waits so long for a rank that does not keep the books."""
MOST = 200
"""Steps of one chunk: one that takes longer than it should holds up no more than these."""


class Dealer:
    """Deals out ready steps: tiny ones by the dozen, long ones one by one.

    A message costs as much as a hundred tiny steps, and a rank that waits for an answer is idle: so steps known to be
    short go in chunks of about `CHUNK_S`, never more than a rank's fair share of half of what is ready (guided
    self-scheduling, Polychronopoulos and Kuck 1987), and a busy rank gets its next chunk before it is done. What may
    be long goes alone, to a rank that is free: behind it nothing waits that another rank could run.

    Args:
        ranks: The ranks that compute; the last is dealt to first.
        seconds: How long a step will take, as far as is known; None where it is not.
        chunk_s: Work of a chunk, s; 0 for single steps.
        ahead_s: A rank with less work than this gets more before it is done, s; 0 to wait for it.
        keeper: The rank that keeps the books beside its computing, in one interpreter; None where none does.

    Example:
        >>> ready = list(range(12))
        >>> take = lambda: ready.pop(0) if ready else None
        >>> dealer = Dealer([1, 0], seconds=lambda position: 0.001)
        >>> dealer.deal(take, len(ready)), dealer.deal(take, len(ready)), dealer.deal(take, len(ready))
        ((0, [0, 1, 2]), (1, [3, 4]), (0, [5]))
    """

    def __init__(
        self,
        ranks: Iterable[int],
        seconds: Callable[[int], float | None],
        *,
        chunk_s: float = CHUNK_S,
        ahead_s: float = AHEAD_S,
        keeper: int | None = None,
    ) -> None:
        self._idle = list(ranks)
        self._size = len(self._idle)
        self._seconds = seconds
        self._chunk_s = chunk_s
        self._ahead_s = ahead_s
        self._loads = {rank: _Load() for rank in self._idle}
        # Ranks that were soon free when last looked at: whether they still are shows when their turn comes.
        self._hungry: deque[int] = deque()
        self._keeper = keeper
        self._tiny_s = (self._size - 1) * BOOKS_S

    @property
    def busy(self) -> bool:
        """Whether any rank has work."""
        return len(self._idle) < self._size

    def holds(self, rank: int, position: int) -> bool:
        """Whether a rank has a step that has not come back."""
        return position in self._loads[rank].steps

    def first(self, rank: int) -> int | None:
        """What a rank is running: the first of what it has, as it takes its steps in order."""
        return next(iter(self._loads[rank].steps), None)

    def give_back(self, rank: int, positions: Iterable[int]) -> None:
        """A rank gives back what waits behind a step that goes on for too long; it gets no more until that ends."""
        load = self._loads[rank]
        for position in positions:
            load.remove(position)
        load.is_late = bool(load.steps)
        if not load.steps:
            self._idle.append(rank)

    def deal(
        self, take: Callable[[], int | None], ready: int, *, put_back: Callable[[int], None] | None = None
    ) -> tuple[int, list[int]] | None:
        """The next rank to be given something, and the steps; None where there is neither.

        Args:
            take: Gives the next step.
            ready: About how many steps it could give.
            put_back: Takes a step again that is not worth the keeper's time; None where the others are not waited for.
        """
        rank = self._next_rank(ready)
        if rank is None:
            return None
        first = take()
        if first is not None and rank == self._keeper and put_back is not None and self._is_for_others(first):
            rank = self._instead_of_keeper(ready)
            if rank is None:
                put_back(first)  # not kept here: what it needs may be computed anew meanwhile
                return None
        if first is not None:
            steps = self._chunk(first, take, min(MOST, max(1, ready // (2 * self._size))), self._loads[rank])
            self._look_at(rank)
            return rank, steps
        if not self._loads[rank].steps:
            self._idle.append(rank)
        return None

    def _is_for_others(self, step: int) -> bool:
        """Whether a step is so short that the books of what the others finish meanwhile take all of the keeper's time.

        Its bodies would only keep the books waiting, and all ranks with them.
        """
        seconds = self._seconds(step)
        if seconds is None or seconds >= self._tiny_s:
            return False
        return any(self._is_free_within(SOON_S, load) for rank, load in self._loads.items() if rank != self._keeper)

    def _instead_of_keeper(self, ready: int) -> int | None:
        keeper = self._keeper
        assert keeper is not None
        rank = self._next_rank(ready)
        if not self._loads[keeper].steps:
            self._idle.insert(0, keeper)
        return rank

    def _next_rank(self, ready: int) -> int | None:
        if self._idle:
            return self._idle.pop()
        # Near the end a free rank should find something left.
        while self._hungry and ready >= self._size:
            rank = self._hungry.popleft()
            load = self._loads[rank]
            load.is_hungry = False
            if self._is_soon_free(load):
                return rank
        return None

    def _chunk(self, first: int, take: Callable[[], int | None], most: int, load: _Load) -> list[int]:
        steps: list[int] = []
        total_s = 0.0
        position: int | None = first
        while position is not None:
            seconds = self._seconds(position)
            steps.append(position)
            load.add(position, seconds)
            total_s += self._chunk_s if seconds is None else seconds
            position = take() if len(steps) < most and total_s < self._chunk_s else None
        return steps

    def returned(self, rank: int, position: int) -> None:
        """A step has come back from a rank, run or not."""
        load = self._loads[rank]
        load.remove(position)
        load.is_late = False
        if load.steps:
            self._look_at(rank)
        else:
            self._idle.append(rank)

    def _look_at(self, rank: int) -> None:
        load = self._loads[rank]
        if not load.is_hungry and self._is_soon_free(load):
            load.is_hungry = True
            self._hungry.append(rank)

    def _is_soon_free(self, load: _Load) -> bool:
        # Two chunks at most, or one step and the next.
        return bool(load.steps) and self._is_free_within(
            self._ahead_s if len(load.steps) == 1 else min(self._ahead_s, 1.5 * self._chunk_s), load
        )

    def _is_free_within(self, seconds: float, load: _Load) -> bool:
        if load.unknown:  # others of the function may have ended since
            load.look_up(self._seconds)
        return not load.unknown and not load.is_late and load.seconds < seconds


def chunk_seconds(ranks: int) -> float:
    """Work of a chunk for so many ranks, s.

    Example:
        >>> chunk_seconds(4), chunk_seconds(1000)
        (0.01, 0.16)
    """
    return max(CHUNK_S, ranks * CHUNK_S_PER_RANK)


class _Load:
    """What a rank has been given and has not returned."""

    __slots__ = ("is_hungry", "is_late", "seconds", "steps", "unknown")

    def __init__(self) -> None:
        self.steps: dict[int, float | None] = {}
        self.seconds = 0.0
        self.unknown: set[int] = set()
        self.is_hungry = False
        self.is_late = False

    def add(self, position: int, seconds: float | None) -> None:
        self.steps[position] = seconds
        self.seconds += seconds or 0.0
        if seconds is None:
            self.unknown.add(position)

    def look_up(self, seconds: Callable[[int], float | None]) -> None:
        # Of a load of thousands a few at most are unknown: this is done for each step that comes back.
        for position in [*self.unknown]:
            known = seconds(position)
            if known is not None:
                self.unknown.discard(position)
                self.steps[position] = known
                self.seconds += known

    def remove(self, position: int) -> None:
        seconds = self.steps.pop(position)
        # No sum of differences: rounding would leave a rank busy that has nothing.
        self.seconds = self.seconds - (seconds or 0.0) if self.steps else 0.0
        self.unknown.discard(position)
