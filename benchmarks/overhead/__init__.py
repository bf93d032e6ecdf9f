"""What a trivial step costs, every value read: ezpyp beside what else one could use, as ratios to a floor.

Every number comes from a process of its own on one core: a *cold* one that fills an empty location, then a *warm*
one that finds everything there. Imports are not counted (but in shape ``start-up``, the whole process for one step):
each process first puts one step through another location, which loads whatever its tool loads late. Rounds are
interleaved over the tools, so that a busy moment of the machine hits all alike, and the median counts. Tools that
are not installed are left out: ``pip install -e '.[bench,peers]'`` has them all.
"""

import argparse
import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from benchmarks.overhead._measure import measure
from benchmarks.overhead._table import table
from benchmarks.overhead._worker import SHAPES
from benchmarks.overhead.subjects import SUBJECTS, installed


def parser() -> argparse.ArgumentParser:
    """The options of ``python -m benchmarks overhead``."""
    options = argparse.ArgumentParser(prog="python -m benchmarks overhead", description=__doc__)
    options.add_argument("--only", nargs="+", choices=SUBJECTS, default=installed(), metavar="TOOL")
    options.add_argument(
        "--shape", nargs="+", choices=SHAPES, metavar="SHAPE", default=["independent", "chain", "fan-in"]
    )
    options.add_argument("--steps", nargs="+", type=int, default=[1_000, 10_000], metavar="N")
    options.add_argument("--rounds", type=int, default=3, metavar="N", help="the median of N counts")
    options.add_argument(
        "--folder", type=Path, help="where to put the locations (default: /dev/shm, else the temp folder)"
    )
    options.add_argument("--json", action="store_true", help="print the numbers for programs")
    return options


def main(arguments: Sequence[str]) -> None:
    """Measure what the command line asks for and print it."""
    asked = parser().parse_args(arguments)
    rows = measure(asked.only, asked.shape, asked.steps, rounds=asked.rounds, folder=asked.folder)
    print(json.dumps([asdict(row) for row in rows], indent=1) if asked.json else table(rows))
