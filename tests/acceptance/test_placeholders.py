"""Steps and PlaceHolders in arguments: wherever they stand, whatever is picked, and never as a value.

Their keys are tested in ``tests/graph/test_program.py``.
"""

import math
import operator
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

NESTED = [
    ("[one, two]", "[1, 2]"),
    ("(one, 5)", "(1, 5)"),
    ("{'a': one, 'b': [two]}", "{'a': 1, 'b': [2]}"),
    ("{one}", "{1}"),
    ("frozenset([two])", "frozenset({2})"),
    ("[[(one, {'k': {two}})]]", "[[(1, {'k': {2}})]]"),
]


def shown(location: Path, call: str) -> object:
    """Execute a script of one call of ``show`` and give what it was given."""
    return executed(location, f"{STUDY}\nshow({call})").get_result("show")


@pytest.mark.parametrize(("argument", "expected"), NESTED)
@pytest.mark.parametrize("wrapped", [False, True], ids=["step", "placeholder"])
def test_a_step_is_found_wherever_it_stands(location: Path, argument: str, expected: str, wrapped: bool) -> None:
    if wrapped:
        argument = argument.replace("one", "PlaceHolder(one)").replace("two", "PlaceHolder(two)")

    assert shown(location, argument) == f"(({expected},), {{}})"


def test_a_step_is_found_in_a_keyword(location: Path) -> None:
    assert shown(location, "0, other=one, parts=[PlaceHolder(two)]") == "((0,), {'other': 1, 'parts': [2]})"


@pytest.mark.parametrize(
    ("pick", "expected"),
    [
        ("made['n']", "3"),
        ("PlaceHolder(made)['n']", "3"),
        ("made['mean'][0]", "1.5"),
        ("PlaceHolder(made)['mean'][-1]", "2.5"),
        ("made['mean'][0:1]", "[1.5]"),
        ("made['mean'][::-1]", "[2.5, 1.5]"),
        ("made[7]", "'seven'"),
        ("made[0, 1]", "'pair'"),
        ("[made['n'], {'deep': PlaceHolder(made)['mean']}]", "[3, {'deep': [1.5, 2.5]}]"),
    ],
)
def test_a_part_is_picked(location: Path, pick: str, expected: str) -> None:
    assert shown(location, pick) == f"(({expected},), {{}})"


def test_a_part_that_is_not_there_fails_the_step_that_asked(location: Path) -> None:
    pipeline = executed(location, f"{STUDY}\nshow(made['nothing'])")

    assert pipeline.get_status("make") == 0
    assert pipeline.get_status("show") == 1


USES: dict[str, Callable[[object], object]] = {
    "step + 1": lambda step: step + 1,
    "1 + step": lambda step: 1 + step,
    "step - 1": lambda step: step - 1,
    "step * 2": lambda step: step * 2,
    "2 / step": lambda step: 2 / step,
    "step // 2": lambda step: step // 2,
    "step % 2": lambda step: step % 2,
    "step ** 2": lambda step: step**2,
    "step @ step": lambda step: step @ step,
    "-step": operator.neg,
    "abs": abs,
    "step < 1": lambda step: step < 1,
    "step >= 1": lambda step: step >= 1,
    "int": int,
    "float": float,
    "complex": complex,
    "index": operator.index,
    "round": round,
    "floor": math.floor,
    "len": len,
    "bool": bool,
    "if": lambda step: 1 if step else 2,
    "not": operator.not_,
    "iter": iter,
    "for": lambda step: [part for part in step],  # noqa: C416 -- the loop itself is meant
    "list": list,
    "tuple": tuple,
    "set": set,
    "dict": dict,
    "sum": sum,
    "zip": lambda step: list(zip(step, strict=False)),
    "unpacking": lambda step: print(*step),
    "unpacking of two": lambda step: operator.setitem({}, *step),
    "in": lambda step: 1 in step,
    "asarray": np.asarray,
    "array": np.array,
    "numpy float": np.float64,
    "numpy sum": np.sum,
    "numpy add": lambda step: np.add(step, 1),
    "array + step": lambda step: np.ones(2) + step,
    "range": range,
    "math.sqrt": math.sqrt,
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


def test_a_step_can_be_shown_compared_and_hashed(location: Path) -> None:
    pipeline = Pipeline(location, "study")
    square = as_pickle_step(pipeline, name="square")(lambda x: x * x)
    two, three = square(2), square(3)

    assert len({two, three, two}) == 2
    assert [three, two].index(two) == 1
    assert two != three
    assert "square" in repr(two)
    assert "square" in f"{PlaceHolder(two)}"


def test_an_unknown_attribute_of_a_step_is_an_attribute_error(location: Path) -> None:
    pipeline = Pipeline(location, "study")
    step = as_pickle_step(pipeline, name="alpha")(lambda: 1)()

    assert not hasattr(step, "shape")
    assert not hasattr(PlaceHolder(step), "shape")
