"""Ranks that agree, or say what they disagree about; in one process, rank after rank."""

import threading

import pytest

from ezpyp.errors import EzpypError, RanksDisagreeError, StoreError
from ezpyp.pipeline.collective import Ranks
from ezpyp.pipeline.settings import Option
from tests.graph.programs import Study


class Desk:
    """What the ranks of one pretended job share: each collective call is a barrier."""

    def __init__(self, size: int) -> None:
        self.barrier = threading.Barrier(size, timeout=10)
        self.values: list[object] = [None] * size


class Pretended:
    """A rank of a pretended job."""

    host = "host"

    def __init__(self, desk: Desk, rank: int) -> None:
        self.desk, self.rank, self.size = desk, rank, len(desk.values)
        self.posted: list[int] = []

    def share(self, value):
        return self._exchange(value)[0]

    def collect(self, value):
        values = self._exchange(value)
        return values if self.rank == 0 else None

    def _exchange(self, value):
        self.desk.values[self.rank] = value
        self.desk.barrier.wait()
        values = list(self.desk.values)
        self.desk.barrier.wait()
        return values

    def post(self, dest, message):
        self.posted.append(dest)

    def flush(self):
        pass


def job(act, size=3):
    """What each rank returns or raises."""
    desk = Desk(size)
    results: list[object] = [None] * size

    def work(rank: int) -> None:
        try:
            results[rank] = act(Ranks(Pretended(desk, rank)))
        except EzpypError as error:
            results[rank] = error

    threads = [threading.Thread(target=work, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def refuse():
    raise StoreError("no room")


def test_value_of_rank_0_is_everybodys():
    assert job(lambda ranks: ranks.from_root(lambda: f"made on {ranks.rank}")) == ["made on 0"] * 3


def test_error_of_rank_0_is_raised_everywhere_as_a_collective_one():
    errors = job(lambda ranks: ranks.from_root(refuse))
    assert [str(error) for error in errors] == ["no room"] * 3
    assert all(error.collective for error in errors)


def test_ranks_that_wait_for_work_are_released_when_rank_0_fails():
    desk_posted = []

    def act(ranks):
        try:
            return ranks.side_by_side(refuse, lambda: None)
        finally:
            desk_posted.append((ranks.rank, ranks.communicator.posted))

    assert {type(error) for error in job(act)} == {StoreError}
    assert sorted(desk_posted) == [(0, [1, 2]), (1, []), (2, [])]


def test_single_rank_needs_no_communication():
    assert Ranks(Pretended(Desk(1), 0)).from_root(lambda: 3) == 3
    with pytest.raises(StoreError, match="no room") as caught:
        Ranks(Pretended(Desk(1), 0)).from_root(refuse)
    assert not hasattr(caught.value, "collective")


def program(values):
    study = Study()
    study.function("alpha").map(values)
    return study.freeze()


def agreeing(programs):
    def act(ranks):
        mine = programs[ranks.rank]
        return ranks.agree("execute", lambda: mine.digest, lambda: mine)

    return job(act, len(programs))


def test_equal_programs_agree():
    assert agreeing([program([1, 2])] * 3) == [None] * 3


@pytest.mark.parametrize(
    ("programs", "message"),
    [
        ([[1], [1], [1, 2]], r"rank 0 declared 1 step, rank 2 2 steps; 'alpha\[x=2\]' on rank 2 only"),
        ([[1, 2], [1], [1]], r"'alpha\[x=2\]' on rank 0 only.*"),
        ([[], [1], [1]], r"rank 0 declared 0 steps, rank 1 1 step; 'alpha\[x=1\]' on rank 1 only"),
        ([[1], [1], [3, 2]], r"'alpha\[x=1\]' on rank 0 only; 'alpha\[x=3\]', 'alpha\[x=2\]' on rank 2 only"),
        ([[1, 2], [2, 1], [1, 2]], r"the same steps in different orders: step 1 is 'alpha\[x=1\]' on rank 0 and "),
        ([[1], [1], [2]], r"'alpha\[x=1\]' differs from rank 0 to rank 2\."),
        ([[1], [2], [2]], r"'alpha\[x=1\]' differs from rank 0 to ranks 1 and 2\."),
        ([[1, 4], [2, 4], [1, 5]], r"'alpha\[x=1\]' differs from rank 0 to rank 1\."),
        ([[1, 2, 3, 4], [5, 6, 7, 8], [1, 2, 3, 4]], r"'alpha\[x=3\]' differs from rank 0 to rank 1 and 1 more\."),
        ([[0], [1], [2], [3], [4], [5]], r"ranks 1, 2 and 3 \(2 more ranks differ from rank 0 too\)\."),
    ],
)
def test_ranks_that_declared_different_steps_are_named(programs, message):
    errors = agreeing([program(values) for values in programs])
    assert len({str(error) for error in errors}) == 1
    with pytest.raises(RanksDisagreeError, match=message):
        raise errors[0]
    assert all(error.collective for error in errors)


def test_step_that_means_different_things_is_named_with_its_ranks():
    edited = Study()
    edited.versions = {"alpha": 2}
    edited.function("alpha").map([1])
    errors = agreeing([program([1]), program([1]), edited.freeze()])
    with pytest.raises(RanksDisagreeError, match=r"'alpha\[x=1\]' differs from rank 0 to rank 2"):
        raise errors[1]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["True", "True", "False"], "revise= differs: rank 0 has True, rank 2 has False"),
        (["", "", "False"], "revise= differs: rank 0 has none, rank 2 has False"),
    ],
)
def test_ranks_that_were_given_different_options_are_told_so(given, message):
    def act(ranks):
        return ranks.agree("execute", lambda: b"", lambda: program([1]), [Option("revise=", given[ranks.rank])])

    with pytest.raises(RanksDisagreeError, match=message):
        raise job(act)[1]


def test_what_only_rank_0_was_given_counts_for_all():
    def act(ranks):
        return ranks.agree("execute", lambda: b"", lambda: None, [Option("EZPYP_REVISE", "1" * (ranks.rank == 0))])

    assert job(act) == [None] * 3


def test_paths_are_compared_on_one_host():
    def act(ranks):
        option = Option("cache_location", str(ranks.rank), f"host {ranks.rank}")
        return ranks.agree("execute", lambda: b"", lambda: None, [option])

    assert job(act) == [None] * 3


def test_error_of_one_rank_is_raised_everywhere_with_its_rank():
    def act(ranks):
        return ranks.agree("execute", refuse if ranks.rank == 1 else lambda: b"", lambda: program([1]))

    assert [str(error) for error in job(act)] == ["on rank 1: no room"] * 3


def test_ranks_that_call_different_things_are_told_so():
    calls = ("execute", "execute", "initialize_schema")
    errors = job(lambda ranks: ranks.agree(calls[ranks.rank], lambda: b"", lambda: program([1])))
    with pytest.raises(RanksDisagreeError, match=r"rank 0 execute\(\), rank 1 execute\(\), rank 2 initialize_schema"):
        raise errors[2]
