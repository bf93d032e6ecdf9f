"""Transitive reduction of ``depends_on`` lists, against an oracle that follows every path."""

from hypothesis import given
from hypothesis import strategies as st

from ezpyp.graph.program import reduced


def phases_of(upstreams):
    phases = []
    for ups in upstreams:
        phases.append(1 + max((phases[up] for up in ups), default=-1))
    return phases


def below(upstreams, position):
    """Everything that a step depends on."""
    return set().union(*({up} | below(upstreams, up) for up in upstreams[position]))


@st.composite
def questions(draw):
    count = draw(st.integers(1, 10))
    upstreams = [
        tuple(draw(st.lists(st.integers(0, position - 1), max_size=3))) if position else () for position in range(count)
    ]
    positions = st.sets(st.integers(0, count - 1), max_size=5)
    candidates = draw(positions)
    return upstreams, candidates, draw(positions) - candidates


@given(questions())
def test_left_out_is_exactly_what_another_one_depends_on_anyway(question):
    upstreams, candidates, others = question
    covered = set().union(*(below(upstreams, position) for position in candidates | others))
    expected = tuple(sorted(candidates - covered))
    assert reduced(candidates, tuple(others), phases_of(upstreams), upstreams.__getitem__) == expected


def test_search_is_no_recursion_and_stops_at_the_phase_of_the_lowest_candidate():
    chain = [(), *((position,) for position in range(20_000))]
    asked = []

    def upstreams(position):
        asked.append(position)
        return chain[position]

    assert reduced({0, 20_000}, (), range(20_001), upstreams) == (20_000,)
    asked.clear()
    assert reduced({19_998, 20_000}, (), range(20_001), upstreams) == (20_000,)
    assert len(asked) < 5
