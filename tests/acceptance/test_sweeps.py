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


def test_two_calls_of_one_function_keep_two_results(pipeline: Pipeline) -> None:
    @as_pickle_step(pipeline)
    def square(x: int) -> int:
        return x * x

    two, three = square(2), square(3)
    pipeline.execute()

    assert (two.get_result(), three.get_result()) == (4, 9)
    assert pipeline.get_result("square", x=2) == 4
    assert pipeline.get_result("square", x=3) == 9


def test_map_zips_its_iterables(pipeline: Pipeline) -> None:
    @as_pickle_step(pipeline)
    def power(base: int, exponent: int) -> int:
        return base**exponent

    sweep = power.map([2, 3, 4], iter([1, 2, 3]))
    pipeline.execute()

    assert sweep.results() == [2, 9, 64]


def test_grid_is_the_product_with_the_last_parameter_fastest(pipeline: Pipeline) -> None:
    @as_pickle_step(pipeline)
    def pair(x: str, seed: int) -> str:
        return f"{x}{seed}"

    sweep = pair.grid(x=["a", "b"], seed=range(3))
    pipeline.execute()

    assert sweep.results() == ["a0", "a1", "a2", "b0", "b1", "b2"]


def test_a_sweep_is_a_sequence_of_steps(pipeline: Pipeline) -> None:
    @as_pickle_step(pipeline)
    def same(x: int) -> int:
        return x

    sweep = same.map([5, 6, 7])
    pipeline.execute()

    assert len(sweep) == 3
    assert [step.get_result() for step in sweep] == [5, 6, 7]
    assert sweep[1].get_result() == 6
    assert sweep[-1].get_result() == 7
    assert [step.name for step in sweep[:2]] == ["same[x=5]", "same[x=6]"]
    assert sweep[0] in sweep


def test_an_empty_map_is_an_empty_sweep(pipeline: Pipeline) -> None:
    @as_pickle_step(pipeline)
    def same(x: int) -> int:
        return x

    @as_pickle_step(pipeline)
    def count(parts: list[int]) -> int:
        return len(parts)

    sweep = same.map([])
    counted = count(sweep)
    pipeline.execute()

    assert len(sweep) == 0
    assert sweep.results() == []
    assert counted.get_result() == 0


def test_a_sweep_as_an_argument_is_the_list_of_its_values(pipeline: Pipeline) -> None:
    @as_pickle_step(pipeline)
    def same(x: int) -> int:
        return x

    @as_pickle_step(pipeline)
    def seen(parts: object, other: object = None) -> str:
        return repr((parts, other))

    sweep = same.map([1, 2])
    step = seen(sweep, other={"deep": [sweep]})
    pipeline.execute()

    assert step.get_result() == "([1, 2], {'deep': [[1, 2]]})"


def test_a_table_has_parameters_status_seconds_and_result(pipeline: Pipeline) -> None:
    @as_pickle_step(pipeline)
    def invert(x: int, scale: float = 1.0) -> float:
        return scale / x

    sweep = invert.grid(x=[1, 0, 2], scale=[3.0])
    pipeline.execute()

    rows = list(sweep.table())
    assert [row["x"] for row in rows] == [1, 0, 2]
    assert [row["scale"] for row in rows] == [3.0, 3.0, 3.0]
    assert [row["status"] for row in rows] == [0, 1, 0]
    assert [row["result"] for row in rows] == [3.0, None, 1.5]
    assert all(row["seconds"] >= 0 for row in rows)


def test_a_table_makes_a_data_frame(pipeline: Pipeline) -> None:
    import pandas as pd

    @as_pickle_step(pipeline)
    def square(x: int) -> int:
        return x * x

    sweep = square.map([1, 2, 3])
    pipeline.execute()

    frame = pd.DataFrame(sweep.table())
    assert list(frame["x"]) == [1, 2, 3]
    assert list(frame["result"]) == [1, 4, 9]
    assert {"status", "seconds"} <= set(frame.columns)


def test_a_table_before_the_run_is_pending(pipeline: Pipeline) -> None:
    @as_pickle_step(pipeline)
    def square(x: int) -> int:
        return x * x

    sweep = square.map([1, 2])
    pipeline.initialize_schema()

    assert [row["status"] for row in sweep.table()] == [-1, -1]


def test_results_of_a_sweep_with_a_failure_raise(pipeline: Pipeline) -> None:
    @as_pickle_step(pipeline)
    def invert(x: int) -> float:
        return 1 / x

    sweep = invert.map([1, 0])
    pipeline.execute()

    with pytest.raises(ResultUnavailableError, match=r"invert\[x=0\][^\0]*ZeroDivisionError"):
        sweep.results()


def test_a_sweep_grown_from_200_to_400_runs_200_and_the_reduce(
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


def test_the_smaller_sweep_is_cached_again_after_growth(location: Path, bodies: Bodies) -> None:
    executed(location, STUDY.replace("SIZE", "20"))
    executed(location, STUDY.replace("SIZE", "40"))
    bodies.take()

    pipeline = executed(location, STUDY.replace("SIZE", "20"))

    assert bodies.take() == []
    assert pipeline.get_result("total") == sum(seed**2 for seed in range(20))
