"""Who gets how many steps, and how long steps are expected to take: pure, without messages."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezpyp.execution.scheduler import CHUNK_S, MOST, Dispatcher, Durations


class Ranks:
    """A dispatcher, and steps in a row that are all ready."""

    def __init__(self, ranks, seconds, count, **options):
        self.dispatcher = Dispatcher(ranks, seconds if callable(seconds) else lambda position: seconds, **options)
        self.left = list(range(count))

    def take(self):
        return self.left.pop(0) if self.left else None

    def assigned(self):
        """All that the ranks get now."""
        return list(iter(lambda: self.dispatcher.assign(self.take, len(self.left)), None))

    def returned(self, rank, step):
        self.dispatcher.returned(rank, step)
        return self.assigned()


@pytest.mark.parametrize("seconds", [60.0, 0.05, CHUNK_S, None])
def test_long_steps_and_those_of_unknown_length_go_one_by_one_to_idle_ranks(seconds):
    ranks = Ranks([1, 0], seconds, 1000)
    assert ranks.assigned() == [(0, [0]), (1, [1])]
    assert ranks.returned(1, 1) == [(1, [2])]


def test_short_steps_go_in_chunks_the_next_one_before_a_rank_is_done():
    ranks = Ranks([1, 0], 0.001, 1000)
    assert ranks.assigned() == [(0, [*range(10)]), (1, [*range(10, 20)])]
    assert ranks.dispatcher.first(0) == 0
    assert ranks.returned(0, 0) == [(0, [*range(20, 30)])]
    assert ranks.assigned() == []
    assert ranks.dispatcher.first(0) == 1


def test_the_coordinator_gets_nothing_before_it_is_idle():
    ranks = Ranks([0], 0.001, 1000, coordinator=0)
    ((_, steps),) = ranks.assigned()
    assert [ranks.returned(0, step) for step in steps] == [[]] * 9 + [[(0, [*range(10, 20)])]]


def test_near_the_end_nothing_waits_on_a_busy_rank():
    ranks = Ranks([2, 1, 0], 0.004, 5)
    assert ranks.assigned() == [(0, [0]), (1, [1]), (2, [2])]
    assert ranks.returned(1, 1) == [(1, [3])]


@pytest.mark.parametrize(
    ("seconds", "ready", "options", "count"),
    [
        (0.0, 100_000, {}, MOST),
        (lambda position: 5.0 if position == 2 else 0.001, 1000, {}, 3),
        (1e-6, 1000, {"chunk_s": 0.0}, 1),
        (0.001, 12, {}, 6),
    ],
    ids=["bounded", "a long step ends it", "switched off", "half of what is ready"],
)
def test_a_chunk(seconds, ready, options, count):
    ranks = Ranks([0], seconds, ready, **options)
    assert ranks.dispatcher.assign(ranks.take, ready) == (0, [*range(count)])


def test_a_free_rank_stays_free_when_nothing_is_ready_and_one_that_has_ended_is_busy_no_more():
    ranks = Ranks([1, 0], 1.0, 0)
    assert ranks.assigned() == []
    assert not ranks.dispatcher.busy

    ranks.left = [7]
    assert ranks.assigned() == [(0, [7])]
    assert ranks.dispatcher.busy
    assert (ranks.dispatcher.first(0), ranks.dispatcher.first(1)) == (7, None)

    ranks.dispatcher.ended(0)
    assert not ranks.dispatcher.busy
    assert ranks.dispatcher.first(0) is None


def test_nothing_waits_behind_a_step_of_unknown_length_whatever_rounding_leaves():
    ranks = Ranks([0], lambda position: None if position == 1 else 0.001, 100)
    assert ranks.dispatcher.assign(ranks.take, 4) == (0, [0, 1])
    assert ranks.returned(0, 0) == []


LENGTHS = st.sampled_from([None, 0.0, 1e-4, 0.004, 0.02, 0.5, 3.0])


@given(st.lists(LENGTHS, max_size=300), st.integers(1, 7), st.randoms(use_true_random=False))
def test_every_step_goes_to_one_rank_and_no_rank_is_idle_while_steps_are_ready(lengths, count, dice):
    ranks = Ranks(range(count), lengths.__getitem__, len(lengths), coordinator=0)
    held, returned = [], []
    while ranks.left or held:
        held += [(rank, step) for rank, steps in ranks.assigned() for step in steps]
        assert held
        assert not ranks.left or len({rank for rank, _ in held}) == count
        for rank in range(count):
            work = [lengths[step] for owner, step in held if owner == rank]
            # Behind a step that may be long nothing waits, and no more than two chunks on any rank.
            assert all(length is not None and length < CHUNK_S for length in work[:-1])
            assert sum(length or 0 for length in work[:-1]) <= 2 * CHUNK_S
        rank, step = held.pop(dice.randrange(len(held)))
        ranks.dispatcher.returned(rank, step)
        returned.append(step)

    assert sorted(returned) == list(range(len(lengths)))
    assert not ranks.dispatcher.busy


@pytest.mark.parametrize(
    ("functions", "recorded", "took", "usual", "longest"),
    [
        ("fg", {}, [], [1.0, 1.0], [None, None]),
        ("fffg", {0: 1.0, 1: 3.0}, [], [1.0, 3.0, 2.0, 2.0], [1.0, 3.0, 3.0, None]),
        ("fff", {}, [(0, 0.5), (1, 0.1)], [1.0] * 3, [0.4] * 3),
        # The machine may be slower today, or the data larger: nothing may wait long behind what was short once.
        ("ffg", {0: 0.001, 1: 0.002, 2: 0.001}, [(0, 9.001)], [0.001, 0.002, 0.001], [9.001, 9.002, 0.001]),
        ("ff", {0: 2.0, 1: 1.0}, [(0, 0.1)], [2.0, 1.0], [2.0, 1.0]),
    ],
    ids=["nothing is known", "new by its function", "the longest fades", "longer than before", "shorter than before"],
)
def test_how_long_a_step_may_take(functions, recorded, took, usual, longest):
    durations = Durations(functions, recorded)
    for position, seconds in took:
        durations.took(position, seconds)

    assert durations.usual() == usual
    assert [durations.longest(position) for position in range(len(functions))] == pytest.approx(longest)


def test_one_hiccup_is_forgotten_after_some_twenty_steps():
    durations = Durations(["f"] * 40, dict.fromkeys(range(38), 1e-5))
    durations.took(0, 0.5)
    for position in range(1, 38):
        durations.took(position, 1e-5)

    assert max(durations.longest(38) or 9, durations.longest(37) or 9) < 2e-4
