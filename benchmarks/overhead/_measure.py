"""Start the worker processes and take the medians."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median

from benchmarks.overhead._sample import Sample

SHAPES = ("independent", "chain", "fan-in")
"""How the steps depend on each other; a fan-in is N independent steps and one that takes them all."""


@dataclass(frozen=True, slots=True)
class Row:
    """One tool on one shape: medians over the rounds."""

    tool: str
    shape: str
    steps: int
    cold_us: float
    warm_us: float
    start_ms: float
    files: int
    size_bytes: int


def measure(
    tools: Sequence[str],
    shapes: Sequence[str],
    steps: Sequence[int],
    *,
    rounds: int = 3,
    folder: Path | None = None,
) -> list[Row]:
    """Measure every tool on every shape and number of steps."""
    with tempfile.TemporaryDirectory(dir=folder or quick_folder(), prefix="ezpyp-bench-") as place:
        rows = []
        for count, shape in product(steps, shapes):
            samples: dict[str, list[tuple[Sample, Sample]]] = {tool: [] for tool in tools}
            for number, tool in product(range(rounds), tools):
                location = Path(place, f"{tool}-{shape}-{count}-{number}".replace(" ", "_"))
                samples[tool].append((work(tool, shape, count, location), work(tool, shape, count, location)))
            rows += [row(tool, shape, count, pairs) for tool, pairs in samples.items()]
        return rows


def quick_folder() -> str | None:
    """A folder in memory where there is one: the tools are measured, not the disk."""
    return "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def work(tool: str, shape: str, count: int, location: Path) -> Sample:
    """Put the steps through one tool in a fresh process."""
    location.mkdir(exist_ok=True)
    answer = location / "sample.json"
    command = [
        sys.executable,
        "-m",
        "benchmarks.overhead._worker",
        tool,
        shape,
        str(count),
        str(location),
        str(answer),
    ]
    # What a tool prints goes to a file, as in a batch job: a pipe would keep this very process busy reading.
    with (location / "output.txt").open("w") as output:
        subprocess.run(command, stdout=output, check=True, cwd=Path(__file__).parents[2])
    return Sample.from_json(answer.read_text())


def row(tool: str, shape: str, count: int, pairs: list[tuple[Sample, Sample]]) -> Row:
    """The medians of several cold and warm samples."""
    cold, warm = zip(*pairs, strict=True)
    return Row(
        tool,
        shape,
        count,
        cold_us=median(sample.seconds for sample in cold) / count * 1e6,
        warm_us=median(sample.seconds for sample in warm) / count * 1e6,
        start_ms=median(sample.start_seconds for sample in warm) * 1e3,
        files=warm[0].files,
        size_bytes=warm[0].size_bytes,
    )
