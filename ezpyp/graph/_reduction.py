"""Transitive reduction of ``depends_on`` lists."""

from __future__ import annotations

from collections.abc import Callable, Sequence


def reduced(
    candidates: set[int],
    others: Sequence[int],
    phases: Sequence[int],
    upstreams: Callable[[int], Sequence[int]],
) -> tuple[int, ...]:
    """Leave out the candidates that another candidate, or one of the others, depends on anyway.

    Args:
        candidates: Positions that may be left out.
        others: Positions that stay whatever happens (value edges).
        phases: Phase of every position.
        upstreams: Direct upstreams of a position.

    Returns:
        The candidates that remain, in order.

    Example:
        >>> chain = {0: (), 1: (0,), 2: (1,)}
        >>> reduced({0, 1, 2}, (), [0, 1, 2], chain.__getitem__)
        (2,)
    """
    if len(candidates) + len(others) < 2 or not candidates:
        return tuple(sorted(candidates))
    # Nothing below the lowest candidate can reach one: that bound keeps the search local in long chains.
    floor = min(phases[position] for position in candidates)
    remaining = set(candidates)
    stack = [position for position in {*candidates, *others} if phases[position] > floor]
    seen = set(stack)
    while stack:
        for upstream in upstreams(stack.pop()):
            remaining.discard(upstream)
            if upstream not in seen and phases[upstream] > floor:
                seen.add(upstream)
                stack.append(upstream)
    return tuple(sorted(remaining))
