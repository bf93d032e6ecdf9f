"""The schema's rule where a sweep grows or shrinks, and the reduce over it with it."""

from pathlib import Path

import pytest

from .studies import FORMS, SWEEP, conflict, sweep
from .tools import Bodies, edit, executed


@pytest.mark.parametrize("form", FORMS)
def test_a_grown_sweep_runs_the_new_steps_and_the_reduce(location: Path, bodies: Bodies, form: str) -> None:
    executed(location, sweep([1, 2], form))
    bodies.take()

    pipeline = executed(location, sweep([1, 2, 3, 4], form))

    assert sorted(bodies.take()) == ["simulate 3", "simulate 4", "total"]
    assert pipeline.get_result("tot") == 30


@pytest.mark.parametrize("form", FORMS)
def test_a_value_inserted_in_the_middle_is_growth(location: Path, bodies: Bodies, form: str) -> None:
    executed(location, sweep([1, 3], form))
    bodies.take()

    executed(location, sweep([1, 2, 3], form))

    assert sorted(bodies.take()) == ["simulate 2", "total"]


@pytest.mark.parametrize("form", FORMS)
def test_a_shrunk_sweep_runs_the_reduce_alone(location: Path, bodies: Bodies, form: str) -> None:
    executed(location, sweep([1, 2, 3], form))
    bodies.take()

    pipeline = executed(location, sweep([1, 3], form))

    assert bodies.take() == ["total"]
    assert pipeline.get_result("tot") == 10


def test_some_added_and_others_removed_is_growth_while_one_stays(location: Path, bodies: Bodies) -> None:
    executed(location, sweep([1, 2, 3]))
    bodies.take()

    executed(location, sweep([0, 2, 5]))

    assert sorted(bodies.take()) == ["simulate 0", "simulate 5", "total"]


def test_what_lies_below_a_grown_reduce_follows(location: Path, bodies: Bodies) -> None:
    below = "report(whole)\n"
    executed(location, sweep([1, 2], rest=below))
    bodies.take()

    pipeline = executed(location, sweep([1, 2, 3], rest=below))

    assert sorted(bodies.take()) == ["report", "simulate 3", "total"]
    assert pipeline.get_result("report") == -14


def test_the_result_of_the_smaller_sweep_stays(location: Path) -> None:
    executed(location, sweep([1, 2]))
    pipeline = executed(location, sweep([1, 2, 3]))

    assert pipeline.get_result("total", revision=1) == 5
    assert pipeline.get_result("total", revision=2) == 14


@pytest.mark.parametrize("form", ["list", "tuple", "sweep", "star"])
def test_another_order_of_those_that_stayed_is_a_conflict(location: Path, form: str) -> None:
    executed(location, sweep([1, 2], form))

    error = conflict(location, sweep([2, 1, 3], form))

    assert len(error.changed) == 1


@pytest.mark.parametrize("form", ["list", "sweep", "star"])
def test_a_collection_of_which_nothing_stayed_is_a_conflict(location: Path, form: str) -> None:
    executed(location, sweep([1, 2], form))

    conflict(location, sweep([3, 4], form))


def test_growth_with_another_argument_changed_is_a_conflict(location: Path) -> None:
    weighted = SWEEP + "total([simulate(seed) for seed in SEEDS], weight=WEIGHT)\n"
    executed(location, weighted.replace("SEEDS", "[1, 2]").replace("WEIGHT", "1"))

    error = conflict(location, weighted.replace("SEEDS", "[1, 2, 3]").replace("WEIGHT", "2"))

    assert "weight" in str(error)


def test_growth_with_the_reduce_s_code_changed_is_a_conflict(location: Path) -> None:
    executed(location, sweep([1, 2]))

    error = conflict(location, edit(sweep([1, 2, 3]), ("return weight * sum", "return weight + sum")))

    assert tuple(error.changed) == ("total",)


def test_growth_with_code_changed_below_is_a_conflict(location: Path) -> None:
    below = "report(whole)\n"
    executed(location, sweep([1, 2], rest=below))

    error = conflict(location, edit(sweep([1, 2, 3], rest=below), ("return -value", "return +value")))

    assert "report" in error.changed


def test_a_grown_list_of_plain_values_is_a_conflict(location: Path) -> None:
    executed(location, SWEEP + "total([1, 2])")

    conflict(location, SWEEP + "total([1, 2, 3])")


def test_growth_over_an_edited_sweep_is_a_conflict(location: Path) -> None:
    executed(location, sweep([1, 2]))

    error = conflict(location, edit(sweep([1, 2, 3]), ("return seed ** 2", "return seed ** 3")))

    assert {"simulate[seed=1]", "simulate[seed=2]"} <= set(error.changed)
