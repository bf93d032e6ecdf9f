"""How many ranks one coordinator keeps busy: the real scheduler, driven by discrete events.

No rank is started: ranks, messages and time are simulated; `ezpyp.execution`'s own ready queue and dispatcher decide
who runs what. A run's efficiency is the bound that no scheduler can beat, max(work / ranks, longest path), over the
time that it took. The costs of the coordinator are those that ``benchmarks parallel noop`` measures: ``--message-us``
and ``--step-us``.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict

from benchmarks.simulation._machine import Costs, Outcome, simulate
from benchmarks.simulation._shapes import SHAPES, program
from ezpyp.execution.scheduler import chunk_seconds


def parser() -> argparse.ArgumentParser:
    """The options of ``python -m benchmarks simulation``."""
    options = argparse.ArgumentParser(prog="python -m benchmarks simulation", description=__doc__)
    options.add_argument("--ranks", nargs="+", type=int, default=[10, 100, 1_000, 10_000], metavar="N")
    options.add_argument("--steps", type=int, default=100_000, metavar="N")
    options.add_argument("--shape", nargs="+", choices=SHAPES, default=["independent"], metavar="SHAPE")
    options.add_argument("--seconds", nargs="+", type=float, default=[1.0], metavar="S", help="mean length of a step")
    options.add_argument(
        "--spread", type=float, default=0.5, help="sigma of their log-normal lengths; 0 for equal ones"
    )
    options.add_argument("--policy", nargs="+", choices=POLICIES, default=list(POLICIES), metavar="POLICY")
    options.add_argument("--unknown", action="store_true", help="no durations are recorded")
    options.add_argument("--latency-us", type=float, default=50.0, help="from one rank to another")
    options.add_argument("--message-us", type=float, default=40.0, help="the coordinator's work for each message")
    options.add_argument("--step-us", type=float, default=16.0, help="the coordinator's work for each step")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--json", action="store_true", help="print the numbers for programs")
    return options


POLICIES: dict[str, Callable[[int], float]] = {"single": lambda _: 0.0, "chunks": chunk_seconds}
"""How steps are assigned: one by one, or in chunks; seconds of a chunk, by ranks."""


def main(arguments: Sequence[str]) -> None:
    """Simulate what the command line asks for and print it."""
    asked = parser().parse_args(arguments)
    costs = Costs(asked.latency_us / 1e6, asked.message_us / 1e6, asked.step_us / 1e6)
    outcomes = []
    for shape in asked.shape:
        for seconds in asked.seconds:
            steps = program(shape, asked.steps, seconds, asked.spread, asked.seed)
            for ranks in asked.ranks:
                for policy in asked.policy:
                    chunk_s = POLICIES[policy](ranks)
                    outcome = simulate(steps, ranks, costs, chunk_s=chunk_s, is_recorded=not asked.unknown)
                    outcomes.append((shape, seconds, policy, outcome))
                    if not asked.json:
                        _print(shape, seconds, policy, outcome, is_first=len(outcomes) == 1)
    if asked.json:
        named = [{"shape": a, "step_s": b, "policy": c, **asdict(outcome)} for a, b, c, outcome in outcomes]
        print(json.dumps(named, indent=1))


TITLES = ("shape", "step s", "policy", "ranks", "steps", "bound s", "took s", "efficiency", "coordinator", "steps/s")


def _print(shape: str, seconds: float, policy: str, outcome: Outcome, *, is_first: bool) -> None:
    row = (
        shape, f"{seconds:g}", policy, f"{outcome.ranks:,}", f"{outcome.steps:,}", f"{outcome.bound_s:.2f}",
        f"{outcome.took_s:.2f}", f"{outcome.efficiency:.3f}", f"{outcome.coordinator_load:.0%}",
        f"{outcome.steps_per_s:,.0f}",
    )  # fmt: skip
    widths = (12, 7, 8, 7, 10, 10, 10, 11, 12, 9)
    for line in (TITLES, row) if is_first else (row,):
        print("".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip(), flush=True)
