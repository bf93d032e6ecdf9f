"""Which steps an export for people lists: of a hundred thousand nobody reads the last."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence

WHOLE = 10_000
"""So many steps ``pipeline.schema`` and ``pipeline.summary`` list whole; the index has them all."""
LISTED = 2_000
"""Of more they list these."""


def excerpt(phases: Sequence[int], *, first: Sequence[int] = (), limit: int = LISTED, whole: int = WHOLE) -> list[int]:
    """Positions of the steps to list, in order: those that come first anyhow, and the beginning of each phase.

    Args:
        phases: The phase of each step.
        first: Positions that are listed whatever the limit.
        limit: How many to list.
        whole: How many steps at most are all listed.

    Example:
        >>> excerpt([0, 0, 0, 0, 1], limit=3, whole=4)  # the step that gathers a sweep is not lost behind it
        [0, 1, 4]
        >>> excerpt([0, 0, 0, 0, 1], first=[3], limit=2, whole=4)
        [0, 3]
    """
    if len(phases) <= whole:
        return list(range(len(phases)))
    seen: Counter[int] = Counter()
    order = []
    for position, phase in enumerate(phases):
        order.append((seen[phase], phase, position))
        seen[phase] += 1
    chosen = dict.fromkeys(first)
    for _, _, position in sorted(order):
        if len(chosen) >= limit:
            break
        chosen[position] = None
    return sorted(chosen)


def rest_of(count: int, location: str) -> str:
    """What stands in the place of the steps that are not listed."""
    return f"{count:,} more steps: python -m ezpyp.inspect {shlex.quote(location)} steps"
