"""A run over several ranks: a coordinator on rank 0, and every rank computing."""

from __future__ import annotations

import queue
import threading

from ezpyp.errors import ParallelError
from ezpyp.execution._communicator import Backoff, Communicator
from ezpyp.execution._coordinator import Coordinator
from ezpyp.execution._outcome import Outcome, Task
from ezpyp.execution._recorder import Recorder
from ezpyp.execution._worker import Worker


def work(communicator: Communicator, worker: Worker) -> None:
    """Run what rank 0 hands out, until it says that nothing is left.

    Raises:
        RankLeftError: Rank 0 has ended.
    """
    with worker.capture:
        _work(communicator, worker)


def _work(communicator: Communicator, worker: Worker) -> None:
    waiting = Backoff()
    while True:
        received = communicator.receive()
        if received is None:
            waiting.wait()
            continue
        waiting.reset()
        task = received[1]
        if task is None:
            return
        assert isinstance(task, Task)
        worker.learn(task.refs)
        communicator.post(0, worker.run(task.position))


def coordinate(communicator: Communicator, coordinator: Coordinator, recorder: Recorder, worker: Worker) -> None:
    """Hand out steps to all ranks, this one too, until none is left.

    While its thread lives, the coordinator alone calls MPI and writes the index; the main thread runs bodies.
    """
    local = _LocalRank(worker)
    loop = _Loop(communicator, coordinator, recorder, local)
    with worker.capture as capture, recorder.beside(capture):
        if communicator.threaded:
            _run_beside(loop, local)
        else:
            loop.run()
    # After an error it is the caller who releases the ranks, once it knows what to tell them.
    for rank in range(1, communicator.size):
        communicator.post(rank, None)
    communicator.flush()


def _run_beside(loop: _Loop, local: _LocalRank) -> None:
    """Run the loop in a thread of its own, and rank 0's share of the bodies in this one."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            loop.run()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread, below
            errors.append(error)
        finally:
            local.tasks.put(None)

    thread = threading.Thread(target=run, name="ezpyp-coordinator", daemon=True)
    thread.start()
    try:
        local.work()
    except BaseException:
        loop.stop.set()
        thread.join()
        raise
    thread.join()
    if errors:
        raise errors[0]


class _LocalRank:
    """Rank 0 as a worker: its main thread, fed by a queue."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self.outcomes: queue.SimpleQueue[Outcome] = queue.SimpleQueue()

    def work(self) -> None:
        waiting = Backoff()
        while True:
            try:
                # A wait with a time limit, so that signals reach the main thread.
                task = self.tasks.get(timeout=0.5)
            except queue.Empty:
                continue
            if task is None:
                return
            waiting.reset()
            self.worker.learn(task.refs)
            self.outcomes.put(self.worker.run(task.position))


class _Loop:
    """The coordinator's loop: outcomes in, tasks out."""

    def __init__(
        self, communicator: Communicator, coordinator: Coordinator, recorder: Recorder, local: _LocalRank
    ) -> None:
        self._communicator = communicator
        self._coordinator = coordinator
        self._recorder = recorder
        self._local = local
        self._idle = (
            list(range(communicator.size - 1, -1, -1))
            if communicator.threaded
            else list(range(communicator.size - 1, 0, -1))
        )
        self._known: list[set[int]] = [set() for _ in range(communicator.size)]
        self._busy: dict[int, int] = {}
        self.stop = threading.Event()

    def run(self) -> None:
        waiting = Backoff()
        while not self.stop.is_set():
            moved = self._hand_out() + self._take_in()
            if not self._coordinator.left and not self._busy:
                break
            self._recorder.tick()
            if moved:
                waiting.reset()
            else:
                waiting.wait()
        self._recorder.flush()

    def _hand_out(self) -> int:
        count = 0
        while self._idle:
            position = self._coordinator.next()
            if position is None:
                break
            count += self._give(self._idle[-1], position)
        return count

    def _give(self, rank: int, position: int) -> bool:
        """Hand a step to a rank that is idle; False where the step had to be put back."""
        for renewed in self._coordinator.renewed():
            for known in self._known:
                known.discard(renewed)
        known = self._known[rank]
        refs = self._coordinator.refs_for(position, known.__contains__)
        if refs is None:
            return False
        self._idle.pop()
        known.update(refs)
        known.add(position)
        self._busy[rank] = position
        self._recorder.started(position, rank, self._local.worker.host)
        task = Task(position, refs)
        if rank == 0:
            self._local.tasks.put(task)
        else:
            self._communicator.post(rank, task)
        return True

    def _take_in(self) -> int:
        count = 0
        while not self._local.outcomes.empty():
            self._finish(0, self._local.outcomes.get())
            count += 1
        while (received := self._communicator.receive()) is not None:
            rank, outcome = received
            if not isinstance(outcome, Outcome):
                raise ParallelError(f"rank {rank} sent {type(outcome).__name__}, not an outcome")
            self._finish(rank, outcome)
            count += 1
        return count

    def _finish(self, rank: int, outcome: Outcome) -> None:
        if self._busy.get(rank) != outcome.position:
            return  # of a run that was broken off while the rank was still busy
        del self._busy[rank]
        self._idle.append(rank)
        self._coordinator.finish(outcome)
