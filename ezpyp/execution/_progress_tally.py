"""How far a run is, in words: counts, what runs, how long it will take."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

from ezpyp.execution._outcome import DONE, FAILED, SKIPPED
from ezpyp.execution._progress_estimate import Estimate

CACHED = "cached"
NAMES = 3
"""Running steps that are named, the longest first."""

Part = tuple[str, str]
"""A piece of text and its style."""


@dataclass(frozen=True, slots=True)
class Planned:
    """What is known of the steps before they run.

    Attributes:
        names: Name of each step, by position.
        groups: The function of each.
        expected: How long each took before, s; None where that is not known.
        pending: The steps that are to run; the others are cached.
        ranks: How many steps run at a time.
    """

    names: Sequence[str]
    groups: Sequence[Hashable]
    expected: Sequence[float | None]
    pending: Sequence[int]
    ranks: int


class Tally:
    """Counts the ends of steps.

    Args:
        planned: The steps.

    Example:
        >>> tally = Tally(Planned(["a", "b", "c"], ["f"] * 3, [None] * 3, [1, 2], 1))
        >>> tally.ended(1, DONE, 30.0)
        >>> "".join(text for text, _ in tally.parts({2: 10.0}))
        '2 of 3 steps done, 1 cached, 20 s left, 1 running: c 10 s'
    """

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
        """The words.

        Args:
            running: For how long the steps run that are running now, s.
        """
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
    """A time as people say it.

    Example:
        >>> [duration(seconds) for seconds in (0.2, 59.6, 3599, 7500, 200_000)]
        ['0 s', '1 min', '1 h', '2 h 5 min', '2 d 8 h']
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours} h" + (f" {minutes} min" if minutes else "")
    days, hours = divmod(round(seconds / 3600), 24)
    return f"{days} d" + (f" {hours} h" if hours else "")
