"""A run over several ranks: a coordinator on rank 0, and every rank computing."""

from __future__ import annotations

import queue
import threading

from ezpyp.execution.coordinator import Coordinator
from ezpyp.execution.durations import Durations
from ezpyp.execution.mpi.communicator import Communicator
from ezpyp.execution.mpi.loop import Bench, Loop, RemoteRank
from ezpyp.execution.recorder import Recorder
from ezpyp.execution.worker import Worker


def work(communicator: Communicator, worker: Worker) -> None:
    """Run what rank 0 hands out, until it says that nothing is left.

    Raises:
        RankLeftError: Rank 0 has ended.
    """
    communicator.doing = worker.doing
    with worker.capture:
        RemoteRank(communicator, worker).work()
    communicator.doing = str


def coordinate(
    communicator: Communicator, coordinator: Coordinator, recorder: Recorder, worker: Worker, durations: Durations
) -> None:
    """Hand out steps to all ranks, this one too, until none is left.

    While its thread lives, the coordinator alone calls MPI and writes the index; the main thread runs bodies.
    """
    local = Bench(worker)
    loop = Loop(communicator, coordinator, recorder, durations, local)
    communicator.doing = loop.doing
    with worker.capture as capture, recorder.beside(capture):
        if communicator.threaded:
            _run_beside(loop, local)
        else:
            loop.run()
    communicator.doing = str
    # After an error it is the caller who releases the ranks, once it knows what to tell them.
    for rank in range(1, communicator.size):
        communicator.post(rank, None)
    communicator.flush()


def _run_beside(loop: Loop, local: Bench) -> None:
    """Run the loop in a thread of its own, and rank 0's share of the bodies in this one."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            loop.run()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread, below
            errors.append(error)
        local.give_back()  # after an error nobody takes their outcomes
        local.tasks.put(None)
        if errors:
            loop.give_up(errors[0])

    thread = threading.Thread(target=run, name="ezpyp-coordinator", daemon=True)
    thread.start()
    try:
        _run_local(local)
    except BaseException:
        loop.stop.set()
        thread.join()
        if not errors:
            loop.break_off()
        raise
    thread.join()
    if errors:
        raise errors[0]


def _run_local(local: Bench) -> None:
    while True:
        try:
            # A wait with a time limit, so that signals reach the main thread.
            task = local.tasks.get(timeout=0.5)
        except queue.Empty:
            continue
        if task is None:
            return
        local.run(task)
