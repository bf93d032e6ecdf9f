"""Programs to be simulated: who needs whom, and how long each step takes."""

import math
import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Steps:
    """A program without functions.

    Attributes:
        upstreams: Upstreams of each step; each stands before what needs it.
        seconds: How long each step takes.
    """

    upstreams: list[tuple[int, ...]]
    seconds: list[float]

    @property
    def longest_path_s(self) -> float:
        """Length of the longest chain: no number of ranks is faster."""
        ends: list[float] = []
        for ups, seconds in zip(self.upstreams, self.seconds, strict=True):
            ends.append(seconds + max((ends[up] for up in ups), default=0.0))
        return max(ends, default=0.0)


def program(shape: str, count: int, mean_s: float, spread: float, seed: int) -> Steps:
    """Steps of one shape, their lengths log-normal around a mean.

    Example:
        >>> program("chains", 4, 1.0, 0.0, 1).upstreams
        [(), (0,), (1,), (2,)]
    """
    dice = random.Random(seed)
    location = math.log(mean_s) - spread**2 / 2
    seconds = [dice.lognormvariate(location, spread) if spread else mean_s for _ in range(count)]
    return Steps(SHAPES[shape](count, dice), seconds)


def _independent(count: int, _: random.Random) -> list[tuple[int, ...]]:
    return [()] * count


def _chains(count: int, _: random.Random) -> list[tuple[int, ...]]:
    """Chains of a hundred steps each, side by side."""
    return [() if position % 100 == 0 else (position - 1,) for position in range(count)]


def _layers(count: int, dice: random.Random) -> list[tuple[int, ...]]:
    """A hundred layers; each step needs three of the layer before it."""
    width = max(1, count // 100)
    return [
        tuple({position - width - position % width + dice.randrange(width) for _ in range(3)})
        if position >= width
        else ()
        for position in range(count)
    ]


def _fans(count: int, _: random.Random) -> list[tuple[int, ...]]:
    """Groups of a hundred: one, ninety-eight that need it, one that needs them all."""
    return [_fan(position) for position in range(count)]


def _fan(position: int) -> tuple[int, ...]:
    place = position % 100
    first = position - place
    if place == 99:
        return tuple(range(first + 1, position))
    return (first,) if place else ()


SHAPES: dict[str, Callable[[int, random.Random], list[tuple[int, ...]]]] = {
    "independent": _independent,
    "chains": _chains,
    "layers": _layers,
    "fans": _fans,
}
