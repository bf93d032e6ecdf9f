"""Count the bytecodes that a step costs, and hold them against the recorded ones: a gate that no busy machine upsets.

Each way is traced at two numbers of steps, and the difference counts, so that start-up does not. ``--record`` writes
what it finds as the new baseline of this Python; without it, exit code 1 where a way costs 5 % more than recorded.
"""

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import ezpyp

BASELINE = Path(__file__).with_name("bytecodes.json")
MARGIN = 1.05
FEW, MANY = 50, 250
"""Numbers of steps; a run cuts its work by the number of steps, not by the clock, between these."""


def increment(x: int) -> int:
    """The trivial step."""
    return x + 1


def count(action: Callable[..., Any]) -> tuple[int, Any]:
    """The bytecodes that run in all frames while `action` does, and what it returns."""
    bytecodes = 0

    def trace(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal bytecodes
        if event == "call":
            frame.f_trace_lines, frame.f_trace_opcodes = False, True
        elif event == "opcode":
            bytecodes += 1
        return trace

    sys.settrace(trace)
    try:
        value = action()
    finally:
        sys.settrace(None)
    return bytecodes, value


def ways(location: Path, steps: int) -> dict[str, int]:
    """Bytecodes of a cold run, of a warm run in a new pipeline, of reading what each left: one by one, and at once."""
    found = {}
    for name in ("cold", "warm"):
        pipeline = ezpyp.Pipeline(location, "bytecodes")
        step = pipeline.step(increment)
        found[f"{name}: declare"], calls = count(lambda step=step: [step(number) for number in range(steps)])
        found[f"{name}: run"], _ = count(pipeline.execute)
        found[f"{name}: read one by one"], _ = count(lambda calls=calls: [call.get_result() for call in calls])
    cache = ezpyp.open_cache(location)
    found["open_cache: table"], _ = count(lambda: cache.table("increment"))
    return found


def per_step() -> dict[str, float]:
    """Bytecodes a step, for each way."""
    os.environ["EZPYP_OUTPUT"] = "none"
    with tempfile.TemporaryDirectory(prefix="ezpyp-bench-") as folder:
        ways(Path(folder, "first"), 3)  # what is loaded late is loaded here
        few, many = ways(Path(folder, "few"), FEW), ways(Path(folder, "many"), MANY)
    return {name: round((many[name] - few[name]) / (MANY - FEW), 1) for name in few}


def main(arguments: Sequence[str]) -> None:
    """Count, print, and compare or record."""
    options = argparse.ArgumentParser(prog="python -m benchmarks bytecodes", description=__doc__)
    options.add_argument("--record", action="store_true", help="make what is found the baseline of this Python")
    asked = options.parse_args(arguments)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    baselines = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
    found = per_step()
    known = {} if asked.record else baselines.get(python, {})
    for name, number in found.items():
        ratio = f"{number / known[name]:8.3f} of the baseline" if name in known else ""
        print(f"{name:<24}{number:>9.1f} bytecodes a step{ratio}")
    if asked.record:
        BASELINE.write_text(json.dumps(baselines | {python: found}, indent=1, sort_keys=True) + "\n")
    elif not known:
        sys.exit(f"no baseline for Python {python}: python -m benchmarks bytecodes --record")
    elif worse := [name for name, number in found.items() if number > MARGIN * known[name]]:
        sys.exit(f"more than 5 % above the baseline: {', '.join(worse)}; mend it, or --record and say why")
