"""The coordinator's loop: steps out to the ranks, outcomes in."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress

from ezpyp.errors import ParallelError, RankLeftError
from ezpyp.execution._at_work import LATE_S, Bench
from ezpyp.execution._communicator import Backoff, Communicator
from ezpyp.execution._coordinator import Coordinator
from ezpyp.execution._dealer import AHEAD_S, SOON_S, Dealer, chunk_seconds
from ezpyp.execution._durations import Durations
from ezpyp.execution._outcome import Message, Outcome, Task
from ezpyp.execution._ranks import PATIENCE_S
from ezpyp.execution._recorder import Recorder

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
