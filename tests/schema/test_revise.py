"""Which changes of meaning the user asked for."""

import pytest

from ezpyp.errors import UnknownStepError
from ezpyp.schema.rule import allowed_changes, asked_for

from .records import record


@pytest.mark.parametrize(
    ("variable", "choices", "asked"),
    [
        (None, (None, None), False),
        (None, (None, True), True),
        (None, (False, True), False),
        (None, (None, ["beta"]), ("beta",)),
        (None, ("beta",), ("beta",)),
        ("1", (False,), True),
        ("0", (True,), False),
        ("", (True,), True),
        ("beta", (False,), ("beta",)),
        (" beta , gamma ,", (), ("beta", "gamma")),
        ("beta[x=1,y=2],gamma", (), ("beta[x=1,y=2]", "gamma")),
    ],
)
def test_variable_beats_the_first_choice_that_was_made(variable, choices, asked):
    assert asked_for({} if variable is None else {"EZPYP_REVISE": variable}, *choices) == asked


RECORDS = [
    record("alpha[x=1]"),
    record("alpha[x=2]"),
    record("beta", edges=[(0, "x")]),
    record("gamma", edges=[(2, "depends_on[]")]),
    record("other"),
]


@pytest.mark.parametrize(
    ("revise", "allowed"),
    [
        (True, {0, 1, 2, 3, 4}),
        (False, set()),
        ((), set()),
        (("beta",), {2, 3}),
        (("alpha",), {0, 1, 2, 3}),
        (("alpha[x=2]",), {1}),
        (("al*[x=2]",), {1}),
        (("gamma", "other"), {3, 4}),
    ],
)
def test_named_steps_and_what_depends_on_them_may_change(revise, allowed):
    assert allowed_changes(revise, RECORDS) == allowed


def test_name_of_no_step_is_refused():
    with pytest.raises(UnknownStepError, match="revise names 'delta', but there is no such step"):
        allowed_changes(("beta", "delta"), RECORDS)
