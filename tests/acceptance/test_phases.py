"""Graphs too long or too full of paths for anything but linear work; tests/graph has phases, reduction and keys."""

from pathlib import Path

import pytest

from ezpyp import Pipeline, as_pickle_step


@pytest.mark.parametrize("edge", ["value", "order"])
def test_a_chain_of_ten_thousand_declares_and_freezes(location: Path, edge: str) -> None:
    pipeline = Pipeline(location, "chain")

    def follow(x: object = None) -> object:
        return x

    by_value = as_pickle_step(pipeline, name="link")(follow)
    step = by_value(0)
    for number in range(1, 10_000):
        if edge == "value":
            step = by_value(step)
        else:
            step = as_pickle_step(pipeline, depends_on=[step], name=f"link{number}")(follow)()
    pipeline.initialize_schema()

    assert step.phase == 9_999
    assert len(pipeline.phases) == 10_000
    assert len({one.name for one in pipeline.steps}) == 10_000


def test_a_diamond_of_many_layers_declares_and_freezes(location: Path) -> None:
    """Forty layers of pairs have 2 to the 40 paths; anything but linear never ends."""
    pipeline = Pipeline(location, "diamond")

    @as_pickle_step(pipeline)
    def pair(left: object, right: object, side: int) -> object:
        return side

    left, right = pair(0, 0, 0), pair(0, 0, 1)
    for _ in range(40):
        left, right = pair(left, right, 0), pair(left, right, 1)
    pipeline.initialize_schema()

    assert left.phase == right.phase == 40
