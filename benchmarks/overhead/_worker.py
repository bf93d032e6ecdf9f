"""One process of the overhead measurement: put steps through one tool and print how long it took, as JSON."""

import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import TYPE_CHECKING, Any

from benchmarks.overhead.subjects import Subject, load

if TYPE_CHECKING:
    from numpy import ndarray


def increment(x: int) -> int:
    """The trivial step."""
    return x + 1


def total(parts: list[int]) -> int:
    """The step at the end of a fan-in."""
    return sum(parts)


def ramp(mebibytes: int) -> "ndarray[Any, Any]":
    """A large array."""
    import numpy as np

    return np.arange(mebibytes << 17, dtype=float)


def second(array: "ndarray[Any, Any]") -> int:
    """One number of an array."""
    return int(array[1])


def independent(subject: Subject, count: int) -> list[Any]:
    """Steps that need nothing of each other."""
    step = subject.cached(increment)
    return [step(number) for number in range(count)]


def chain(subject: Subject, count: int) -> list[Any]:
    """Each step takes the value of the one before."""
    step, calls = subject.cached(increment), [0]
    for _ in range(count):
        calls.append(step(calls[-1]))
    return calls[1:]


def fan_in(subject: Subject, count: int) -> list[Any]:
    """Independent steps, and one that takes all their values."""
    calls = independent(subject, count)
    return [*calls, subject.cached(total)(calls)]


def array(subject: Subject, count: int) -> list[Any]:
    """An array of `count` MiB that is made once, and a step that wants one number of it."""
    return [subject.uncached(second)(subject.cached(ramp)(count))]


SHAPES: dict[str, tuple[Callable[[Subject, int], list[Any]], Callable[[int], int]]] = {
    "independent": (independent, lambda count: count),
    "chain": (chain, lambda count: count),
    "fan-in": (fan_in, lambda count: count * (count + 1) // 2),
    "array": (array, lambda _: 1),
    "start-up": (independent, lambda count: count),
}
"""The calls of a shape, and the value of the last one."""


def seconds_for(subject: Subject, shape: str, count: int) -> float:
    """Seconds from the first call to the last value; a wrong value is no measurement."""
    calls, last_value = SHAPES[shape]
    start = perf_counter()
    values = subject.finish(calls(subject, count))
    seconds = perf_counter() - start
    if values[-1] != last_value(count):
        raise ValueError(f"{type(subject).__name__} gave {values[-1]} for {count} steps, shape {shape}")
    return seconds


def main(tool: str, shape: str, count: int, location: Path) -> dict[str, float]:
    """Measure one tool on one location, which may hold the results already."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})  # one core for all
    make = load(tool)
    if shape != "start-up":  # one step elsewhere loads whatever the tool loads late
        with tempfile.TemporaryDirectory(dir=location.parent) as elsewhere:
            seconds_for(make(Path(elsewhere) / "cache"), shape, 1)
    cache = location / "cache"
    seconds = seconds_for(make(cache), shape, count)
    left = list(cache.rglob("*"))
    return {
        "seconds": seconds,
        "files": len(left),
        "size_bytes": sum(path.stat().st_size for path in left if path.is_file()),
    }


if __name__ == "__main__":
    _, tool, shape, count, location, answer = sys.argv
    Path(answer).write_text(json.dumps(main(tool, shape, int(count), Path(location))))
