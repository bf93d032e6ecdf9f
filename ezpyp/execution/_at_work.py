"""A rank at work: the steps that wait on it, the one that it runs, and what it has not told rank 0 yet."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ezpyp.errors import ParallelError, RankLeftError
from ezpyp.execution._communicator import Backoff, Communicator
from ezpyp.execution._dealer import chunk_seconds
from ezpyp.execution._outcome import Message, Outcome, Task
from ezpyp.execution._worker import Worker

SHORT_S = 0.005
"""Outcomes wait so long for each other, and for steps that are known to be shorter."""
LATE_S = 0.1
"""What waits behind a step that was to be shorter, and takes so long, is given back."""
LOOKED_AT_EVERY_S = 0.05


class Bench:
    """Tasks in, outcomes out; one thread runs the tasks, others may look and take away.

    Args:
        worker: Runs the bodies.
    """

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self._outcomes: deque[Outcome] = deque()
        self._late_at = math.inf

    def run(self, task: Task) -> None:
        """Run a step; its outcome waits to be taken."""
        self.worker.learn(task.refs)
        self._late_at = time.perf_counter() + max(LATE_S, 2 * (task.seconds or 0.0))
        self._outcomes.append(self.worker.run(task.position))
        self._late_at = math.inf

    @property
    def is_late(self) -> bool:
        """Whether a step is running that should have ended long ago."""
        return time.perf_counter() > self._late_at

    @property
    def is_running(self) -> bool:
        """Whether a step is running."""
        return self._late_at < math.inf

    def finished(self) -> list[Outcome]:
        """Take the outcomes of what has ended."""
        outcomes = []
        with suppress(IndexError):
            while True:
                outcomes.append(self._outcomes.popleft())
        return outcomes

    def give_back(self) -> tuple[int, ...]:
        """Take away what has not begun; where upstream results are is known from then on, as rank 0 believes."""
        positions = []
        with suppress(queue.Empty):
            while (task := self.tasks.get_nowait()) is not None:
                self.worker.learn(task.refs)
                positions.append(task.position)
        return tuple(positions)


class RemoteRank:
    """Any rank but rank 0 during a run.

    Args:
        communicator: Leads to rank 0.
        worker: Runs the bodies.
    """

    def __init__(self, communicator: Communicator, worker: Worker) -> None:
        self._communicator = communicator
        self._bench = Bench(worker)
        self._looked_at = 0.0
        self._receiving = threading.Lock()
        self._is_over = False

    def work(self) -> None:
        """Run what rank 0 hands out, until it says that nothing is left."""
        waiting = Backoff()
        with self._told_in_time():
            while self._take_in():
                if self._run_next():
                    waiting.reset()
                else:
                    waiting.wait()

    def _take_in(self) -> bool:
        """Look for messages, but not after each tiny step; False once nothing is left to do."""
        now = time.perf_counter()
        patience_s = max(SHORT_S, chunk_seconds(self._communicator.size) / 2)
        if not self._bench.tasks.empty() and now - self._looked_at < patience_s:
            return True
        self._tell()
        self._looked_at = now
        self._receive()
        return not self._is_over

    def _receive(self) -> None:
        """Take in what rank 0 has sent: steps, or that nothing is left."""
        with self._receiving:
            while not self._is_over and (received := self._communicator.receive()) is not None:
                message = received[1]
                self._is_over = message is None
                for task in message or ():  # type: ignore[attr-defined]  # a list of tasks, or None
                    self._bench.tasks.put(task)

    def _run_next(self) -> bool:
        """Run a step; what has finished before is told first, unless the step is known to be short."""
        try:
            task = self._bench.tasks.get_nowait()
        except queue.Empty:
            return False
        assert task is not None
        if task.seconds is None or task.seconds >= SHORT_S:
            self._tell()
        self._bench.run(task)
        return True

    def _tell(self, given_back: tuple[int, ...] = (), broken: str | None = None) -> None:
        outcomes = self._bench.finished()
        if outcomes or given_back or broken:
            self._communicator.post(0, Message(outcomes, given_back, broken))

    @contextmanager
    def _told_in_time(self) -> Iterator[None]:
        """A thread that speaks for the rank while a body is busy; and last words, however the work ends."""
        stopped = threading.Event()
        thread = threading.Thread(target=self._look, args=(stopped,), name="ezpyp-rank", daemon=True)
        if self._communicator.threaded:
            thread.start()
        broken: str | None = None
        try:
            yield
        except BaseException as error:
            broken = f"{type(error).__name__}: {error}"
            raise
        finally:
            stopped.set()
            if thread.is_alive():
                thread.join(1.0)  # it may wait for a rank 0 that will take nothing more
            with suppress(ParallelError):
                self._tell(self._bench.give_back(), broken)

    def _look(self, stopped: threading.Event) -> None:
        with suppress(RankLeftError):  # the rank's own next call raises it too
            while not stopped.wait(LOOKED_AT_EVERY_S):
                if self._bench.is_late:
                    self._receive()  # steps dealt in the belief that the body would soon end
                    self._tell(self._bench.give_back())
                # What was posted before a long body moves on inside MPI calls alone.
                self._communicator.flush()
