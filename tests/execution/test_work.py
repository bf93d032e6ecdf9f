"""A rank at work: what it tells rank 0, and when."""

import threading
import time
from collections.abc import Callable, Iterator
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

    def __init__(self, **bodies: Callable[[], object]) -> None:
        self.bodies = {int(name[1:]): body for name, body in bodies.items()}
        self.learned: dict[int, Ref] = {}
        self.ran: list[int] = []

    def learn(self, refs: dict[int, Ref]) -> None:
        self.learned.update(refs)

    def run(self, position: int) -> Outcome:
        self.ran.append(position)
        self.bodies.get(position, lambda: None)()
        return Outcome(position, 0.0, 0.0, 1, "host", None, None, None, None, None)


def short(*positions: int) -> list[Task]:
    return [Task(position, {}, 0.001) for position in positions]


def heard(communicator: RankCommunicator) -> Iterator[Message]:
    while True:
        message = next_message(communicator)[1]
        assert isinstance(message, Message)
        yield message


def job(worker: Bodies, main: Callable[[RankCommunicator], object]) -> list[Any]:
    """Run rank 1 with a worker, and ``main`` as rank 0."""

    def rank(communicator: RankCommunicator) -> object:
        return main(communicator) if communicator.rank == 0 else RemoteRank(communicator, worker).work()  # type: ignore[arg-type]

    return run_ranks(2, rank, timeout=10)


def test_what_has_ended_is_reported_while_a_longer_step_goes_on() -> None:
    goes_on = threading.Event()
    worker = Bodies(_1=lambda: goes_on.wait(10))

    def main(communicator: RankCommunicator) -> object:
        communicator.post(1, short(0, 1, 2))
        first = next(heard(communicator))
        goes_on.set()
        second = next(heard(communicator))
        communicator.post(1, None)
        return [[outcome.position for outcome in message.outcomes] for message in (first, second)]

    assert job(worker, main)[0][0] == [0]
    assert worker.ran == [0, 1, 2]


def test_a_step_of_unknown_length_begins_only_when_what_has_finished_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(at_work, "REPORT_EVERY_S", 60.0)
    goes_on = threading.Event()
    worker = Bodies(_1=lambda: goes_on.wait(10))

    def main(communicator: RankCommunicator) -> object:
        communicator.post(1, [*short(0), Task(1, {}, None)])
        told = next(heard(communicator))
        goes_on.set()
        communicator.post(1, None)
        return [outcome.position for outcome in told.outcomes]

    assert job(worker, main)[0] == [0]


def test_a_rank_that_is_told_to_stop_reports_what_has_ended_and_that_the_rest_will_not_run() -> None:
    begun, stopped = threading.Event(), threading.Event()

    def body() -> None:
        begun.set()
        stopped.wait(10)
        time.sleep(2 * at_work.SHORT_S)

    worker = Bodies(_0=body)

    def main(communicator: RankCommunicator) -> object:
        communicator.post(1, [Task(0, {}, 60.0), *short(1, 2)])
        begun.wait(10)
        communicator.post(1, None)
        stopped.set()
        messages = heard(communicator)
        outcomes: list[int] = []
        ended = None
        while ended is None:
            message = next(messages)
            outcomes += [outcome.position for outcome in message.outcomes]
            ended = message.ended
        return outcomes, ended

    # The first look after the long step finds the end of the run.
    assert job(worker, main) == [([0], ""), None]


def test_a_rank_that_breaks_off_says_why() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt("now")

    worker = Bodies(_1=interrupted)

    def main(communicator: RankCommunicator) -> object:
        communicator.post(1, short(0, 1, 2))
        message = next(heard(communicator))
        return [o.position for o in message.outcomes], message.ended

    said, error = job(worker, main)
    assert said == ([0], "KeyboardInterrupt: now")
    assert isinstance(error, KeyboardInterrupt)
