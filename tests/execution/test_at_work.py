"""A rank at work: what it tells rank 0, and when."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ezpyp.execution.messages import Message, Outcome, Ref, Task
from ezpyp.execution.mpi import loop as _at_work
from ezpyp.execution.mpi.loop import Bench, RemoteRank
from ezpyp.execution.mpi.ranks import RankCommunicator
from tests.execution.local_ranks import run_ranks
from tests.execution.scripts.contract import next_message

REF = Ref(b"", 1, "pickle", 1, "", b"x")


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


def test_what_waits_behind_a_step_that_takes_too_long_is_given_back() -> None:
    """And what had finished before it is told: nothing waits for a step that was believed to be short."""
    goes_on = threading.Event()
    worker = Bodies(_1=lambda: goes_on.wait(10))

    def main(communicator: RankCommunicator) -> object:
        communicator.post(1, short(0, 1, 2, 3))
        told = next(message for message in heard(communicator) if message.given_back)
        goes_on.set()
        last = next(heard(communicator))
        communicator.post(1, None)
        return [o.position for o in told.outcomes], told.given_back, [o.position for o in last.outcomes]

    assert job(worker, main)[0] == ([0], (2, 3), [1])
    assert worker.ran == [0, 1]


def test_what_comes_while_a_step_takes_too_long_is_given_back_as_well() -> None:
    begun, goes_on = threading.Event(), threading.Event()

    def body() -> None:
        begun.set()
        goes_on.wait(10)

    worker = Bodies(_1=body)

    def main(communicator: RankCommunicator) -> object:
        communicator.post(1, short(1))
        begun.wait(10)
        communicator.post(1, short(2, 3))
        told = next(message for message in heard(communicator) if message.given_back)
        goes_on.set()
        communicator.post(1, None)
        return told.given_back

    assert job(worker, main)[0] == (2, 3)
    assert worker.ran == [1]


def test_a_step_of_unknown_length_begins_only_when_what_has_finished_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_at_work, "LOOKED_AT_EVERY_S", 60.0)
    goes_on = threading.Event()
    worker = Bodies(_1=lambda: goes_on.wait(10))

    def main(communicator: RankCommunicator) -> object:
        communicator.post(1, [*short(0), Task(1, {}, None)])
        told = next(heard(communicator))
        goes_on.set()
        communicator.post(1, None)
        return [outcome.position for outcome in told.outcomes]

    assert job(worker, main)[0] == [0]


def test_a_rank_that_is_told_to_stop_tells_what_it_holds_and_gives_back_the_rest() -> None:
    stopped = threading.Event()
    worker = Bodies(_0=lambda: stopped.wait(10))

    def main(communicator: RankCommunicator) -> object:
        communicator.post(1, [Task(0, {}, 60.0), *short(1, 2)])
        communicator.post(1, None)
        stopped.set()
        # The first look after the long step finds the end of the run.
        outcomes: list[int] = []
        given_back: list[int] = []
        while len(outcomes) + len(given_back) < 3:
            message = next(heard(communicator))
            outcomes += [outcome.position for outcome in message.outcomes]
            given_back += message.given_back
        return outcomes + given_back

    assert job(worker, main) == [[0, 1, 2], None]


def test_a_rank_that_breaks_off_says_why() -> None:
    def interrupted() -> None:
        raise KeyboardInterrupt("now")

    worker = Bodies(_1=interrupted)

    def main(communicator: RankCommunicator) -> object:
        communicator.post(1, short(0, 1, 2))
        message = next(heard(communicator))
        return [o.position for o in message.outcomes], message.given_back, message.broken

    said, error = job(worker, main)
    assert said == ([0], (2,), "KeyboardInterrupt: now")
    assert isinstance(error, KeyboardInterrupt)


def test_upstream_results_of_a_step_that_is_given_back_are_known() -> None:
    """Rank 0 tells a rank only once where a result is."""
    worker = Bodies()
    bench = Bench(worker)  # type: ignore[arg-type]
    bench.tasks.put(Task(5, {3: REF}, 0.001))

    assert bench.give_back() == (5,)
    assert worker.learned == {3: REF}


def test_an_expected_length_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    late: list[bool] = []
    now = [0.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def body() -> None:
        for passed in (0.15, 5.9, 6.1):
            now[0] = passed
            late.append(bench.is_late)

    bench = Bench(Bodies(_0=body))  # type: ignore[arg-type]
    bench.run(Task(0, {}, 3.0))

    assert late == [False, False, True]
    assert not bench.is_late
