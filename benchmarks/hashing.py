"""What does a digest cost? Each value beside the memory's own speed, beside plain pickle and XXH3, and beside joblib.

Machines differ and are shared, so ratios say more than milliseconds. The goals are those of the project's notes, for a
quiet machine on which XXH3 takes 256 MiB in about 14 ms.
"""

import argparse
import gc
import pickle
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # its types are another package
from xxhash import xxh3_128_digest

from benchmarks import _helpers
from ezpyp import Pipeline
from ezpyp.hashing.code.identity import function_identity
from ezpyp.hashing.encode import cutoff_digest, encode, value_digest


@dataclass(frozen=True, slots=True)
class Case:
    """One thing to measure.

    Attributes:
        name: What it is.
        ours: Digests it once with ezpyp.
        goal_us: Microseconds that it may take on the machine of the goals.
        value: The value, for the others; None where they have nothing like it.
        raw: Hashes the same memory without looking at it; None where there is no such memory.
    """

    name: str
    ours: Callable[[], object]
    goal_us: float
    value: object = None
    raw: Callable[[], object] | None = None


def main(argv: Sequence[str]) -> int:
    """Print a line for each value."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks hashing", description=__doc__)
    parser.add_argument("--mib", type=int, default=256, help="size of the large array (default: %(default)s)")
    parser.add_argument("--items", type=int, default=1_000_000, help="items of the large list (default: %(default)s)")
    parser.add_argument("--calls", type=int, default=10_000, help="calls given the large array (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.3, help="time for each number (default: %(default)s)")
    options = parser.parse_args(argv)
    print(f"{'':<36} {'ezpyp':>10} {'goal':>10} {'/raw':>6} {'/pickle':>8} {'/joblib':>8}   microseconds, and ratios")
    array = np.random.default_rng(1).random(options.mib << 17)
    for case in [*_small(), *_large(array, options.items), *_code()]:
        print(_line(case, options.seconds), flush=True)
    print(_many_calls(array, options.calls))
    return 0


def _small() -> list[Case]:
    values: list[tuple[str, object]] = [
        ("int", 3),
        ("short tuple", (1, 2.5, "a")),
        ("small dict", {"mean": 0.5, "label": "x"}),
    ]
    arguments = [Case(f"argument: {name}", _encoding(value), 5, value) for name, value in values]
    results = [Case(f"result: {name}", _cutting(value), 3, value) for name, value in values]
    return [*arguments, *results]


def _encoding(value: object) -> Callable[[], object]:
    return lambda: encode((value,), ("x",))


def _cutting(value: object) -> Callable[[], object]:
    return lambda: cutoff_digest(value)


def _large(array: "np.ndarray", items: int) -> list[Case]:
    numbers = list(range(items))
    table = {str(number): number for number in range(items // 10)}
    frame = pd.DataFrame(np.random.default_rng(1).random((items, 4)))

    def raw() -> bytes:
        return xxh3_128_digest(array.view(np.uint8).data)

    return [
        Case(f"array of {array.nbytes >> 20} MiB", lambda: value_digest(array), 14_000 / 0.85, array, raw),
        Case("the same as a result", lambda: cutoff_digest(array), 14_000 / 0.85, array, raw),
        Case(f"list of {items:,} ints", lambda: value_digest(numbers), 50_000, numbers),
        Case(f"dict of {len(table):,} str -> int", lambda: value_digest(table), 50_000, table),
        Case(f"frame of {items:,} x 4 floats", lambda: value_digest(frame), 5_000, frame),
    ]


def _code() -> list[Case]:
    return [Case("function with ten helpers", lambda: function_identity(_helpers.function), 5_000)]


def _line(case: Case, seconds: float) -> str:
    ours = _best(case.ours, seconds)
    others = [
        _best(case.raw, seconds) if case.raw else None,
        _best(lambda: xxh3_128_digest(pickle.dumps(case.value, 5)), seconds) if case.value is not None else None,
        _best(lambda: joblib.hash(case.value), seconds) if case.value is not None else None,
    ]
    ratios = [f"{ours / other:.2f}" if other else "-" for other in others]
    return "{:<36} {:>10.1f} {:>10.0f} {:>6} {:>8} {:>8}".format(case.name, ours, case.goal_us, *ratios)


def _best(work: Callable[[], object], seconds: float) -> float:
    """The quickest of many times, us: what others do on the machine only ever adds."""
    gc.collect()
    times: list[float] = []
    until = time.perf_counter() + seconds
    while not times or time.perf_counter() < until:
        start = time.perf_counter()
        work()
        times.append(time.perf_counter() - start)
    return min(times) * 1e6


def _many_calls(array: "np.ndarray", calls: int) -> str:
    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(folder, "benchmark")
        step = pipeline.step(_helpers.first)
        once = _best(lambda: value_digest(array), 0.1) / 1e6
        started = time.perf_counter()
        for number in range(calls):
            step(array, number)
        declared = time.perf_counter()
        pipeline.initialize_schema()
        frozen = time.perf_counter()
        pipeline.execute(output="none")
        ended = time.perf_counter()
    parts = [(end - start) / calls * 1e6 for start, end in ((started, declared), (declared, frozen), (frozen, ended))]
    each = "declared {:.0f}, frozen {:.0f}, run {:.0f} us a call".format(*parts)
    return f"{calls:,} calls given the array: {each}; hashing it at each would add {once * 2e6:.0f} us a call"
