"""Which step a name means: exactly, with PARAM=VALUE, as a glob with literal brackets, as a prefix."""

import pytest

from ezpyp.errors import UnknownStepError
from ezpyp.graph.lookup import find_names, glob_names, params_in_name

SWEEP = {f"alpha[x={x}]": None for x in range(3)}
NAMES = {
    **SWEEP,
    "beta": None,
    "fit[model=ridge,seed=0]": None,
    "fit[model=lasso,seed=0]": None,
    "fit2": None,
}


class Untouchable(dict[str, None]):
    """A collection that may be asked for membership only."""

    def __iter__(self):
        raise AssertionError("an exact hit must not walk the names")


@pytest.mark.parametrize(
    ("wanted", "params", "found"),
    [
        ("beta", {}, "beta"),
        ("alpha[x=1]", {}, "alpha[x=1]"),
        ("alpha", {"x": "1"}, "alpha[x=1]"),
        ("alpha", {"x": "1.0"}, "alpha[x=1]"),
        ("fit", {"model": "'ridge'"}, "fit[model=ridge,seed=0]"),
        ("fit", {"seed": "0", "model": "lasso"}, "fit[model=lasso,seed=0]"),
        ("*[x=2]", {}, "alpha[x=2]"),
        ("f?t2", {}, "fit2"),
        ("be", {}, "beta"),
        ("alpha[x=2", {}, "alpha[x=2]"),
        ("al*", {"x": "0"}, "alpha[x=0]"),
    ],
)
def test_a_name_is_found(wanted, params, found):
    assert find_names(wanted, NAMES, params) == found


def test_exact_hits_do_not_walk_the_names():
    assert find_names("beta", Untouchable(NAMES)) == "beta"
    assert find_names("alpha", Untouchable(NAMES), {"x": "2"}) == "alpha[x=2]"


def test_a_function_is_meant_before_a_longer_name_with_the_same_start():
    assert find_names("fit", ["fit[x=1]", "fitter"]) == "fit[x=1]"


def test_exact_name_wins_over_its_sweep():
    assert find_names("alpha", ["alpha", "alpha[x=1]"]) == "alpha"


def test_recorded_parameters_decide_where_the_name_has_none():
    params = {"run[3fe1]": {"x": "3", "model": "'a'"}, "run[77aa]": {"x": "4", "model": "'a'"}}

    assert find_names("run", params, {"x": "4"}, params.__getitem__) == "run[77aa]"


def test_the_value_letter_by_letter_wins_over_an_equal_number():
    assert find_names("f", ["f[x=3]", "f[x=3.0,y=1]"], {"x": "3.0"}) == "f[x=3.0,y=1]"


HANDED_DOWN = {
    "slow[x=0,s=300.0]": {"y": "TMP for quick[x=0]", "s": "300.0"},
    "slow[x=1,s=300.0]": {"y": "TMP for quick[x=1]", "s": "300.0"},
    "slow[x=2,s=7.5]": {"y": "TMP for quick[x=2]", "s": "7.5"},
    "slow[81c77fa7fb709a1b]": {"y": "TMP for quick[x=4,w=[1]]['mean']", "s": "7.5"},
    "slow[5d1f0a7e6c3b2a19]": {"y": "TMP for quick[w=(5,6)]", "s": "7.5"},
}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"x": "0"}, "slow[x=0,s=300.0]"),
        ({"x": "0", "s": "300"}, "slow[x=0,s=300.0]"),
        ({"s": "300.0", "x": "1"}, "slow[x=1,s=300.0]"),
        ({"s": "3e2", "x": "1.0"}, "slow[x=1,s=300.0]"),
        ({"y": "TMP for quick[x=1]"}, "slow[x=1,s=300.0]"),
        ({"x": "2"}, "slow[x=2,s=7.5]"),
        ({"x": "4"}, "slow[81c77fa7fb709a1b]"),
        ({"w": "[1]"}, "slow[81c77fa7fb709a1b]"),
        ({"w": "(5, 6)"}, "slow[5d1f0a7e6c3b2a19]"),
        ({"w": "(5,6)"}, "slow[5d1f0a7e6c3b2a19]"),
    ],
)
def test_what_came_down_from_an_upstream_finds_a_step_too(given, found):
    assert find_names("slow", HANDED_DOWN, given, HANDED_DOWN.__getitem__) == found


def test_a_parameter_of_its_own_goes_before_one_of_an_upstream():
    params = {"fit[x=1]": {"x": "1"}, "fit[0000]": {"data": "TMP for load[x=1]", "x": "2"}}

    assert find_names("fit", params, {"x": "1"}, params.__getitem__) == "fit[x=1]"


def test_what_is_given_must_all_fit():
    with pytest.raises(UnknownStepError, match=r"there is no step 'slow\[x=0,s=7.5\]'; 'slow' has 5"):
        find_names("slow", HANDED_DOWN, {"x": "0", "s": "7.5"}, HANDED_DOWN.__getitem__)


def test_several_candidates_are_ten_and_the_count():
    names = [f"alpha[x={x}]" for x in range(25)]

    with pytest.raises(UnknownStepError, match=r"'alpha' fits 25 steps: alpha\[x=0\], .* and 15 more") as caught:
        find_names("alpha", names)
    assert caught.value.candidates == tuple(names[:10])
    assert caught.value.name == "alpha"


@pytest.mark.parametrize(
    ("wanted", "params", "message"),
    [
        ("btea", {}, r"no step 'btea'; did you mean 'beta'\?"),
        ("alpha[x=11]", {}, r"did you mean 'alpha\[x=1\]'"),
        (
            "alpha",
            {"x": "9"},
            r"no step 'alpha\[x=9\]'; 'alpha' has 3: alpha\[x=0\], alpha\[x=1\], alpha\[x=2\]",
        ),
        ("zzz", {}, r"no step 'zzz'; there are alpha, beta, fit, fit2"),
    ],
)
def test_a_miss_says_what_there_is(wanted, params, message):
    with pytest.raises(UnknownStepError, match=message):
        find_names(wanted, NAMES, params)


def test_no_steps_at_all_is_said():
    with pytest.raises(UnknownStepError, match="no steps at all"):
        find_names("alpha", [])


def test_brackets_are_literal_in_globs():
    assert glob_names("*[x=1]", [*NAMES, "x", "="]) == ["alpha[x=1]"]
    assert glob_names("*\n*", ["a\nb", "ab"]) == ["a\nb"]


def test_values_may_hold_commas():
    assert params_in_name("f[a=(1, 2),b={'k': [3, 4]},c=x]") == {
        "a": "(1, 2)",
        "b": "{'k': [3, 4]}",
        "c": "x",
    }
