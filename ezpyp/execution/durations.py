"""How long steps take, as far as earlier runs and this one tell."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

FADING = 0.8
"""A hiccup of the machine in one body of a sweep counts for the next twenty or so, not for all that follow."""


class Durations:
    """What each step took when it last ran, corrected by what steps of its function take in this run.

    Args:
        functions: The function of each step, by position.
        recorded: What steps took when they last ran, s, by position; those that never ran left out.

    Example:
        >>> durations = Durations(["f", "f", "g"], {0: 2.0})
        >>> durations.usual(), [durations.longest(position) for position in range(3)]
        ([2.0, 2.0, 2.0], [2.0, 2.0, None])
        >>> durations.took(0, 2.5)
        >>> [durations.longest(position) for position in range(2)]
        [2.5, 2.5]
    """

    def __init__(self, functions: Sequence[Hashable], recorded: Mapping[int, float]) -> None:
        self._functions = functions
        self._recorded = recorded
        self._longest: dict[Hashable, float] = {}
        self._more: dict[Hashable, float] = {}  # by how much one took longer than the time before
        for position, seconds in recorded.items():
            self._longest[functions[position]] = max(seconds, self._longest.get(functions[position], 0.0))

    def usual(self) -> list[float]:
        """Seconds of each step: its own, or the mean of its function, or that of all; 1 where nothing is known."""
        recorded, functions = self._recorded, self._functions
        if not recorded:
            return [1.0] * len(functions)
        by_function: dict[Hashable, list[float]] = {}
        for position, seconds in recorded.items():
            by_function.setdefault(functions[position], []).append(seconds)
        means = {function: sum(times) / len(times) for function, times in by_function.items()}
        mean = sum(recorded.values()) / len(recorded)
        return [
            recorded[position] if position in recorded else means.get(function, mean)
            for position, function in enumerate(functions)
        ]

    def longest(self, position: int) -> float | None:
        """The longest that a step will probably take, by those that ended last; None where its function is new."""
        function = self._functions[position]
        recorded = self._recorded.get(position)
        if recorded is None:
            return self._longest.get(function)
        return recorded + self._more.get(function, 0.0)

    def took(self, position: int, seconds: float) -> None:
        """A step has run, or runs for so long already."""
        function = self._functions[position]
        faded = FADING * self._longest.get(function, 0.0)
        self._longest[function] = seconds if seconds > faded else faded  # noqa: FURB136 - half of what max() takes, for each step
        recorded = self._recorded.get(position)
        if recorded is not None:
            self._more[function] = max(seconds - recorded, FADING * self._more.get(function, 0.0))
