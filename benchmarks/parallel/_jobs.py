"""The jobs of ``python -m benchmarks parallel``: ``_jobs.py FOLDER CASE``, on any number of ranks; prints JSON."""

import json
import random
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.parallel._work import busy
from ezpyp import Pipeline, as_step

MEGABYTE = 2**20
LARGE_BYTES = 100 * MEGABYTE


def _wall(pipeline: Pipeline, **options: Any) -> float:
    pipeline.initialize_schema()
    started = time.perf_counter()
    report = pipeline.execute(output="none", **options)
    assert report.ok
    return time.perf_counter() - started


def chains(pipeline: Pipeline, *barrier: str) -> dict[str, Any]:
    """Two chains of six sleeps, out of phase with each other."""

    @as_step(pipeline)
    def nap(seconds: float, *_: object) -> float:
        time.sleep(seconds)
        return seconds

    for chain in range(2):
        step: object = None
        for place in range(6):
            step = nap(1.0 if place % 2 == chain else 0.03, chain, place, step)
    return {"wall_s": _wall(pipeline, barrier=bool(barrier))}


def slow(pipeline: Pipeline) -> dict[str, Any]:
    """The slow one is declared last, as it often is, and its duration is known from a run before."""

    @as_step(pipeline, cache=False)
    def nap(seconds: float, number: int) -> int:
        time.sleep(seconds)
        return number

    for number in range(99):
        nap(0.03, number)
    nap(1.0, 99)
    _wall(pipeline)
    return {"over_bound": _wall(pipeline) / max(1.0, (1.0 + 99 * 0.03) / pipeline.size)}


def mixed(pipeline: Pipeline) -> dict[str, Any]:
    """Sleeps between 10 and 150 ms, once with nothing recorded, once more with what the first run took."""
    dice = random.Random(3)

    @as_step(pipeline, cache=False)
    def nap(seconds: float, number: int) -> int:
        time.sleep(seconds)
        return number

    seconds = [dice.uniform(0.01, 0.1) if dice.random() < 0.9 else 0.15 for _ in range(120)]
    for number, each in enumerate(seconds):
        nap(each, number)
    bound = max(sum(seconds) / pipeline.size, *seconds)
    return {"first": _wall(pipeline) / bound, "second": _wall(pipeline) / bound}


def noop(pipeline: Pipeline) -> dict[str, Any]:
    """Steps that do nothing."""

    @as_step(pipeline)
    def nothing(number: int) -> int:
        return number

    nothing.map(range(2000))
    return {"wall_s": _wall(pipeline)}


def coordinator(pipeline: Pipeline) -> dict[str, Any]:
    """Processor time of rank 0's coordinator for a step that does nothing: to assign it, to record it, messages too."""
    from ezpyp.execution.mpi.work import Loop

    spent = [0.0]
    run = Loop.run

    def timed(self: Loop) -> None:
        started = time.thread_time()
        run(self)
        spent[0] = time.thread_time() - started

    @as_step(pipeline)
    def nothing(number: int) -> int:
        return number

    nothing.map(range(20_000))
    Loop.run = timed  # type: ignore[method-assign]
    _wall(pipeline)
    return {"us": spent[0] / 20_000 * 1e6}


def short(pipeline: Pipeline, microseconds: str, count: str) -> dict[str, Any]:
    """Steps that spin for so long."""

    @as_step(pipeline)
    def spin(number: int) -> int:
        until = time.perf_counter() + float(microseconds) / 1e6
        while time.perf_counter() < until:
            pass
        return number

    spin.map(range(int(count)))
    return {"wall_s": _wall(pipeline)}


def dealing(_: Pipeline) -> dict[str, Any]:
    """What the scheduler's part of the coordinator takes for a step, without messages, rows and results."""
    from ezpyp.execution.scheduler import Dispatcher, Durations, Scheduler, longest_first

    count = 100_000
    durations = Durations(["nothing"] * count, {})
    durations.took(0, 1e-5)
    upstreams: list[tuple[int, ...]] = [()] * count
    started = time.perf_counter()
    scheduler = Scheduler(upstreams, range(count), longest_first(upstreams, durations.usual()))
    dispatcher = Dispatcher([1, 0], durations.longest)
    while scheduler.left:
        given = []
        while (dealt := dispatcher.assign(scheduler.take, scheduler.ready)) is not None:
            given.append(dealt)
        for rank, positions in given:
            for position in positions:
                dispatcher.returned(rank, position)
                durations.took(position, 1e-5)
                scheduler.finish(position)
    return {"us": (time.perf_counter() - started) / count * 1e6}


def cpu(pipeline: Pipeline) -> dict[str, Any]:
    """Pure Python that keeps the interpreter's lock."""

    @as_step(pipeline)
    def step(number: int) -> int:
        return busy(number)

    step.map(range(200))
    return {"wall_s": _wall(pipeline)}


def idle(pipeline: Pipeline) -> dict[str, Any]:
    """One step that sleeps; every rank waits, in its way."""

    @as_step(pipeline)
    def nap(number: int) -> int:
        time.sleep(4)
        return number

    nap(1)
    pipeline.initialize_schema()
    wall, processor = time.perf_counter(), time.process_time()
    pipeline.execute(output="none")
    share = (time.process_time() - processor) / (time.perf_counter() - wall)
    return {"shares": _of_all(pipeline, share)}


def fan(pipeline: Pipeline) -> dict[str, Any]:
    """A thousand steps look at a byte each of one large result."""
    import numpy as np

    from ezpyp.execution.mpi import ranks as _ranks
    from ezpyp.store import objects as _objects

    longest = [0]
    whole = [0]
    check = _objects._check

    def checked(name: str, digest: bytes, data: memoryview) -> None:
        whole[0] += len(data) >= LARGE_BYTES
        check(name, digest, data)

    send = _ranks.RankCommunicator._send

    def watched(self: Any, ranks: Any, kind: Any, data: bytes) -> None:
        longest[0] = max(longest[0], len(data))
        send(self, ranks, kind, data)

    @as_step(pipeline, codec="numpy")
    def large() -> Any:
        return np.arange(LARGE_BYTES // 8)

    @as_step(pipeline)
    def look(array: Any, place: int) -> int:
        return int(array[place])

    made = large()
    for place in range(1000):
        look(made, place * 1000)
    pipeline.initialize_schema()
    Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here
    before = _status("VmRSS")
    _ranks.RankCommunicator._send = watched  # type: ignore[method-assign]
    _objects._check = checked
    assert pipeline.execute(output="none").ok
    peak = (_status("VmHWM") - before) / LARGE_BYTES
    return {
        "peaks": _of_all(pipeline, peak),
        "message": max(_of_all(pipeline, longest[0] / LARGE_BYTES)),
        "whole": _of_all(pipeline, whole[0]),
    }


def _status(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def _of_all(pipeline: Pipeline, value: float) -> list[float]:
    communicator = pipeline._session.ranks.communicator
    return communicator.share(communicator.collect(value) or [])


CASES: dict[str, Callable[..., dict[str, Any]]] = {
    case.__name__: case for case in (chains, slow, mixed, noop, coordinator, short, dealing, cpu, idle, fan)
}


def main(folder: str, case: str, *args: str) -> None:
    """Run one case and print its numbers on rank 0."""
    pipeline = Pipeline(Path(folder) / "cache", "benchmark")
    numbers = CASES[case](pipeline, *args)
    if pipeline.is_root:
        print(json.dumps(numbers), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
