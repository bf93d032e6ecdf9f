"""Sweeps: map and grid, a sweep as an argument, its table and results, and its growth."""

from pathlib import Path

import pytest

from ezpyp import Pipeline, as_pickle_step
from ezpyp.errors import ResultUnavailableError

from .tools import Bodies, executed, header

STUDY = """
@as_pickle_step(pipeline)
def simulate(seed):
    ran(f"simulate {seed}")
    return seed ** 2

step total(parts): return sum(parts)

total(simulate.map(range(SIZE)))
"""


@pytest.fixture
def pipeline(location: Path) -> Pipeline:
    return Pipeline(location, "sweeps")


def test_map_zips_and_grid_is_the_product_with_the_last_parameter_fastest(pipeline: Pipeline) -> None:
    power = as_pickle_step(pipeline, name="power")(lambda base, exponent: base**exponent)
    pair = as_pickle_step(pipeline, name="pair")(lambda x, seed: f"{x}{seed}")

    powers = power.map([2, 3, 4], iter([1, 2, 3]))
    pairs = pair.grid(x=["a", "b"], seed=range(3))
    pipeline.execute()

    assert powers.results() == [2, 9, 64]
    assert pairs.results() == ["a0", "a1", "a2", "b0", "b1", "b2"]
    assert pipeline.get_result("power", base=3) == 9


def test_a_sweep_is_a_sequence_of_steps_and_the_list_of_their_values(pipeline: Pipeline) -> None:
    same = as_pickle_step(pipeline, name="same")(lambda x: x)
    seen = as_pickle_step(pipeline, name="seen")(lambda parts, other=None: repr((parts, other)))

    sweep, empty = same.map([5, 6, 7]), same.map([])
    shown, nothing = seen(sweep, other={"deep": [sweep]}), seen(empty)
    pipeline.execute()

    assert (len(sweep), len(empty), empty.results(), empty.table()) == (3, 0, [], [])
    assert [step.get_result() for step in sweep] == [5, 6, 7]
    assert sweep[-1].get_result() == 7
    assert [step.name for step in sweep[:2]] == ["same[x=5]", "same[x=6]"]
    assert sweep[0] in sweep
    assert shown.get_result() == "([5, 6, 7], {'deep': [[5, 6, 7]]})"
    assert nothing.get_result() == "([], None)"


def test_a_table_has_parameters_status_seconds_and_result(pipeline: Pipeline) -> None:
    import pandas as pd

    invert = as_pickle_step(pipeline, name="invert")(lambda x, scale=1.0: scale / x)
    sweep = invert.grid(x=[1, 0, 2], scale=[3.0])
    pipeline.initialize_schema()
    assert [row["status"] for row in sweep.table()] == [-1, -1, -1]

    pipeline.execute()

    frame = pd.DataFrame(sweep.table())
    assert list(frame["x"]) == [1, 0, 2]
    assert list(frame["scale"]) == [3.0, 3.0, 3.0]
    assert list(frame["status"]) == [0, 1, 0]
    assert [row["result"] for row in sweep.table()] == [3.0, None, 1.5]
    assert (frame["seconds"] >= 0).all()
    with pytest.raises(ResultUnavailableError, match=r"invert\[x=0,scale=3.0\][^\0]*ZeroDivisionError"):
        sweep.results()


def test_a_sweep_grown_from_200_to_400_runs_200_and_the_reduce_and_the_smaller_one_stays_cached(
    location: Path, bodies: Bodies, capfd: pytest.CaptureFixture[str]
) -> None:
    executed(location, STUDY.replace("SIZE", "200"))
    first = bodies.take()

    pipeline = executed(location, STUDY.replace("SIZE", "400"))
    grown = bodies.take()

    assert len(first) == 201
    assert sorted(grown) == sorted([*(f"simulate {seed}" for seed in range(200, 400)), "total"])
    assert pipeline.get_result("total") == sum(seed**2 for seed in range(400))
    counts = header(capfd.readouterr().out)
    assert (counts["steps"], counts["cached"], counts["to_run"]) == ("401", "200", "201")

    smaller = executed(location, STUDY.replace("SIZE", "200"))
    assert bodies.take() == []
    assert smaller.get_result("total") == sum(seed**2 for seed in range(200))
