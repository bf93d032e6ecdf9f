"""A rank at work: what it tells rank 0, and when."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from ezpyp.execution.messages import Message, Outcome, Ref, Task
from ezpyp.execution.mpi import work as at_work
from ezpyp.execution.mpi.ranks import RankCommunicator
from ezpyp.execution.mpi.work import RemoteRank
from tests.execution.local_ranks import run_ranks
from tests.execution.scripts.contract import next_message


class Bodies:
    """A worker whose steps do what the test says; the others end at once."""

    def __init__(self, bodies: dict[int, Callable[[], object]]) -> None:
        self.bodies = bodies
        self.ran: list[int] = []

    def learn(self, refs: dict[int, Ref]) -> None:
        pass

    def run(self, position: int) -> Outcome:
        self.ran.append(position)
        self.bodies.get(position, lambda: None)()
        return Outcome(position, 0.0, 0.0, 1, "host", None, None, None, None, None)


class Rank0:
    """What the test plays: it assigns, and hears what rank 1 reports."""

    def __init__(self, communicator: RankCommunicator) -> None:
        self._communicator = communicator

    def assign(self, *steps: int | tuple[int, float | None]) -> None:
        """Send steps, of a millisecond where nothing else is said, in one message."""
        known = [step if isinstance(step, tuple) else (step, 0.001) for step in steps]
        self._communicator.post(1, [Task(position, {}, seconds) for position, seconds in known])

    def stop(self) -> None:
        self._communicator.post(1, None)

    def heard(self) -> tuple[list[int], str | None]:
        """The steps that the next message says have ended, and why the rank did."""
        message = next_message(self._communicator)[1]
        assert isinstance(message, Message)
        return [outcome.position for outcome in message.outcomes], message.ended


def job(bodies: dict[int, Callable[[], object]], main: Callable[[Rank0], object]) -> tuple[Any, Any, list[int]]:
    """What ``main`` and rank 1 return or raise, and which steps ran there."""
    worker = Bodies(bodies)

    def rank(communicator: RankCommunicator) -> object:
        if communicator.rank == 0:
            return main(Rank0(communicator))
        return RemoteRank(communicator, worker).work()  # type: ignore[arg-type]

    return (*run_ranks(2, rank, timeout=10), worker.ran)  # type: ignore[return-value]


@pytest.mark.parametrize("seconds", [0.001, None], ids=["by a thread", "before a step of unknown length"])
def test_what_has_ended_is_reported_while_a_longer_step_goes_on(
    monkeypatch: pytest.MonkeyPatch, seconds: float | None
) -> None:
    if seconds is None:
        monkeypatch.setattr(at_work, "REPORT_EVERY_S", 60.0)
    goes_on = threading.Event()

    def main(rank_0: Rank0) -> object:
        rank_0.assign(0, (1, seconds), 2)
        first, _ = rank_0.heard()
        goes_on.set()
        rank_0.heard()
        rank_0.stop()
        return first

    assert job({1: lambda: goes_on.wait(10)}, main) == ([0], None, [0, 1, 2])


def test_a_rank_that_is_told_to_stop_reports_what_has_ended_and_that_the_rest_will_not_run() -> None:
    begun, stopped = threading.Event(), threading.Event()

    def body() -> None:
        begun.set()
        stopped.wait(10)
        time.sleep(2 * at_work.SHORT_S)

    def main(rank_0: Rank0) -> object:
        rank_0.assign((0, 60.0), 1, 2)
        begun.wait(10)
        rank_0.stop()
        stopped.set()
        outcomes, ended = rank_0.heard()
        while ended is None:
            more, ended = rank_0.heard()
            outcomes += more
        return outcomes, ended

    # The first look after the long step finds the end of the run.
    assert job({0: body}, main) == (([0], ""), None, [0])


def test_a_rank_that_breaks_off_says_why() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt("now")

    def main(rank_0: Rank0) -> object:
        rank_0.assign(0, 1, 2)
        return rank_0.heard()

    said, error, _ = job({1: interrupted}, main)
    assert said == ([0], "KeyboardInterrupt: now")
    assert isinstance(error, KeyboardInterrupt)
