"""The coordinator's loop: steps out to the ranks, outcomes in."""

from __future__ import annotations

import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from ezpyp.errors import ParallelError, RankLeftError
from ezpyp.execution.coordinator import Coordinator
from ezpyp.execution.dispatch import AHEAD_S, SOON_S, Dealer, chunk_seconds
from ezpyp.execution.durations import Durations
from ezpyp.execution.messages import Message, Outcome, Task
from ezpyp.execution.mpi.communicator import Backoff, Communicator
from ezpyp.execution.mpi.ranks import PATIENCE_S
from ezpyp.execution.recorder import Recorder
from ezpyp.execution.worker import Worker

# A rank at work: the steps that wait on it, the one that it runs, and what it has not told rank 0 yet.

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


GRACE_S = 0.1
"""After an interruption, outcomes that ranks still hold are waited for so long: Open MPI kills after 0.25 s."""
SHOWN = 8
"""So many ranks are named in a message."""
ENDS = "The job ends; what was printed as [PASS] is kept."


class Loop:
    """Hands out what is ready, and records what comes back, until nothing is left.

    Args:
        communicator: Leads to the other ranks.
        coordinator: Decides what runs.
        recorder: Writes rows and lines.
        durations: How long steps take.
        local: Rank 0's own share of the steps.
    """

    def __init__(
        self,
        communicator: Communicator,
        coordinator: Coordinator,
        recorder: Recorder,
        durations: Durations,
        local: Bench,
    ) -> None:
        self._communicator = communicator
        self._coordinator = coordinator
        self._recorder = recorder
        self._durations = durations
        self._local = local
        size, threaded = communicator.size, communicator.threaded
        # Without threads nobody speaks for a rank that is busy: what waited there would wait for as long as it takes.
        self._dealer = Dealer(
            range(size - 1, -1 if threaded else 0, -1), durations.longest,
            chunk_s=chunk_seconds(size) if threaded else 0.0, ahead_s=AHEAD_S if threaded else 0.0,
            keeper=0,
        )  # fmt: skip
        self._known: list[set[int]] = [set() for _ in range(size)]
        self._begun: dict[int, int | None] = {}
        self._heard_at = time.monotonic()
        self.stop = threading.Event()

    def run(self) -> None:
        """Go on until every step has come to its end, or `stop` is set."""
        waiting = Backoff()
        while not self.stop.is_set():
            moved = self._hand_out() + self._take_in()
            if not self._coordinator.left and not self._dealer.busy:
                break
            self._recorder.tick()
            if moved:
                waiting.reset()
            else:
                waiting.wait()
        self._recorder.flush()

    def break_off(self) -> None:
        """Tell the ranks to stop, and record what they have finished, as far as they answer at once."""
        for rank in range(1, self._communicator.size):
            self._communicator.post(rank, None)
        deadline = time.monotonic() + GRACE_S
        others = range(1, self._communicator.size)
        with suppress(ParallelError):  # the others may be interrupted too
            while any(self._dealer.first(rank) is not None for rank in others) and time.monotonic() < deadline:
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
        at_work = {rank for rank in ranks if rank and self._dealer.first(rank) is not None}
        return (at_work | ({0} if self._local.is_running else set())) - gone

    def _drop(self, rank: int, message: object) -> None:
        """Take note that steps have come back, and of nothing else."""
        assert isinstance(message, Message)
        for position in (*(outcome.position for outcome in message.outcomes), *message.given_back):
            self._dealer.returned(rank, position)

    def doing(self) -> str:
        """What each rank is at, for messages: rank 0 speaks for those that cannot any more."""
        hosts = self._communicator.hosts
        others = [f"rank {rank} on {hosts[rank]}{at}" for rank in range(1, len(hosts)) if (at := self._at(rank))]
        more = f" and {len(others) - SHOWN} more" if len(others) > SHOWN else ""
        return self._local.worker.doing() + (f", with {', '.join(others[:SHOWN])}{more}" if others else "")

    def _at(self, rank: int) -> str:
        position = self._dealer.first(rank)
        return "" if position is None else f" in step {self._coordinator.name_of(position)!r}"

    def _hand_out(self) -> int:
        count = 0
        # A rank that was to be free soon, and says nothing, is not waited for.
        coordinator = self._coordinator
        put_back = coordinator.put_back if time.monotonic() < self._heard_at + SOON_S else None
        while dealt := self._dealer.deal(coordinator.next, coordinator.ready, put_back=put_back):
            rank, positions = dealt
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
        position = self._dealer.first(rank)
        if position != self._begun.get(rank):
            self._begun[rank] = position
            if position is not None:
                self._recorder.started(position, rank, self._communicator.hosts[rank])

    def _task(self, rank: int, position: int) -> Task | None:
        """A step with what the rank has to be told; None where the step had to be put back."""
        for renewed in self._coordinator.renewed():
            for known in self._known:
                known.discard(renewed)
        known = self._known[rank]
        refs = self._coordinator.refs_for(position, known.__contains__)
        if refs is None:
            self._dealer.returned(rank, position)
            return None
        known.update(refs)
        return Task(position, refs, self._durations.longest(position))

    def _take_in(self) -> int:
        count = 0
        if self._local.is_late:
            self._take_back(0, self._local.give_back())
        local = self._local.finished()
        if local:
            count += 1
            self._take(0, Message(local))
        while (received := self._communicator.receive()) is not None:
            rank, message = received
            self._heard_at = time.monotonic()
            if not isinstance(message, Message):
                raise ParallelError(f"rank {rank} sent {type(message).__name__}, not a message of a run")
            self._take(rank, message)
            count += 1
        return count

    def _take(self, rank: int, message: Message) -> None:
        for outcome in message.outcomes:
            self._dealer.returned(rank, outcome.position)
            self._durations.took(outcome.position, outcome.seconds)
            if outcome.result is not None:
                self._known[rank].add(outcome.position)
            self._coordinator.finish(outcome)
            if outcome.no_room:
                self._end_without_room(outcome)
        self._take_back(rank, message.given_back)
        self._begin(rank)
        if message.broken is not None:
            host = self._communicator.hosts[rank]
            raise ParallelError(f"rank {rank} on host {host} left the run{self._at(rank)}: {message.broken}")

    def _end_without_room(self, outcome: Outcome) -> None:
        """What other ranks compute can be stored no more than this: the job ends now, not after hours in vain."""
        self._recorder.flush()
        self._communicator.abort(
            f"ezpyp: rank {outcome.rank} on host {outcome.host} has no room to store the result of step "
            f"{self._coordinator.name_of(outcome.position)!r}: {outcome.failure.message if outcome.failure else ''}\n"
            f"{ENDS}",
            1,
        )

    def _take_back(self, rank: int, positions: Sequence[int]) -> None:
        """Another rank may run what waits behind a step that takes too long."""
        if not positions:
            return
        self._dealer.give_back(rank, positions)
        for position in positions:
            self._coordinator.put_back(position)
        late = self._dealer.first(rank)
        if late is not None:
            self._durations.took(late, LATE_S)
