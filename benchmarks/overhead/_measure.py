"""Start the worker processes and take the medians."""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from statistics import median
from time import perf_counter

from benchmarks.overhead.subjects import SUBJECTS

Sample = dict[str, float]
"""What one process measured: `seconds`, `process_s` (all of it, imports too), `files`, `size_bytes`."""


@dataclass(frozen=True, slots=True)
class Row:
    """One tool on one shape: medians over the rounds."""

    tool: str
    shape: str
    steps: int
    cold_s: float
    warm_s: float
    files: int
    size_bytes: int


def measure(
    tools: Sequence[str], shapes: Sequence[str], steps: Sequence[int], *, rounds: int = 3, folder: Path | None = None
) -> list[Row]:
    """Measure every tool on every shape that it is made for; the floor of a shape comes first."""
    with tempfile.TemporaryDirectory(dir=folder or quick_folder(), prefix="ezpyp-bench-") as place:
        rows = []
        for shape, count in product(shapes, steps):
            fit = [tool for tool, (_, shapes_of, _) in SUBJECTS.items() if tool in tools and shape in shapes_of]
            samples: dict[str, list[tuple[Sample, Sample]]] = {tool: [] for tool in fit}
            for number, tool in product(range(rounds), fit):
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
    command = [sys.executable, "-m", "benchmarks.overhead._worker"]
    # What a tool prints goes to a file, as in a batch job: a pipe would keep this very process busy reading.
    with (location / "output.txt").open("w") as output:
        start = perf_counter()
        done = subprocess.run(
            [*command, tool, shape, str(count), str(location), str(answer)],
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
            cwd=Path(__file__).parents[2],
        )
        process_s = perf_counter() - start
    if done.returncode:
        raise RuntimeError(f"{tool} failed on {shape}, {count} steps:\n{Path(output.name).read_text()[-3000:]}")
    return {"process_s": process_s, **json.loads(answer.read_text())}


def row(tool: str, shape: str, count: int, pairs: list[tuple[Sample, Sample]]) -> Row:
    """The medians of several cold and warm samples."""
    cold, warm = zip(*pairs, strict=True)
    what = "process_s" if shape == "start-up" else "seconds"
    return Row(
        tool,
        shape,
        count,
        cold_s=median(sample[what] for sample in cold),
        warm_s=median(sample[what] for sample in warm),
        files=int(warm[0]["files"]),
        size_bytes=int(warm[0]["size_bytes"]),
    )
