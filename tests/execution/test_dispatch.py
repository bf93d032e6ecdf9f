"""Who gets how many steps, and how long steps are expected to take: pure, without messages."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezpyp.execution.scheduler import CHUNK_S, MOST, Dispatcher, Durations


class Ready:
    """Steps in a row, all ready."""

    def __init__(self, count: int) -> None:
        self.left = list(range(count))

    def take(self) -> int | None:
        return self.left.pop(0) if self.left else None


def assigned(dispatcher: Dispatcher, ready: Ready) -> list[tuple[int, list[int]]]:
    """All that the ranks get now."""
    return list(iter(lambda: dispatcher.assign(ready.take, len(ready.left)), None))


def known(seconds: float | None) -> Callable[[int], float | None]:
    return lambda position: seconds


@pytest.mark.parametrize("seconds", [60.0, 0.05, CHUNK_S, None])
def test_long_steps_and_those_of_unknown_length_go_one_by_one_to_idle_ranks(seconds: float | None) -> None:
    dispatcher, ready = Dispatcher([1, 0], known(seconds)), Ready(1000)
    assert assigned(dispatcher, ready) == [(0, [0]), (1, [1])]

    dispatcher.returned(1, 1)
    assert assigned(dispatcher, ready) == [(1, [2])]


def test_short_steps_go_in_chunks() -> None:
    dispatcher, ready = Dispatcher([1, 0], known(0.001)), Ready(1000)
    chunks = assigned(dispatcher, ready)

    assert [(rank, len(steps)) for rank, steps in chunks] == [(0, 10), (1, 10)]
    assert [step for _, steps in chunks for step in steps] == list(range(20))


def test_a_rank_below_the_low_water_mark_gets_its_next_chunk_before_it_is_done() -> None:
    dispatcher, ready = Dispatcher([1], known(0.001)), Ready(1000)
    assert [len(steps) for _, steps in assigned(dispatcher, ready)] == [10]

    dispatcher.returned(1, 0)
    assert assigned(dispatcher, ready) == [(1, list(range(10, 20)))]
    assert assigned(dispatcher, ready) == []


def test_the_coordinator_gets_nothing_before_it_is_idle() -> None:
    dispatcher, ready = Dispatcher([0], known(0.001), coordinator=0), Ready(1000)
    ((_, steps),) = assigned(dispatcher, ready)

    for step in steps[:-1]:
        dispatcher.returned(0, step)
        assert assigned(dispatcher, ready) == []
    dispatcher.returned(0, steps[-1])
    assert assigned(dispatcher, ready) == [(0, list(range(10, 20)))]


def test_near_the_end_nothing_waits_on_a_busy_rank() -> None:
    dispatcher, ready = Dispatcher([2, 1, 0], known(0.004)), Ready(5)
    assert assigned(dispatcher, ready) == [(0, [0]), (1, [1]), (2, [2])]

    dispatcher.returned(1, 1)
    assert assigned(dispatcher, ready) == [(1, [3])]


def test_a_chunk_is_bounded_however_short_its_steps_are() -> None:
    dispatcher, ready = Dispatcher([0], known(0.0)), Ready(100_000)
    assert len(assigned(dispatcher, ready)[0][1]) == MOST


def test_a_long_step_ends_its_chunk() -> None:
    dispatcher, ready = Dispatcher([0], lambda position: 5.0 if position == 2 else 0.001), Ready(1000)
    assert dispatcher.assign(ready.take, len(ready.left)) == (0, [0, 1, 2])


def test_single_steps_where_chunks_are_switched_off() -> None:
    dispatcher, ready = Dispatcher([1, 0], known(1e-6), chunk_s=0.0), Ready(1000)
    assert assigned(dispatcher, ready) == [(0, [0]), (1, [1])]


def test_a_free_rank_stays_free_when_nothing_is_ready() -> None:
    dispatcher, ready = Dispatcher([1, 0], known(1.0)), Ready(0)
    assert assigned(dispatcher, ready) == []
    assert not dispatcher.busy

    ready.left = [7]
    assert assigned(dispatcher, ready) == [(0, [7])]
    assert dispatcher.busy
    assert (dispatcher.first(0), dispatcher.first(1)) == (7, None)


def test_nothing_waits_behind_a_step_of_unknown_length_whatever_rounding_leaves() -> None:
    dispatcher, ready = Dispatcher([0], lambda position: None if position == 1 else 0.001), Ready(100)
    assert dispatcher.assign(ready.take, 4) == (0, [0, 1])

    dispatcher.returned(0, 0)
    assert dispatcher.assign(ready.take, len(ready.left)) is None


LENGTHS = st.sampled_from([None, 0.0, 1e-4, 0.004, 0.02, 0.5, 3.0])


@given(st.lists(LENGTHS, max_size=300), st.integers(1, 7), st.randoms(use_true_random=False))
def test_every_step_goes_to_one_rank_and_no_rank_is_idle_while_steps_are_ready(lengths, ranks, dice) -> None:
    dispatcher, ready = Dispatcher(range(ranks), lengths.__getitem__, coordinator=0), Ready(len(lengths))
    held: list[tuple[int, int]] = []
    returned: list[int] = []
    while ready.left or held:
        for rank, steps in assigned(dispatcher, ready):
            held += [(rank, step) for step in steps]
        assert held
        assert not ready.left or len({rank for rank, _ in held}) == ranks
        for rank in range(ranks):
            work = [lengths[step] for owner, step in held if owner == rank]
            # Behind a step that may be long nothing waits, and no more than two chunks on any rank.
            assert all(length is not None and length < CHUNK_S for length in work[:-1])
            assert sum(length or 0 for length in work[:-1]) <= 2 * CHUNK_S
        rank, step = held.pop(dice.randrange(len(held)))
        dispatcher.returned(rank, step)
        returned.append(step)

    assert sorted(returned) == list(range(len(lengths)))
    assert not dispatcher.busy


def test_a_step_that_was_never_given_cannot_come_back() -> None:
    with pytest.raises(KeyError):
        Dispatcher([0], known(1.0)).returned(0, 5)


def test_the_first_of_what_a_rank_has_is_what_it_runs() -> None:
    dispatcher, ready = Dispatcher([0], known(0.001)), Ready(1000)
    assert dispatcher.first(0) is None
    assigned(dispatcher, ready)
    assert dispatcher.first(0) == 0
    dispatcher.returned(0, 0)
    assert dispatcher.first(0) == 1


def test_a_rank_that_has_ended_is_busy_no_more() -> None:
    dispatcher, ready = Dispatcher([0], known(0.001)), Ready(1000)
    assigned(dispatcher, ready)

    dispatcher.ended(0)
    assert not dispatcher.busy
    assert dispatcher.first(0) is None


def test_nothing_is_known_of_a_new_function() -> None:
    durations = Durations(["f", "g"], {})

    assert durations.longest(0) is None
    assert durations.usual() == [1.0, 1.0]


def test_a_step_counts_by_itself_and_a_new_one_by_its_function() -> None:
    durations = Durations(["f", "f", "f", "g"], {0: 1.0, 1: 3.0})

    assert durations.usual() == [1.0, 3.0, 2.0, 2.0]
    assert [durations.longest(position) for position in range(4)] == [1.0, 3.0, 3.0, None]


def test_the_longest_of_this_run_is_what_may_be_expected_of_new_steps() -> None:
    durations = Durations(["f"] * 3, {})
    durations.took(0, 0.5)
    durations.took(1, 0.1)

    assert durations.longest(2) == pytest.approx(0.4)


def test_one_hiccup_is_forgotten_after_some_twenty_steps() -> None:
    durations = Durations(["f"] * 40, dict.fromkeys(range(38), 1e-5))
    durations.took(0, 0.5)
    for position in range(1, 38):
        durations.took(position, 1e-5)

    assert max(durations.longest(38) or 9, durations.longest(37) or 9) < 2e-4


def test_steps_that_take_longer_than_before_warn_of_the_others_of_their_function() -> None:
    """The machine may be slower today, or the data larger: nothing may wait long behind a step that was short once."""
    durations = Durations(["f", "f", "g"], {0: 0.001, 1: 0.002, 2: 0.001})
    durations.took(0, 9.001)

    assert durations.longest(1) == pytest.approx(9.002)
    assert durations.longest(2) == 0.001


def test_a_step_that_takes_less_than_before_changes_nothing() -> None:
    durations = Durations(["f", "f"], {0: 2.0, 1: 1.0})
    durations.took(0, 0.1)

    assert durations.longest(1) == 1.0
