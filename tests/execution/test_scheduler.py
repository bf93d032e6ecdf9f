"""The ready queue, without MPI and without a store."""

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from ezpyp.execution.scheduler import Scheduler, in_phases, longest_first


def drained(scheduler: Scheduler) -> list[int]:
    """Every step, taken and finished one after another."""
    order = []
    while (position := scheduler.take()) is not None:
        order.append(position)
        scheduler.finish(position)
    return order


def taken(scheduler: Scheduler) -> list[int]:
    """Every step that may start now."""
    return list(iter(scheduler.take, None))


def phases_of(upstreams: Sequence[Sequence[int]]) -> list[int]:
    phases: list[int] = []
    for ups in upstreams:
        phases.append(1 + max((phases[up] for up in ups), default=-1))
    return phases


@st.composite
def programs(draw: st.DrawFn) -> tuple[list[tuple[int, ...]], set[int]]:
    """Upstreams of each step, doubled ones among them, and the steps that are to run."""
    count = draw(st.integers(1, 12))
    upstreams = [
        tuple(draw(st.lists(st.integers(0, position - 1), max_size=4))) if position else () for position in range(count)
    ]
    return upstreams, draw(st.sets(st.integers(0, count - 1)))


def test_smallest_urgency_is_taken_first_also_among_steps_that_became_ready_later_and_equal_ones_in_order():
    scheduler = Scheduler([(), (), (0,)], range(3), [1, 2, 0])
    assert scheduler.take() == 0
    scheduler.finish(0)
    assert (scheduler.ready, taken(scheduler)) == (2, [2, 1])
    assert drained(Scheduler([()] * 4, range(4), [0.0] * 4)) == [0, 1, 2, 3]


@given(programs())
def test_serial_run_goes_phase_by_phase_in_order_of_declaration(program):
    upstreams, pending = program
    phases = phases_of(upstreams)
    order = drained(Scheduler(upstreams, pending, in_phases(phases)))
    assert order == sorted(pending, key=lambda position: (phases[position], position))


@given(programs(), st.data())
def test_urgency_of_a_parallel_run_is_the_longest_path_found_by_walking_them_all(program, data):
    upstreams, _ = program
    count = len(upstreams)
    seconds = data.draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    dependents = [[below for below in range(count) if position in upstreams[below]] for position in range(count)]

    def longest(position: int) -> int:
        return seconds[position] + max((longest(below) for below in dependents[position]), default=0)

    assert longest_first(upstreams, seconds) == [-longest(position) for position in range(count)]


def test_step_put_back_for_nothing_is_ready_at_once():
    scheduler = Scheduler([()], [0], [0])
    scheduler.take()
    scheduler.put_back(0, ())
    assert (scheduler.left, taken(scheduler)) == (1, [0])


@given(programs(), st.randoms(use_true_random=False), st.booleans(), st.sampled_from([0, 10]))
def test_exactly_the_ready_steps_are_handed_out_whatever_runs_again_in_the_middle(program, random, barrier, surprises):
    upstreams, pending = program
    phases = phases_of(upstreams)
    scheduler = Scheduler(upstreams, pending, in_phases(phases), phases if barrier else None)
    everything = set(range(len(upstreams)))
    finished, running = everything - pending, set()
    while unfinished := everything - finished:
        lowest = min(phases[position] for position in unfinished)
        ready = {
            position
            for position in unfinished - running
            if finished.issuperset(upstreams[position]) and (not barrier or phases[position] == lowest)
        }
        handed_out = set()
        while now := taken(scheduler):  # until what was put back has uncovered nothing more
            for position in now:
                if missing := set(upstreams[position]) - finished:
                    scheduler.put_back(position, missing)
                else:
                    handed_out.add(position)
        assert handed_out == ready
        running |= ready
        ended = random.choice(sorted(running))
        running.discard(ended)
        damaged = {up for up in upstreams[ended] if up in finished and surprises and random.random() < 0.3}
        for up in damaged:
            surprises -= 1
            finished.discard(up)
            scheduler.reopen(up, set(upstreams[up]) - finished)
        if missing := set(upstreams[ended]) - finished:
            scheduler.put_back(ended, missing)
        else:
            finished.add(ended)
            scheduler.finish(ended)
        assert scheduler.left == len(upstreams) - len(finished)
    assert scheduler.take() is None


def test_a_step_put_back_for_two_upstreams_waits_for_both():
    scheduler = Scheduler([(), (), (0, 1)], [2], range(3))
    scheduler.take()
    scheduler.reopen(0, ())
    scheduler.reopen(1, ())
    scheduler.put_back(2, [0, 1])
    assert taken(scheduler) == [0, 1]
    scheduler.finish(0)
    assert taken(scheduler) == []
    scheduler.finish(1)
    assert taken(scheduler) == [2]
