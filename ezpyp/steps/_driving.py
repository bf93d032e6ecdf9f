"""Walks over nested values with a stack of their own: 100,000 levels need no recursion."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

Visit = Generator[object, Any, Any]
"""Yields parts that are to be visited, is sent what came of each, and returns what came of the whole."""


def driven(root: object, visit: Callable[[Any], Visit]) -> Any:
    """Visit a value, each part that its visit yields, and so on.

    Args:
        root: The value.
        visit: Starts the visit of a value.

    Returns:
        What the visit of ``root`` returned.

    Example:
        >>> def total(value):
        ...     if isinstance(value, int):
        ...         return value
        ...     parts = []
        ...     for part in value:
        ...         parts.append((yield part))
        ...     return sum(parts)
        >>> driven([1, [2, [3]]], total)
        6
    """
    visits = [visit(root)]
    sent: object = None
    while True:
        try:
            part = visits[-1].send(sent)
        except StopIteration as done:
            visits.pop()
            if not visits:
                return done.value
            sent = done.value
        else:
            visits.append(visit(part))
            sent = None
