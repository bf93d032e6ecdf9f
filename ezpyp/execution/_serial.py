"""A run without other ranks."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ezpyp.execution._coordinator import Coordinator
from ezpyp.execution._durations import FADING
from ezpyp.execution._recorder import GROUP_S, Recorder
from ezpyp.execution._worker import Worker
from ezpyp.graph import Program
from ezpyp.steps import StepFunction

_SHORT_S = 0.005


def run_serially(program: Program, coordinator: Coordinator, recorder: Recorder, worker: Worker) -> None:
    """Run every pending step, phase by phase, in order of declaration."""
    if not coordinator.left:
        return
    longest: dict[StepFunction, float] = {}
    with worker.capture as capture, recorder.beside(capture), _ticking(recorder):
        while (position := coordinator.next()) is not None:
            if program.values[position] and not _learn(coordinator, worker, position):
                continue
            function = program.steps[position].function
            # What is finished is committed before any body that is not known to be short.
            if longest.get(function, _SHORT_S) >= _SHORT_S:
                recorder.flush()
            recorder.started(position, 0, worker.host)
            outcome = worker.run(position)
            longest[function] = max(FADING * longest.get(function, 0.0), outcome.seconds)
            coordinator.finish(outcome)
            recorder.flush_if_due()


def _learn(coordinator: Coordinator, worker: Worker, position: int) -> bool:
    """Whether a step's upstream results are there; it was put back otherwise."""
    worker.forget(coordinator.renewed())
    refs = coordinator.refs_for(position, worker.knows)
    if refs is not None:
        worker.learn(refs)
    return refs is not None


@contextmanager
def _ticking(recorder: Recorder) -> Iterator[None]:
    """A thread that speaks for the run while a body is busy: long steps are announced, nothing waits for them."""
    stopped = threading.Event()
    broken: list[BaseException] = []

    def tick() -> None:
        try:
            while not stopped.wait(GROUP_S):
                recorder.tick()
        except BaseException as error:  # noqa: BLE001 - it is raised in the thread that waits, below
            broken.append(error)

    thread = threading.Thread(target=tick, name="ezpyp-ticker", daemon=True)
    thread.start()
    try:
        yield
    finally:
        stopped.set()
        thread.join()
    if broken:
        raise broken[0]
