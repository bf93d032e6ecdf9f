"""A step stands for a value, and says so where it is taken for the value itself."""

import copy
import math
import operator
import os
import pickle

import pytest

from ezpyp.errors import DeclarationError, InitializationError, NotEvaluatedError
from ezpyp.steps import PlaceHolder

from .tools import steps

STEP, OTHER = steps(2)

USES = {
    "bool": bool, "len": len, "iter": iter, "list": list, "next": next, "reversed": reversed, "int": int,
    "float": float, "complex": complex, "index": operator.index, "round": round, "abs": abs, "neg": operator.neg,
    "floor": math.floor, "sum": lambda step: sum([step]), "add": lambda step: step + 1, "radd": lambda step: 1 + step,
    "in": lambda step: 1 in step, "less": lambda step: step < 1, "equals": lambda step: step == 1,
    "differs": lambda step: step != 1, "sort": lambda step: sorted([step, step]), "call": lambda step: step(1),
    "unpack": lambda step: [*step], "format": lambda step: f"{step:.2f}", "set": lambda step: step.__setitem__(0, 1),
    "with": lambda step: step.__enter__(), "path": os.fspath, "pickle": pickle.dumps, "copy": copy.deepcopy,
    "inplace": lambda step: operator.iadd(step, 1), "matmul": lambda step: step @ step,
}  # fmt: skip


@pytest.mark.parametrize("use", USES)
@pytest.mark.parametrize("reference", [STEP, PlaceHolder(STEP), STEP["part"]], ids=["step", "placeholder", "part"])
def test_use_as_a_value_says_that_it_is_not_evaluated_yet(use, reference):
    with pytest.raises(NotEvaluatedError, match=r"source\(\.\.\.\)'.*not evaluated yet: pass it to a step, or use"):
        USES[use](reference)


def test_steps_are_compared_and_hashed_by_identity():
    assert STEP == STEP
    assert STEP != OTHER
    assert (STEP == None) is False  # noqa: E711 - what is tested
    assert {STEP: 1}[STEP] == 1
    assert STEP in [OTHER, STEP]


def test_text_of_a_step_and_of_what_is_picked():
    assert f"{STEP}" == str(STEP) == "Pickle Step Object 'source(...)'"
    assert repr(STEP["mean"][0]) == "PlaceHolder(Pickle Step Object 'source(...)')['mean'][0]"


def test_parts_are_picked_without_changing_what_they_are_picked_from():
    whole = PlaceHolder(STEP)
    assert whole["a"][1].path == (("item", "a"), ("item", 1))
    assert whole.path == STEP.path == ()
    assert PlaceHolder(whole["a"]).path == (("item", "a"),)


def test_part_cannot_be_picked_by_a_step():
    with pytest.raises(DeclarationError, match="picked by a plain value"):
        STEP[OTHER]


@pytest.mark.parametrize("value", [3, None, "alpha", abs])
def test_placeholder_of_no_step_is_refused(value):
    with pytest.raises(DeclarationError, match="PlaceHolder takes a step, not"):
        PlaceHolder(value)


@pytest.mark.parametrize("what", ["name", "key", "phase"])
def test_identity_is_not_known_before_freezing(what):
    with pytest.raises(InitializationError, match=f"the {what} of a step of 'source' is known once"):
        getattr(STEP, what)
