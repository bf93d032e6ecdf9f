"""Transitive reduction of ``depends_on`` lists, against an oracle that follows every path."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezpyp.graph.program import reduced

CHAIN = [(), (0,), (1,), (2,)]


def phases_of(upstreams):
    phases = []
    for ups in upstreams:
        phases.append(1 + max((phases[up] for up in ups), default=-1))
    return phases


def below(upstreams, position):
    """Everything that a step depends on."""
    found = set()
    for up in upstreams[position]:
        found |= {up} | below(upstreams, up)
    return found


@st.composite
def questions(draw):
    count = draw(st.integers(1, 10))
    upstreams = [
        tuple(draw(st.lists(st.integers(0, position - 1), max_size=3))) if position else () for position in range(count)
    ]
    positions = st.sets(st.integers(0, count - 1), max_size=5)
    candidates = draw(positions)
    return upstreams, candidates, draw(positions) - candidates


@pytest.mark.parametrize(
    ("candidates", "others", "remaining"),
    [
        (set(), (), ()),
        (set(), (3,), ()),
        ({2}, (), (2,)),
        ({0, 1, 2, 3}, (), (3,)),
        ({0, 3}, (), (3,)),
        ({0}, (3,), ()),
        ({3}, (0,), (3,)),
    ],
)
def test_in_a_chain_only_the_highest_remains(candidates, others, remaining):
    assert reduced(candidates, others, phases_of(CHAIN), CHAIN.__getitem__) == remaining


def test_steps_that_do_not_depend_on_each_other_all_remain_in_order():
    assert reduced({2, 0, 1}, (), [0, 0, 0], [(), (), ()].__getitem__) == (0, 1, 2)


def test_a_chain_longer_than_the_recursion_limit():
    chain = [(), *((position,) for position in range(20_000))]
    assert reduced({0, 20_000}, (), range(20_001), chain.__getitem__) == (20_000,)


def test_the_search_stops_at_the_phase_of_the_lowest_candidate():
    chain = [(), *((position,) for position in range(1_000))]
    asked = []

    def upstreams(position):
        asked.append(position)
        return chain[position]

    assert reduced({998, 1_000}, (), range(1_001), upstreams) == (1_000,)
    assert len(asked) < 5


@given(questions())
def test_left_out_is_exactly_what_another_one_depends_on_anyway(question):
    upstreams, candidates, others = question
    covered = set().union(*(below(upstreams, position) for position in candidates | others))
    expected = tuple(sorted(candidates - covered))
    assert reduced(candidates, tuple(others), phases_of(upstreams), upstreams.__getitem__) == expected
