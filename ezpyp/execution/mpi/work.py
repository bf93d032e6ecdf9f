"""A run over several ranks: a coordinator on rank 0, and every rank computing."""

from __future__ import annotations

import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ezpyp.errors import ParallelError, RankLeftError
from ezpyp.execution.coordinator import Coordinator
from ezpyp.execution.messages import Message, Outcome, Task
from ezpyp.execution.mpi.communicator import Backoff, Communicator
from ezpyp.execution.mpi.ranks import PATIENCE_S
from ezpyp.execution.recorder import Recorder
from ezpyp.execution.scheduler import Dispatcher, Durations, chunk_seconds
from ezpyp.execution.worker import Worker

SHORT_S = 0.005
"""Outcomes wait so long for each other, and for steps that are known to be shorter."""
REPORT_EVERY_S = 0.05
"""So often a rank whose body goes on reports what ended before it."""
GRACE_S = 0.1
"""After an interruption, outcomes that ranks still hold are waited for so long: Open MPI kills after 0.25 s."""
SHOWN = 8
"""So many ranks are named in a message."""
ENDS = "The job ends; what was printed as [PASS] is kept."


class TaskQueue:
    """Tasks in, outcomes out: one thread runs the tasks, another may take the outcomes."""

    def __init__(self, worker: Worker) -> None:
        self.worker = worker
        self.tasks: queue.SimpleQueue[Task | None] = queue.SimpleQueue()
        self.is_running = False
        self._outcomes: deque[Outcome] = deque()

    def run(self, task: Task) -> None:
        """Run a step; its outcome waits to be taken."""
        self.worker.learn(task.refs)
        self.is_running = True
        try:
            self._outcomes.append(self.worker.run(task.position))
        finally:
            self.is_running = False

    def finished(self) -> list[Outcome]:
        """Take the outcomes of what has ended."""
        return [self._outcomes.popleft() for _ in range(len(self._outcomes))]

    def clear(self) -> None:
        """Throw away the tasks that have not begun."""
        with suppress(queue.Empty):
            while True:
                self.tasks.get_nowait()


class RemoteRank:
    """Any rank but rank 0 during a run."""

    def __init__(self, communicator: Communicator, worker: Worker) -> None:
        self._communicator = communicator
        self._queue = TaskQueue(worker)
        self._looked_at = 0.0
        self._is_over = False

    def work(self) -> None:
        """Run what rank 0 assigns, until it says that nothing is left."""
        waiting = Backoff()
        with self._reporting():
            while self._take_in():
                if self._run_next():
                    waiting.reset()
                else:
                    waiting.wait()

    def _take_in(self) -> bool:
        """Look for messages, but not after each tiny step; False once nothing is left to do."""
        now = time.perf_counter()
        patience_s = max(SHORT_S, chunk_seconds(self._communicator.size) / 2)
        if not self._queue.tasks.empty() and now - self._looked_at < patience_s:
            return True
        self._report()
        self._looked_at = now
        while not self._is_over and (received := self._communicator.receive()) is not None:
            message = received[1]
            self._is_over = message is None
            for task in message or ():  # type: ignore[attr-defined]  # a list of tasks, or None
                self._queue.tasks.put(task)
        return not self._is_over

    def _run_next(self) -> bool:
        """Run a step; what has finished before is reported first, unless the step is known to be short."""
        try:
            task = self._queue.tasks.get_nowait()
        except queue.Empty:
            return False
        assert task is not None
        if task.seconds is None or task.seconds >= SHORT_S:
            self._report()
        self._queue.run(task)
        return True

    def _report(self) -> None:
        if outcomes := self._queue.finished():
            self._communicator.post(0, Message(outcomes))

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        """A thread that reports while a body is busy; and a last message, however the work ends."""
        stopped = threading.Event()
        thread = threading.Thread(target=self._report_now_and_then, args=(stopped,), name="ezpyp-rank", daemon=True)
        if self._communicator.threaded:
            thread.start()
        reason = ""
        try:
            yield
        except BaseException as error:
            reason = f"{type(error).__name__}: {error}"
            raise
        finally:
            stopped.set()
            if thread.is_alive():
                thread.join(1.0)  # it may wait for a rank 0 that will take nothing more
            with suppress(ParallelError):
                self._report_end(reason)

    def _report_end(self, reason: str) -> None:
        """Report what has ended, and that the rest will not be run; after an orderly end there is neither."""
        outcomes = self._queue.finished()
        if outcomes or reason or not self._queue.tasks.empty():
            self._communicator.post(0, Message(outcomes, reason))

    def _report_now_and_then(self, stopped: threading.Event) -> None:
        with suppress(RankLeftError):  # the rank's own next call raises it too
            while not stopped.wait(REPORT_EVERY_S):
                self._report()
                # What was posted before a long body moves on inside MPI calls alone.
                self._communicator.flush()


class Loop:
    """Assigns what is ready, and records what comes back, until nothing is left."""

    def __init__(
        self,
        communicator: Communicator,
        coordinator: Coordinator,
        recorder: Recorder,
        durations: Durations,
        local: TaskQueue,
    ) -> None:
        self._communicator = communicator
        self._coordinator = coordinator
        self._recorder = recorder
        self._durations = durations
        self._local = local
        size, threaded = communicator.size, communicator.threaded
        # Without threads nobody speaks for a rank that is busy: what waited there would wait for as long as it takes.
        self._dispatcher = Dispatcher(
            range(size - 1, -1 if threaded else 0, -1), durations.longest,
            chunk_s=chunk_seconds(size) if threaded else 0.0, coordinator=0,
        )  # fmt: skip
        self._known: list[set[int]] = [set() for _ in range(size)]
        self._begun: dict[int, int | None] = {}
        self.stop = threading.Event()

    def run(self) -> None:
        """Go on until every step has come to its end, or `stop` is set."""
        waiting = Backoff()
        while not self.stop.is_set():
            moved = self._assign() + self._take_in()
            if not self._coordinator.left and not self._dispatcher.busy:
                break
            self._recorder.tick()
            if moved:
                waiting.reset()
            else:
                waiting.wait()
        self._recorder.flush()

    def break_off(self) -> None:
        """Stop the ranks, and record what they have finished, as far as they answer at once."""
        for rank in range(1, self._communicator.size):
            self._communicator.post(rank, None)
        deadline = time.monotonic() + GRACE_S
        others = range(1, self._communicator.size)
        with suppress(ParallelError):  # the others may be interrupted too
            while any(self._dispatcher.first(rank) is not None for rank in others) and time.monotonic() < deadline:
                if not self._take_in():
                    time.sleep(0.005)
        self._recorder.flush()

    def give_up(self, error: BaseException) -> None:
        """After an error: ranks that are soon free hear of it; where a body goes on for long, the job is ended.

        What it computes could not be recorded any more.
        """
        with suppress(ParallelError):  # one may have left
            for rank in range(1, self._communicator.size):
                self._communicator.post(rank, None)
        deadline = time.monotonic() + PATIENCE_S
        busy = set(range(self._communicator.size))
        while busy and not self.stop.is_set():
            busy = self._still_busy(busy)
            if busy and time.monotonic() > deadline:
                communicator = self._communicator
                where = f"rank 0 of {communicator.size}, host {communicator.host}{self.doing()}"
                communicator.abort(f"ezpyp: {type(error).__name__} on {where}: {error}\nThe job ends.", 1)
            time.sleep(0.005)

    def _still_busy(self, ranks: set[int]) -> set[int]:
        gone: set[int] = set()
        try:
            while (received := self._communicator.receive()) is not None:
                self._drop(*received)
        except RankLeftError as error:
            gone.update(error.ranks)
        at_work = {rank for rank in ranks if rank and self._dispatcher.first(rank) is not None}
        return (at_work | ({0} if self._local.is_running else set())) - gone

    def _drop(self, rank: int, message: object) -> None:
        """Take note that steps have come back, and of nothing else."""
        assert isinstance(message, Message)
        for outcome in message.outcomes:
            self._dispatcher.returned(rank, outcome.position)
        if message.ended is not None:
            self._dispatcher.ended(rank)

    def doing(self) -> str:
        """What each rank is at, for messages: rank 0 speaks for those that cannot any more."""
        hosts = self._communicator.hosts
        others = [f"rank {rank} on {hosts[rank]}{at}" for rank in range(1, len(hosts)) if (at := self._at(rank))]
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        return self._local.worker.doing() + (f", with {', '.join(others[:SHOWN])}{more}" if others else "")

    def _at(self, rank: int) -> str:
        position = self._dispatcher.first(rank)
        return "" if position is None else f" in step {self._coordinator.name_of(position)!r}"

    def _assign(self) -> int:
        count = 0
        while assigned := self._dispatcher.assign(self._coordinator.next, self._coordinator.ready):
            rank, positions = assigned
            tasks = [task for position in positions if (task := self._task(rank, position))]
            count += len(positions)
            self._send(rank, tasks)
            self._begin(rank)
        return count

    def _send(self, rank: int, tasks: Sequence[Task]) -> None:
        if rank:
            if tasks:
                self._communicator.post(rank, tasks)
            return
        for task in tasks:
            self._local.tasks.put(task)

    def _begin(self, rank: int) -> None:
        """Say what a rank runs now; it takes its steps in the order in which it got them."""
        position = self._dispatcher.first(rank)
        if position != self._begun.get(rank):
            self._begun[rank] = position
            if position is not None:
                self._recorder.started(position, rank, self._communicator.hosts[rank])

    def _task(self, rank: int, position: int) -> Task | None:
        """A step with the upstream results that the rank does not know; None where the step had to be put back."""
        for renewed in self._coordinator.renewed():
            for known in self._known:
                known.discard(renewed)
        known = self._known[rank]
        refs = self._coordinator.refs_for(position, known.__contains__)
        if refs is None:
            self._dispatcher.returned(rank, position)
            return None
        known.update(refs)
        return Task(position, refs, self._durations.longest(position))

    def _take_in(self) -> int:
        count = 0
        local = self._local.finished()
        if local:
            count += 1
            self._take(0, Message(local))
        while (received := self._communicator.receive()) is not None:
            rank, message = received
            if not isinstance(message, Message):
                raise ParallelError(f"rank {rank} sent {type(message).__name__}, not a message of a run")
            self._take(rank, message)
            count += 1
        return count

    def _take(self, rank: int, message: Message) -> None:
        for outcome in message.outcomes:
            self._dispatcher.returned(rank, outcome.position)
            self._durations.took(outcome.position, outcome.seconds)
            if outcome.result is not None:
                self._known[rank].add(outcome.position)
            self._coordinator.finish(outcome)
            if outcome.no_room:
                self._end_without_room(outcome)
        at = self._at(rank)
        if message.ended is not None:
            self._dispatcher.ended(rank)
        self._begin(rank)
        if message.ended:
            host = self._communicator.hosts[rank]
            raise ParallelError(f"rank {rank} on host {host} left the run{at}: {message.ended}")

    def _end_without_room(self, outcome: Outcome) -> None:
        """What other ranks compute can be stored no more than this: the job ends now, not after hours in vain."""
        self._recorder.flush()
        self._communicator.abort(
            f"ezpyp: rank {outcome.rank} on host {outcome.host} has no room to store the result of step "
            f"{self._coordinator.name_of(outcome.position)!r}: {outcome.failure.message if outcome.failure else ''}\n"
            f"{ENDS}",
            1,
        )


def work(communicator: Communicator, worker: Worker) -> None:
    """Run what rank 0 assigns, until it says that nothing is left.

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
    """Assign steps to all ranks, this one too, until none is left.

    While its thread lives, the coordinator alone calls MPI and writes the index; the main thread runs bodies.
    """
    local = TaskQueue(worker)
    loop = Loop(communicator, coordinator, recorder, durations, local)
    communicator.doing = loop.doing
    with worker.capture as capture, recorder.beside(capture):
        if communicator.threaded:
            _run_beside(loop, local)
        else:
            loop.run()
    communicator.doing = str
    # After an error it is the caller who releases the ranks, with its error.
    for rank in range(1, communicator.size):
        communicator.post(rank, None)
    communicator.flush()


def _run_beside(loop: Loop, local: TaskQueue) -> None:
    """Run the loop in a thread of its own, and rank 0's share of the bodies in this one."""
    errors: list[BaseException] = []

    def run() -> None:
        try:
            loop.run()
        except BaseException as error:  # noqa: BLE001 - raised in the main thread, below
            errors.append(error)
        local.clear()  # after an error nobody takes their outcomes
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


def _run_local(local: TaskQueue) -> None:
    while True:
        try:
            # A wait with a time limit, so that signals reach the main thread.
            task = local.tasks.get(timeout=0.5)
        except queue.Empty:
            continue
        if task is None:
            return
        local.run(task)
