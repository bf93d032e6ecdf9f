"""What questions to a cache of a million steps cost, beside start-up: the seconds of each verb, and how often that is.

Start-up is a verb on a cache of four steps, taken in turn with the others: on a busy machine compare the ratios.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks._million import build

PYTHON = [sys.executable, "-c", "pass"]
HELP = [sys.executable, "-m", "ezpyp.inspect", "--help"]
# Each with the most seconds that it may take beyond start-up, where there is a goal.
VERBS: tuple[tuple[str, float | None], ...] = (
    ("", 0.3),
    ("steps --status failed", 0.3),
    ("steps --limit 20", None),
    ("steps --limit 20 --sort seconds --reverse", None),
    ("show simulate[x=77]", None),
    ("why simulate[x=77]", None),
    ("log --failed", None),
    ("lineage analyse[x=77]", None),
    ("runs", None),
    ("diff", None),
    ("graph", None),
    ("timeline", None),
    ("timeline --format svg", None),
    ("du", None),
    ("verify --quick", None),
    ("verify", None),
    ("steps --format json", None),
)


def main(argv: Sequence[str]) -> int:
    """Print a line for each verb."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks inspect", description=__doc__)
    parser.add_argument("--steps", type=int, default=1_000_000, help="steps of the cache (default: %(default)s)")
    parser.add_argument("--repeat", type=int, default=3, help="take the best of so many (default: %(default)s)")
    parser.add_argument("--folder", type=Path, help="build the caches here (default: the system's temporary folder)")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(dir=options.folder) as name:
        small, large = build(Path(name) / "small", 4), build(Path(name) / "large", options.steps)
        _print(small, large, options)
    return 0


def _print(small: Path, large: Path, options: argparse.Namespace) -> None:
    times = range(options.repeat)
    python, shown = (min(_seconds(command) for _ in times) for command in (PYTHON, HELP))
    print(f"bare python {python:.3f} s, --help {shown:.3f} s; {options.steps} steps, seconds:")
    print(f"{'verb':<44}{'start-up':>9}{'all':>9}{'beyond':>9}{'ratio':>8}")
    for verb, goal in VERBS:
        pairs = [(_seconds(_ask(small, verb)), _seconds(_ask(large, verb))) for _ in times]
        start, took = (min(column) for column in zip(*pairs, strict=True))
        told = f"  goal {goal}" if goal else ""
        print(
            f"{verb or 'overview':<44}{start:9.3f}{took:9.3f}{took - start:9.3f}{took / start:8.1f}{told}", flush=True
        )


def _ask(cache: Path, verb: str) -> list[str]:
    # The small cache ends before 77.
    words = verb.replace("77]", "1]").split() if cache.name == "small" else verb.split()
    return [sys.executable, "-m", "ezpyp.inspect", str(cache), *words]


def _seconds(command: list[str]) -> float:
    start = time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    if done.returncode not in (0, 1):
        raise RuntimeError(f"{' '.join(command)}: {done.stderr.decode()}")
    return time.perf_counter() - start
