"""Who gets how many steps: pure, without messages."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezpyp.execution.dispatch import BOOKS_S, CHUNK_S, MOST, SOON_S, Dealer


class Ready:
    """Steps in a row, all ready."""

    def __init__(self, count: int) -> None:
        self.left = list(range(count))

    def take(self) -> int | None:
        return self.left.pop(0) if self.left else None

    def put_back(self, step: int) -> None:
        self.left.insert(0, step)


def dealt(dealer: Dealer, ready: Ready, *, spares_keeper: bool = False) -> list[tuple[int, list[int]]]:
    """All that the ranks get now."""
    put_back = ready.put_back if spares_keeper else None
    return list(iter(lambda: dealer.deal(ready.take, len(ready.left), put_back=put_back), None))


def known(seconds: float | None) -> Callable[[int], float | None]:
    return lambda position: seconds


def test_long_steps_go_one_by_one_and_none_waits_behind_another() -> None:
    dealer, ready = Dealer([1, 0], known(60.0)), Ready(10)
    assert dealt(dealer, ready) == [(0, [0]), (1, [1])]

    dealer.returned(1, 1)
    assert dealt(dealer, ready) == [(1, [2])]


def test_steps_of_unknown_length_go_one_by_one() -> None:
    dealer, ready = Dealer([1, 0], known(None)), Ready(1000)
    assert dealt(dealer, ready) == [(0, [0]), (1, [1])]


def test_a_rank_gets_its_next_step_of_some_milliseconds_before_it_is_done() -> None:
    dealer, ready = Dealer([1, 0], known(0.05)), Ready(10)
    assert dealt(dealer, ready) == [(0, [0]), (1, [1]), (0, [2]), (1, [3])]

    dealer.returned(0, 0)
    assert dealt(dealer, ready) == [(0, [4])]


def test_near_the_end_nothing_waits_on_a_busy_rank() -> None:
    dealer, ready = Dealer([1, 0], known(0.05)), Ready(5)
    assert dealt(dealer, ready) == [(0, [0]), (1, [1]), (0, [2]), (1, [3])]
    dealer.returned(0, 0)
    assert dealt(dealer, ready) == []  # rank 1 might be free first

    dealer.returned(1, 1)
    assert dealt(dealer, ready) == []
    dealer.returned(0, 2)
    assert dealt(dealer, ready) == [(0, [4])]


def test_tiny_steps_go_in_chunks_of_some_milliseconds() -> None:
    dealer, ready = Dealer([1, 0], known(0.001)), Ready(1000)
    chunks = dealt(dealer, ready)

    assert [(rank, len(steps)) for rank, steps in chunks] == [(0, 10), (1, 10), (0, 10), (1, 10)]
    assert [step for _, steps in chunks for step in steps] == list(range(40))


def test_a_chunk_is_bounded_however_short_its_steps_are() -> None:
    dealer, ready = Dealer([0], known(0.0)), Ready(100_000)
    assert len(dealt(dealer, ready)[0][1]) == MOST


def test_what_is_left_is_shared_fairly() -> None:
    dealer, ready = Dealer([3, 2, 1, 0], known(1e-6)), Ready(40)
    sizes = [len(steps) for _, steps in dealt(dealer, ready)]

    assert sizes[:4] == [5, 4, 3, 3]
    assert sum(sizes) <= 40


def test_a_long_step_ends_its_chunk() -> None:
    dealer, ready = Dealer([0], lambda position: 5.0 if position == 2 else 0.001), Ready(1000)
    assert dealer.deal(ready.take, len(ready.left)) == (0, [0, 1, 2])


def test_single_steps_where_chunks_are_switched_off() -> None:
    dealer, ready = Dealer([1, 0], known(1e-6), chunk_s=0.0, ahead_s=0.0), Ready(1000)
    assert dealt(dealer, ready) == [(0, [0]), (1, [1])]


def test_a_free_rank_stays_free_when_nothing_is_ready() -> None:
    dealer, ready = Dealer([1, 0], known(1.0)), Ready(0)
    assert dealt(dealer, ready) == []
    assert not dealer.busy

    ready.left = [7]
    assert dealt(dealer, ready) == [(0, [7])]
    assert dealer.busy
    assert dealer.holds(0, 7)
    assert not dealer.holds(1, 7)


LENGTHS = st.sampled_from([None, 0.0, 1e-4, 0.004, 0.02, 0.5, 3.0])


@given(st.lists(LENGTHS, max_size=300), st.integers(1, 7), st.booleans(), st.randoms(use_true_random=False))
def test_every_step_goes_to_one_rank_and_no_rank_is_idle_while_steps_are_ready(lengths, ranks, spares, dice) -> None:
    dealer, ready = Dealer(range(ranks), lengths.__getitem__, keeper=0), Ready(len(lengths))
    held: list[tuple[int, int]] = []
    returned: list[int] = []
    while ready.left or held:
        for rank, steps in dealt(dealer, ready, spares_keeper=spares):
            held += [(rank, step) for step in steps]
        assert held
        assert not ready.left or len({rank for rank, _ in held}) >= ranks - spares
        for rank in range(ranks):
            work = [lengths[step] for owner, step in held if owner == rank]
            assert work.count(None) <= 1 or len(work) == work.count(None) == 1
            # Behind a step that may be long nothing waits.
            assert all(length is not None and length < 1.0 for length in work[:-1])
            assert sum(length or 0 for length in work[:-1]) <= max(1.0, 3 * CHUNK_S)
        rank, step = held.pop(dice.randrange(len(held)))
        dealer.returned(rank, step)
        returned.append(step)

    assert sorted(returned) == list(range(len(lengths)))
    assert not dealer.busy


def test_a_step_that_was_never_given_cannot_come_back() -> None:
    with pytest.raises(KeyError):
        Dealer([0], known(1.0)).returned(0, 5)


def test_the_first_of_what_a_rank_has_is_what_it_runs() -> None:
    dealer, ready = Dealer([0], known(0.001)), Ready(1000)
    assert dealer.first(0) is None
    dealt(dealer, ready)
    assert dealer.first(0) == 0
    dealer.returned(0, 0)
    assert dealer.first(0) == 1


def test_a_rank_that_gave_steps_back_gets_no_more_until_its_step_ends() -> None:
    dealer, ready = Dealer([0], known(0.01)), Ready(100)
    assert dealt(dealer, ready) == [(0, [0]), (0, [1])]

    dealer.give_back(0, [1])
    assert dealer.first(0) == 0
    assert dealt(dealer, ready) == []

    dealer.returned(0, 0)
    assert dealt(dealer, ready) == [(0, [2]), (0, [3])]


def test_a_rank_that_gave_back_all_it_had_is_free() -> None:
    dealer, ready = Dealer([0], known(0.01)), Ready(100)
    dealt(dealer, ready)
    dealer.returned(0, 0)
    dealer.give_back(0, [1])

    assert not dealer.busy
    assert dealt(dealer, ready) == [(0, [2]), (0, [3])]


def test_what_is_shorter_than_its_books_is_left_to_the_ranks_that_do_not_keep_them() -> None:
    dealer, ready = Dealer([1, 0], known(BOOKS_S / 2), keeper=0), Ready(1000)
    dealings = dealt(dealer, ready, spares_keeper=True)

    assert {rank for rank, _ in dealings} == {1}
    assert [step for _, steps in dealings for step in steps] == list(range(sum(len(steps) for _, steps in dealings)))


def test_a_step_that_waited_for_another_rank_is_the_first_that_this_one_gets() -> None:
    dealer, ready = Dealer([1, 0], known(BOOKS_S / 2), keeper=0), Ready(1000)
    given = [step for _, steps in dealt(dealer, ready, spares_keeper=True) for step in steps]
    for step in given:
        dealer.returned(1, step)

    assert dealt(dealer, ready, spares_keeper=True)[0][1][0] == len(given)


def test_a_rank_that_is_silent_is_not_waited_for() -> None:
    dealer, ready = Dealer([1, 0], known(BOOKS_S / 2), keeper=0), Ready(1000)
    given = [step for _, steps in dealt(dealer, ready, spares_keeper=True) for step in steps]

    rank, steps = dealt(dealer, ready)[0]
    assert (rank, steps[0]) == (0, len(given))


@pytest.mark.parametrize("seconds", [BOOKS_S * 3, None])
def test_the_rank_that_keeps_the_books_computes_what_is_longer_than_those_of_all_others(seconds: float | None) -> None:
    dealer, ready = Dealer([2, 1, 0], known(seconds), keeper=0), Ready(1000)
    assert 0 in {rank for rank, _ in dealt(dealer, ready, spares_keeper=True)}


@pytest.mark.parametrize("other", [2 * SOON_S, None])
def test_no_tiny_step_waits_for_a_rank_that_may_be_busy_for_long(other: float | None) -> None:
    lengths = [other, *[BOOKS_S / 2] * 100]
    dealer, ready = Dealer([0, 1], lengths.__getitem__, keeper=0, ahead_s=0.0), Ready(101)
    dealings = dealt(dealer, ready, spares_keeper=True)

    assert dealings[0] == (1, [0])
    assert {rank for rank, _ in dealings[1:]} == {0}


def test_a_rank_whose_step_was_of_unknown_length_gets_more_once_others_of_the_function_have_ended() -> None:
    told: list[float | None] = [None]
    dealer, ready = Dealer([1, 0], lambda _: told[0], keeper=0), Ready(1000)
    assert dealt(dealer, ready, spares_keeper=True) == [(0, [0]), (1, [1])]

    told[0] = BOOKS_S / 2
    dealer.returned(0, 0)
    assert dealt(dealer, ready, spares_keeper=True) == []  # rank 1 will soon be free
    dealer.returned(1, 1)
    assert {rank for rank, _ in dealt(dealer, ready, spares_keeper=True)} == {1}


def test_a_step_of_unknown_length_on_a_full_rank_is_looked_up_alone() -> None:
    """Not the thousands that wait beside it, each time one of them comes back: all ranks stood idle meanwhile."""
    asked: list[int] = []

    def seconds(position: int) -> float | None:
        asked.append(position)
        return None if position == 150 else 1e-6

    dealer, ready = Dealer([0], seconds), Ready(1000)
    given = [step for _, steps in dealt(dealer, ready) for step in steps]
    assert 150 in given
    asked.clear()
    for step in given[:100]:
        dealer.returned(0, step)

    assert set(asked) == {150}
    assert len(asked) <= 200
