"""A user's script whose steps do everything to themselves: ``study.py LOCATION``; each rank prints a line of JSON."""

import asyncio
import json
import random
import sys
import threading
import time

from ezpyp import Pipeline, as_pickle_step
from ezpyp.errors import PipelineFailedError, StepFailedError

if __name__ == "__main__":
    pipeline = Pipeline(sys.argv[1], "contract")

    class Odd(Exception):
        """Neither made nor pickled as others are."""

        def __init__(self, left: object, right: object) -> None:
            super().__init__(left)
            self.lock = threading.Lock()

        def __str__(self) -> str:
            raise ValueError("no text")

    def deeper(depth: int) -> int:
        return deeper(depth + 1) + 1

    def fail(error: BaseException) -> None:
        raise error

    ACTS = {
        "raises": lambda: fail(ValueError("of its own")),
        "leaves": lambda: sys.exit(0),
        "leaves with 3": lambda: sys.exit(3),
        "closes a generator": lambda: fail(GeneratorExit()),
        "is cancelled": lambda: fail(asyncio.CancelledError()),
        "raises an odd error": lambda: fail(Odd(1, 2)),
        "raises a class made here": lambda: fail(type("Local", (Exception,), {"__reduce__": None})("local")),
        "recurses": lambda: deeper(0),
        "gives a lock": threading.Lock,
        "gives a generator": lambda: (number for number in range(3)),
        "runs the pipeline": lambda: pipeline.execute(),
        "raises what looks like ours": lambda: fail(StepFailedError("not of this cache", step="other", status=1)),
    }

    @as_pickle_step(pipeline)
    def strange(how):
        return ACTS[how]()

    @as_pickle_step(pipeline)
    def below(value):
        return value

    @as_pickle_step(pipeline)
    def tiny(seed, *parts):
        return (seed + sum(parts)) % 1009

    @as_pickle_step(pipeline)
    def nap(seed, *parts):
        """Mostly tiny, now and then not."""
        time.sleep(0.25 if seed % 40 == 7 else 0.0)
        return (seed + sum(parts)) % 1009

    @as_pickle_step(pipeline)
    def large(seed):
        return bytes([seed % 251]) * 40_000

    @as_pickle_step(pipeline)
    def fails(seed, *parts):
        if seed % 5 == 0:
            raise ArithmeticError(f"seed {seed}")
        return seed

    @as_pickle_step(pipeline)
    def total(parts):
        return sum(len(part) if isinstance(part, bytes) else part for part in parts)

    def declare() -> object:
        for how in ACTS:
            below(strange(how))
        chain = tiny(0)
        for seed in range(1, 150):
            chain = tiny(seed, chain)
        fan = [nap(seed, chain) for seed in range(200)]
        many = [large(seed) for seed in range(20)]
        dice = random.Random(5)
        graph: list[object] = []
        for seed in range(150):
            function = fails if seed % 3 == 0 else tiny
            graph.append(function(1000 + seed, *dice.sample(graph, min(len(graph), dice.randrange(3)))))
        return total([*fan, *many])

    summed = declare()
    try:
        report = pipeline.execute(check=True)
    except PipelineFailedError as error:
        raised = len(error.failed)
    more = tiny.map(range(5000, 5010))
    report = pipeline.execute()
    outcome = {
        "rank": pipeline.rank,
        "size": pipeline.size,
        "raised": raised,
        "report": [report.total, report.done, len(report.failed), len(report.skipped)],
        "sum": summed.get_result(),
        "more": more.results(),
    }
    # One write: those of several ranks come through one pipe.
    sys.stdout.write(f"{json.dumps(outcome)}\n")
