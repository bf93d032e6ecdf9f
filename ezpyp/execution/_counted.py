"""How many steps of each phase are how, at each moment of a large run: whoever asks need not count a million rows."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Sequence

from ezpyp.execution._outcome import DONE, PENDING
from ezpyp.execution._state import RunState

LEAST = 100_000
"""Steps of a run from which on it is worth it; fewer are counted when somebody asks."""


class Counted:
    """Counts by phase and status, kept up to date row by row.

    Args:
        phases: Phase of each step, by position.
        statuses: Status of each step before the run.

    Example:
        >>> counted = Counted([0, 0, 1], [PENDING, DONE, PENDING])
        >>> counted.becomes(2, DONE)
        >>> counted.by_phase()
        {(0, -1): 1, (0, 0): 1, (1, 0): 1}
    """

    def __init__(self, phases: Sequence[int], statuses: Sequence[int]) -> None:
        self._phases = phases
        self._statuses = array("b", statuses)
        self._counts = Counter(zip(phases, statuses, strict=True))

    @classmethod
    def of(cls, state: RunState) -> Counted | None:
        """What is known when a run begins; None for a small one."""
        if len(state.program) < LEAST or state.rows is None:
            return None
        pairs = zip(state.found, state.rows, strict=True)
        return cls(state.program.phases, [DONE if found else row[0] if row else PENDING for found, row in pairs])

    def becomes(self, position: int, status: int) -> None:
        """A step's newest row has another status."""
        phase = self._phases[position]
        self._counts[phase, self._statuses[position]] -= 1
        self._counts[phase, status] += 1
        self._statuses[position] = status

    def by_phase(self) -> dict[tuple[int, int], int]:
        """The counts, by phase and status."""
        return {key: count for key, count in self._counts.items() if count}
