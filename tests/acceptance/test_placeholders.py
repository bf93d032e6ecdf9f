"""Steps and PlaceHolders in arguments: wherever they stand, whatever is picked, and never as a value."""

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ezpyp import Pipeline, as_pickle_step
from ezpyp.errors import NotEvaluatedError
from ezpyp.steps import PlaceHolder

from .tools import executed

STUDY = """
@as_pickle_step(pipeline)
def make():
    return {"mean": [1.5, 2.5], "n": 3, 7: "seven", (0, 1): "pair"}

@as_pickle_step(pipeline)
def number(x):
    return x

@as_pickle_step(pipeline)
def show(*args, **kwargs):
    return repr((args, kwargs))

made = make()
one, two = number(1), number(2)
"""

CALLS = {
    "[one, PlaceHolder(two)]": "[1, 2]",
    "(one, 5)": "(1, 5)",
    "{'a': one, 'b': [PlaceHolder(two)]}": "{'a': 1, 'b': [2]}",
    "{PlaceHolder(one)}": "{1}",
    "frozenset([two])": "frozenset({2})",
    "[[(one, {'k': {two}})]]": "[[(1, {'k': {2}})]]",
    "made['n']": "3",
    "PlaceHolder(made)['mean'][-1]": "2.5",
    "made['mean'][0:1]": "[1.5]",
    "made['mean'][::-1]": "[2.5, 1.5]",
    "made[7]": "'seven'",
    "made[0, 1]": "'pair'",
    "[made['n'], {'deep': PlaceHolder(made)['mean']}]": "[3, {'deep': [1.5, 2.5]}]",
}


def test_steps_and_parts_are_found_wherever_they_stand(location: Path) -> None:
    calls = "".join(f"show({argument}, other=one, parts=[PlaceHolder(two)])\n" for argument in CALLS)
    pipeline = executed(location, f"{STUDY}\n{calls}")

    shown = [step.get_result() for step in pipeline.steps if step.name.startswith("show")]
    assert shown == [f"(({expected},), {{'other': 1, 'parts': [2]}})" for expected in CALLS.values()]


def test_a_part_that_is_not_there_fails_the_step_that_asked(location: Path) -> None:
    pipeline = executed(location, f"{STUDY}\nshow(made['nothing'])")

    assert pipeline.get_status("make") == 0
    assert pipeline.get_status("show") == 1


# What Python itself asks of a value is tested in tests/steps/test_reference.py.
USES: dict[str, Callable[[object], object]] = {
    "loop": lambda step: [part for part in step],  # noqa: C416 -- the loop itself is meant
    "dict": dict,
    "zip": lambda step: list(zip(step, strict=False)),
    "range": range,
    "math.sqrt": math.sqrt,
    "asarray": np.asarray,
    "array": np.array,
    "numpy float": np.float64,
    "numpy sum": np.sum,
    "numpy add": lambda step: np.add(step, 1),
    "array + step": lambda step: np.ones(2) + step,
}


@pytest.mark.timeout(10)
@pytest.mark.parametrize("use", USES.values(), ids=USES)
@pytest.mark.parametrize("kind", ["step", "placeholder", "part"])
def test_a_step_used_as_a_value_is_an_error_and_never_loops(
    location: Path, kind: str, use: Callable[[object], object]
) -> None:
    pipeline = Pipeline(location, "study")
    step = as_pickle_step(pipeline, name="alpha")(lambda: 1)()
    thing = {"step": step, "placeholder": PlaceHolder(step), "part": step["mean"]}[kind]

    with pytest.raises(NotEvaluatedError, match=r"not evaluated yet[^\0]*get_result\(\)"):
        use(thing)


def test_an_unknown_attribute_of_a_step_is_an_attribute_error(location: Path) -> None:
    pipeline = Pipeline(location, "study")
    step = as_pickle_step(pipeline, name="alpha")(lambda: 1)()

    assert not hasattr(step, "shape")
    assert not hasattr(PlaceHolder(step), "shape")
