"""How long a run will go on, from recorded durations and from what has run so far."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence


class Estimate:
    """Adds up what is left to do.

    A step takes as long as it did before, times what steps of this run have taken longer than they did before; a step
    that never ran takes as long as others of its function.

    Args:
        groups: The function of each step, by position.
        expected: How long each step took before, s; None where that is not known.
        pending: The steps that are to run.
        ranks: How many of them run at a time.

    Example:
        >>> estimate = Estimate(["f", "f", "f"], [None, None, 4.0], range(3), ranks=1)
        >>> estimate.seconds_left({})
        12.0
        >>> estimate.ended(0, 2.0)
        >>> estimate.seconds_left({2: 3.0})
        3.0
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
        """Wall time that is left; None while nothing is known.

        Args:
            running: For how long the steps run that are running now, s.
        """
        pace = self._actual_s / self._foreseen_s if self._foreseen_s else 1.0
        work = self._known_s * pace
        for group, count in self._unknown.items():
            usual = self._usual(group)
            if count and usual is None:
                return None
            work += count * (usual or 0.0)
        rests = [self._rest(position, seconds, pace) for position, seconds in running.items()]
        done = sum(min(seconds, self._whole(position, pace)) for position, seconds in running.items())
        at_a_time = max(1, min(self._ranks, self._count))
        return max([(work - done) / at_a_time, *rests, 0.0])

    def _rest(self, position: int, seconds: float, pace: float) -> float:
        return self._whole(position, pace) - seconds

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
