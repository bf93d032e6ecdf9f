"""One process of the overhead measurement: put N trivial steps through one tool and say how long it took."""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

from benchmarks.overhead._sample import Sample
from benchmarks.overhead.subjects import Subject, load


def increment(x: int) -> int:
    """The trivial step."""
    return x + 1


def total(parts: list[int]) -> int:
    """The step at the end of a fan-in."""
    return sum(parts)


def drive(subject: Subject, shape: str, count: int) -> int:
    """Put `count` steps through a tool; returns the value of the last one."""
    step, reduce = subject.cached(increment), subject.cached(total)
    if shape == "chain":
        last: object = 0
        for _ in range(count):
            last = step(last)
    elif shape == "fan-in":
        last = reduce([step(number) for number in range(count)])
    else:
        for number in range(count):
            last = step(number)
    return subject.finish(last)


EXPECTED: dict[str, Callable[[int], int]] = {
    "independent": lambda count: count,
    "chain": lambda count: count,
    "fan-in": lambda count: count * (count + 1) // 2,
}
"""The value of the last step, by shape."""


def timed(subject: Subject, shape: str, count: int) -> float:
    """Seconds that `drive` takes; a wrong value is no measurement."""
    start = perf_counter()
    value = drive(subject, shape, count)
    seconds = perf_counter() - start
    if value != EXPECTED[shape](count):
        raise ValueError(f"{type(subject).__name__} gave {value} for {count} steps, shape {shape}")
    return seconds


def main(tool: str, shape: str, count: int, location: Path) -> Sample:
    """Measure one tool on one location, which may hold the results already."""
    make = load(tool)
    with tempfile.TemporaryDirectory(dir=location.parent) as aside:
        start_seconds = timed(make(Path(aside) / "cache"), shape, 1)
    cache = location / "cache"
    seconds = timed(make(cache), shape, count)
    left = list(cache.rglob("*"))
    return Sample(seconds, start_seconds, len(left), sum(path.stat().st_size for path in left if path.is_file()))


if __name__ == "__main__":
    _, tool, shape, count, location, answer = sys.argv
    Path(answer).write_text(main(tool, shape, int(count), Path(location)).to_json())
