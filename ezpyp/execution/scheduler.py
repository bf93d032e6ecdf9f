"""Which step may start next, on which rank, how many at once, and how long it will take. Pure: no MPI, no store."""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence


class Scheduler:
    """Hands out steps whose upstreams are finished, the most urgent first.

    Args:
        upstreams: Upstreams of every step, by position; one may stand there twice.
        pending: The steps to be handed out; all others count as finished.
        urgency: Order in which ready steps are handed out, by position: the smallest first.
        barrier: Phase of every step where one begins only when those before have ended, and ``urgency`` goes by
            phases too; None without a barrier.
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
            phase = self._barrier[position]
            self._unfinished[phase] -= 1
            if not self._unfinished[phase]:
                del self._unfinished[phase]
        for dependent in self._dependents.pop(position, ()):
            self._missing[dependent] -= 1
            if not self._missing[dependent]:
                heapq.heappush(self._ready, (self._urgency[dependent], dependent))

    def put_back(self, position: int, upstreams: Collection[int]) -> None:
        """A step that was taken has to wait after all; it is handed out again when these upstreams have finished."""
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


def in_phases(phases: Sequence[int]) -> list[int]:
    """Urgency of a serial run: phase by phase, in order of declaration."""
    urgency = [0] * len(phases)
    for rank, position in enumerate(sorted(range(len(phases)), key=phases.__getitem__)):
        urgency[position] = rank
    return urgency


def longest_first(upstreams: Sequence[Sequence[int]], seconds: Sequence[float]) -> list[float]:
    """Urgency of a parallel run: the step with the longest path to an end first; upstreams stand before their users."""
    longest = list(seconds)
    for position in range(len(longest) - 1, -1, -1):
        for up in upstreams[position]:
            longest[up] = max(longest[up], seconds[up] + longest[position])
    return [-length for length in longest]


CHUNK_S = 0.01
CHUNK_S_PER_RANK = 160e-6
"""Two messages a chunk take the coordinator 80 us: with so much work in each it can serve all ranks, half busy."""
MOST = 200
"""Steps of one chunk: one that takes longer than it should holds up no more than these."""


def chunk_seconds(ranks: int) -> float:
    """Work of a chunk for so many ranks, s."""
    return max(CHUNK_S, ranks * CHUNK_S_PER_RANK)


class Dispatcher:
    """Assigns ready steps to ranks: short ones in chunks, long ones one by one.

    A message costs as much as a hundred tiny steps, so steps known to be short go in chunks of about ``chunk_s``,
    never more than a rank's fair share of half of what is ready (guided self-scheduling, Polychronopoulos and Kuck
    1987). A rank whose work is known and below one chunk, the low-water mark, gets its next chunk before it is done, so
    that it need not wait for the answer: without this, steps of 0.2 ms on two ranks lose 8 % in simulation. A step that
    is long, or of unknown length, goes alone to an idle rank.

    What waits behind a step that takes longer than its function did so far goes on waiting: at most two chunks.

    Args:
        ranks: The ranks that compute; the last gets work first.
        seconds: How long a step will take, as far as is known; None where it is not.
        chunk_s: Work of a chunk, s; 0 for single steps, and none before a rank is idle.
        coordinator: The rank that also keeps the records, in another thread of one interpreter, and so gets nothing
            before it is idle.
    """

    def __init__(
        self,
        ranks: Iterable[int],
        seconds: Callable[[int], float | None],
        *,
        chunk_s: float = CHUNK_S,
        coordinator: int | None = None,
    ) -> None:
        self._idle = list(ranks)
        self._size = len(self._idle)
        self._seconds = seconds
        self._chunk_s = chunk_s
        self._coordinator = coordinator
        # The steps of each rank that have not come back, in the order in which it runs them, and their lengths. One of
        # unknown length counts as two chunks: one chunk, less what rounding takes, would be below the low-water mark.
        self._loads: dict[int, dict[int, float]] = {rank: {} for rank in self._idle}
        self._left_s = dict.fromkeys(self._idle, 0.0)
        self._low: dict[int, None] = {}  # ranks below the low-water mark

    @property
    def busy(self) -> bool:
        """Whether any rank has work."""
        return len(self._idle) < self._size

    def first(self, rank: int) -> int | None:
        """The step that a rank is running: the first of those it has."""
        return next(iter(self._loads[rank]), None)

    def assign(self, take: Callable[[], int | None], ready: int) -> tuple[int, list[int]] | None:
        """The next rank to be given something, and the steps; None where there is neither."""
        rank = self._next_rank(ready)
        if rank is None:
            return None
        steps = self._chunk(take, min(MOST, max(1, ready // (2 * self._size))))
        if not steps:
            if not self._loads[rank]:
                self._idle.append(rank)
            return None
        self._loads[rank].update(steps)
        self._left_s[rank] += sum(steps.values())
        self._note_if_low(rank)
        return rank, list(steps)

    def _next_rank(self, ready: int) -> int | None:
        if self._idle:
            return self._idle.pop()
        # Near the end an idle rank should find something left.
        return self._low.popitem()[0] if self._low and ready >= self._size else None

    def _chunk(self, take: Callable[[], int | None], most: int) -> dict[int, float]:
        steps: dict[int, float] = {}
        total_s = 0.0
        while len(steps) < most and (not steps or total_s < self._chunk_s) and (position := take()) is not None:
            seconds = self._seconds(position)
            steps[position] = 2 * self._chunk_s if seconds is None else seconds
            total_s += steps[position]
        return steps

    def returned(self, rank: int, position: int) -> None:
        """A step has come back from a rank, run or not."""
        load = self._loads[rank]
        self._left_s[rank] -= load.pop(position)
        if load:
            self._note_if_low(rank)
        else:
            self._set_idle(rank)

    def ended(self, rank: int) -> None:
        """A rank runs nothing more; what it had is lost."""
        if self._loads[rank]:
            self._loads[rank].clear()
            self._set_idle(rank)

    def _note_if_low(self, rank: int) -> None:
        if self._left_s[rank] < self._chunk_s and rank != self._coordinator and len(self._loads[rank]) < MOST:
            self._low[rank] = None

    def _set_idle(self, rank: int) -> None:
        self._left_s[rank] = 0.0  # no sum of differences: rounding would leave a little
        self._low.pop(rank, None)
        self._idle.append(rank)


FADING = 0.8
"""A hiccup of the machine in one body of a sweep counts for the next twenty or so, not for all that follow."""


class Durations:
    """What each step took when it last ran, corrected by what steps of its function take in this run.

    Args:
        functions: The function of each step, by position.
        recorded: What steps took when they last ran, s, by position; those that never ran left out.
    """

    def __init__(self, functions: Sequence[Hashable], recorded: Mapping[int, float]) -> None:
        self._functions = functions
        self.recorded = recorded
        self._longest: dict[Hashable, float] = {}
        self._more: dict[Hashable, float] = {}  # by how much one took longer than the time before
        for position, seconds in recorded.items():
            self._longest[functions[position]] = max(seconds, self._longest.get(functions[position], 0.0))

    def usual(self) -> list[float]:
        """Seconds of each step: its own, or the mean of its function, or that of all; 1 where nothing is known."""
        recorded, functions = self.recorded, self._functions
        if not recorded:
            return [1.0] * len(functions)
        means = _means((functions[position], seconds) for position, seconds in recorded.items())
        mean = sum(recorded.values()) / len(recorded)
        return [
            recorded[position] if position in recorded else means.get(function, mean)
            for position, function in enumerate(functions)
        ]

    def longest(self, position: int) -> float | None:
        """The longest that a step will probably take, by those that ended last; None where its function is new."""
        function = self._functions[position]
        recorded = self.recorded.get(position)
        if recorded is None:
            return self._longest.get(function)
        return recorded + self._more.get(function, 0.0)

    def took(self, position: int, seconds: float) -> None:
        """A step has run, or runs for so long already."""
        function = self._functions[position]
        faded = FADING * self._longest.get(function, 0.0)
        self._longest[function] = seconds if seconds > faded else faded  # noqa: FURB136 - half of what max() takes, for each step
        recorded = self.recorded.get(position)
        if recorded is not None:
            self._more[function] = max(seconds - recorded, FADING * self._more.get(function, 0.0))


class Estimate:
    """Adds up what is left to do.

    A step takes as long as it did before, times what steps of this run have taken longer than they did before; a step
    that never ran takes as long as others of its function.

    Args:
        groups: The function of each step, by position.
        expected: How long each step took before, s; None where that is not known.
        pending: The steps that are to run.
        ranks: How many of them run at a time.
    """

    def __init__(
        self, groups: Sequence[Hashable], expected: Sequence[float | None], pending: Iterable[int], ranks: int
    ) -> None:
        self._groups = groups
        self._expected = expected
        self._ranks = ranks
        self._count = 0
        self._known_s = 0.0
        self._unknown: Counter[Hashable] = Counter()
        self._taken_s: dict[Hashable, float] = {}
        self._taken: Counter[Hashable] = Counter()
        self._actual_s = self._foreseen_s = 0.0
        for position in pending:
            self.add(position)
        known = [(group, seconds) for group, seconds in zip(groups, expected, strict=True) if seconds is not None]
        self._before = _means(known)
        self._usual_s = sum(seconds for _, seconds in known) / len(known) if known else None

    def add(self, position: int, sign: int = 1) -> None:
        """One step more is to run; with sign -1 one less."""
        self._count += sign
        seconds = self._expected[position]
        if seconds is None:
            self._unknown[self._groups[position]] += sign
        else:
            self._known_s += sign * seconds

    def ended(self, position: int, seconds: float | None) -> None:
        """A step has ended; without seconds where it did not run."""
        self.add(position, -1)
        if seconds is None:
            return
        group, expected = self._groups[position], self._expected[position]
        self._taken[group] += 1
        self._taken_s[group] = self._taken_s.get(group, 0.0) + seconds
        if expected is not None:
            self._actual_s += seconds
            self._foreseen_s += expected

    def seconds_left(self, running: Mapping[int, float]) -> float | None:
        """Wall time that is left; None while nothing is known. ``running`` says for how long steps run already, s."""
        pace = self._actual_s / self._foreseen_s if self._foreseen_s else 1.0
        work = self._known_s * pace
        for group, count in self._unknown.items():
            usual = self._usual(group)
            if count and usual is None:
                return None
            work += count * (usual or 0.0)
        wholes = [(self._whole(position, pace), seconds) for position, seconds in running.items()]
        done = sum(min(whole) for whole in wholes)
        at_a_time = max(1, min(self._ranks, self._count))
        return max([(work - done) / at_a_time, *(whole - seconds for whole, seconds in wholes), 0.0])

    def _whole(self, position: int, pace: float) -> float:
        expected = self._expected[position]
        return (self._usual(self._groups[position]) or 0.0) if expected is None else expected * pace

    def _usual(self, group: Hashable) -> float | None:
        if self._taken[group]:
            return self._taken_s[group] / self._taken[group]
        if group in self._before:
            return self._before[group]
        if self._taken:
            return sum(self._taken_s.values()) / sum(self._taken.values())
        return self._usual_s


def _means(known: Iterable[tuple[Hashable, float]]) -> dict[Hashable, float]:
    by_group: dict[Hashable, list[float]] = {}
    for group, seconds in known:
        by_group.setdefault(group, []).append(seconds)
    return {group: sum(times) / len(times) for group, times in by_group.items()}
