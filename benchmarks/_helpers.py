"""A function with ten helpers, as a user's script has them; and one that takes a large array."""

from typing import Any

SCALE = 2.5
LABELS = ("low", "middle", "high")


def shifted(x: float) -> float:
    """One helper."""
    return x + SCALE


def stretched(x: float) -> float:
    """One helper."""
    return x * 2 - 1


def rooted(x: float) -> float:
    """One helper."""
    return float(abs(x) ** 0.5)


def clipped(x: float) -> float:
    """One helper."""
    return max(x, 0.0)


def mirrored(x: float) -> float:
    """One helper."""
    return x if x > 1 else -x


def summed(x: float) -> float:
    """One helper."""
    return sum(x * i for i in range(3))


def labelled(x: float) -> float:
    """One helper."""
    return float(len(LABELS)) + x


def picked(x: float) -> float:
    """One helper."""
    return [x, x + 1, x + 2][1]


def looked_up(x: float) -> float:
    """One helper."""
    return {"a": x}["a"]


def limited(x: float) -> float:
    """One helper."""
    return min(x, SCALE) / 3


def function(x: float) -> float:
    """Calls them all."""
    x = shifted(x)
    x = stretched(x)
    x = rooted(x)
    x = clipped(x)
    x = mirrored(x)
    x = summed(x)
    x = labelled(x)
    x = picked(x)
    x = looked_up(x)
    return limited(x)


def first(array: Any, number: int) -> float:
    """One value of a large array."""
    return float(array[number])
