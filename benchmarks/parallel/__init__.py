"""How well ranks are kept busy: walls as ratios of the bound that no scheduler beats, all cases in one run.

Sleeps are used where the machine's cores do not matter. ``cpu`` sets 200 pure-Python steps of 10 ms beside peers, with
two forked halves as the ceiling; peers that are not installed are left out. ``mpirun`` is the one beside this Python.
"""

import argparse
import json
import statistics
from collections.abc import Callable, Sequence

from benchmarks.parallel._peers import PEERS
from benchmarks.parallel._run import job, peer

Row = tuple[str, float, float | None, str]
"""What was measured, the number, the goal (None for a number to compare with), how to read it."""


def parser() -> argparse.ArgumentParser:
    """The options of ``python -m benchmarks parallel``."""
    options = argparse.ArgumentParser(prog="python -m benchmarks parallel", description=__doc__)
    options.add_argument("case", nargs="*", metavar="CASE", help=f"of {', '.join(CASES)} (default: all)")
    options.add_argument("--rounds", type=int, default=3, help="each number is the median of so many runs")
    options.add_argument("--json", action="store_true", help="print the numbers for programs")
    return options


def main(arguments: Sequence[str]) -> None:
    """Measure what the command line asks for and print it."""
    options = parser()
    asked = options.parse_args(arguments)
    if not CASES.keys() >= set(asked.case):
        options.error(f"CASE is one of: {', '.join(CASES)}")
    rows: list[Row] = []
    for case in asked.case or CASES:
        for row in CASES[case](asked.rounds):
            rows.append(row)
            if not asked.json:
                name, value, goal, unit = row
                print(f"{name:<52}{value:>9.3f}  {unit:<24}{'' if goal is None else f'goal {goal:g}'}", flush=True)
    if asked.json:
        print(json.dumps([dict(zip(("name", "value", "goal", "unit"), row, strict=True)) for row in rows], indent=1))


def _median(rounds: int, measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(rounds))


def _chains(rounds: int) -> list[Row]:
    return [
        (
            "two chains of six sleeps, 2 ranks",
            _median(rounds, lambda: job(2, "chains")["wall_s"]),
            3.3,
            "s, bound 3.09",
        ),
        ("the same with barrier=True", job(2, "chains", "barrier")["wall_s"], None, "s, bound 6.00"),
    ]


def _slow(rounds: int) -> list[Row]:
    over = _median(rounds, lambda: job(4, "slow")["over_bound"])
    return [("one slow and 99 fast sleeps, 4 ranks", over, 1.1, "x the bound")]


def _mixed(rounds: int) -> list[Row]:
    runs = [job(4, "mixed") for _ in range(rounds)]
    first, second = (statistics.median(run[which] for run in runs) for which in ("first", "second"))
    return [
        ("120 mixed sleeps, 4 ranks, nothing recorded", first, 1.15, "x the bound"),
        ("120 mixed sleeps, 4 ranks, durations recorded", second, 1.05, "x the bound"),
    ]


def _noop(rounds: int) -> list[Row]:
    pairs = [(job(2, "noop")["wall_s"], job(0, "noop")["wall_s"]) for _ in range(rounds)]
    return [
        ("2,000 no-op steps, 2 ranks over serial", statistics.median(a / b for a, b in pairs), 1.0, "x serial"),
        ("2,000 no-op steps, serial", statistics.median(b / 2000 * 1e6 for _, b in pairs), None, "us a step"),
        ("dealing no-op steps in chunks, store excluded", job(0, "dealing")["us"], 10, "us a step"),
        ("the coordinator, rows and messages too", job(2, "coordinator")["us"], 25, "us a step"),
    ]


def _short(rounds: int) -> list[Row]:
    rows: list[Row] = []
    for microseconds, count, goal in (("200", "2000", 1.7), ("5000", "300", 1.9)):
        walls = [[job(ranks, "short", microseconds, count)["wall_s"] for ranks in (0, 2)] for _ in range(rounds)]
        ratio = statistics.median(serial / two for serial, two in walls)
        rows.append((f"{count} steps of {int(microseconds) / 1000:g} ms, 2 ranks", ratio, goal, "x serial"))
    return rows


def two_cores(rounds: int) -> dict[str, float]:
    """How many times faster than one process 200 steps of 10 ms are; each peer in turn, round by round."""
    walls: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name in PEERS:
            if (wall_s := peer(name)) is not None:
                walls.setdefault(name, []).append(wall_s)
        for size in (2, 3):
            walls.setdefault(f"ezpyp, {size} ranks", []).append(job(size, "cpu")["wall_s"])
    serial = walls["serial"]
    return {name: statistics.median(s / w for s, w in zip(serial, times, strict=True)) for name, times in walls.items()}


def _cpu(rounds: int) -> list[Row]:
    goals = {"ezpyp, 2 ranks": 1.85}
    return [
        (f"200 x 10 ms of Python: {name}", ratio, goals.get(name), "x serial")
        for name, ratio in two_cores(rounds).items()
    ]


def _idle(_: int) -> list[Row]:
    return [("a waiting rank's share of a core", max(job(4, "idle")["shares"]), 0.05, "of a core")]


def _fan(_: int) -> list[Row]:
    found = job(4, "fan")
    return [
        ("1,000 consumers of 100 MB, 4 ranks: peak memory", max(found["peaks"]), 1.3, "x the result, a rank"),
        ("the same: longest message", found["message"], None, "x the result"),
        ("the same: read whole, at most", max(found["whole"]), None, "times by a rank"),
    ]


CASES: dict[str, Callable[[int], list[Row]]] = {
    "chains": _chains,
    "slow": _slow,
    "mixed": _mixed,
    "noop": _noop,
    "short": _short,
    "cpu": _cpu,
    "idle": _idle,
    "fan": _fan,
}
