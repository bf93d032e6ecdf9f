"""Which step a name means: exactly, with PARAM=VALUE, as a glob with literal brackets, as a prefix."""

import pytest

from ezpyp.errors import UnknownStepError
from ezpyp.graph.lookup import find_names, glob_names

NAMES = dict.fromkeys([
    *(f"alpha[x={x}]" for x in range(3)),
    "beta", "fit[model=ridge,seed=0]", "fit[model=lasso,seed=0]", "fit2", "exact", "exact[x=1]",
    "f[a=(1, 2),b={'k': [3, 4]}]", "number[x=3]", "number[x=3.0,y=1]",
])  # fmt: skip


class Untouchable(dict[str, None]):
    """A collection that may be asked for membership only."""

    def __iter__(self):
        raise AssertionError("an exact hit must not walk the names")


@pytest.mark.parametrize(
    ("wanted", "params", "found"),
    [
        ("beta", {}, "beta"),
        ("alpha[x=1]", {}, "alpha[x=1]"),
        ("exact", {}, "exact"),
        ("alpha", {"x": "1"}, "alpha[x=1]"),
        ("alpha", {"x": "1.0"}, "alpha[x=1]"),
        ("number", {"x": "3.0"}, "number[x=3.0,y=1]"),
        ("fit", {"model": "'ridge'"}, "fit[model=ridge,seed=0]"),
        ("fit", {"seed": "0", "model": "lasso"}, "fit[model=lasso,seed=0]"),
        ("f", {"b": "{'k': [3, 4]}"}, "f[a=(1, 2),b={'k': [3, 4]}]"),
        ("f", {"a": "(1, 2)"}, "f[a=(1, 2),b={'k': [3, 4]}]"),
        ("*[x=2]", {}, "alpha[x=2]"),
        ("f?t2", {}, "fit2"),
        ("be", {}, "beta"),
        ("f[", {}, "f[a=(1, 2),b={'k': [3, 4]}]"),
        ("alpha[x=2", {}, "alpha[x=2]"),
        ("al*", {"x": "0"}, "alpha[x=0]"),
    ],
)
def test_a_name_is_found(wanted, params, found):
    assert find_names(wanted, NAMES, params) == found


def test_exact_hits_do_not_walk_the_names():
    assert find_names("beta", Untouchable(NAMES)) == "beta"
    assert find_names("alpha", Untouchable(NAMES), {"x": "2"}) == "alpha[x=2]"


HANDED_DOWN = {
    "slow[x=0,s=300.0]": {"y": "TMP for quick[x=0]", "s": "300.0"},
    "slow[x=1,s=300.0]": {"y": "TMP for quick[x=1]", "s": "300.0"},
    "slow[81c77fa7fb709a1b]": {"y": "TMP for quick[x=4,w=[1]]['mean']", "s": "7.5"},
    "slow[5d1f0a7e6c3b2a19]": {"y": "TMP for quick[w=(5,6)]", "s": "2"},
    "slow[77aa0a7e6c3b2a19]": {"y": "3", "w": "[1]", "s": "'a'"},
}


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ({"x": "0", "s": "300"}, "slow[x=0,s=300.0]"),
        ({"s": "3e2", "x": "1.0"}, "slow[x=1,s=300.0]"),
        ({"y": "TMP for quick[x=1]"}, "slow[x=1,s=300.0]"),
        ({"x": "4"}, "slow[81c77fa7fb709a1b]"),
        ({"w": "(5, 6)"}, "slow[5d1f0a7e6c3b2a19]"),
        ({"s": "a"}, "slow[77aa0a7e6c3b2a19]"),
        # A parameter of its own goes before one of an upstream.
        ({"w": "[1]"}, "slow[77aa0a7e6c3b2a19]"),
    ],
)
def test_recorded_parameters_find_a_step_and_those_of_its_upstreams(given, found):
    assert find_names("slow", HANDED_DOWN, given, HANDED_DOWN.__getitem__) == found


@pytest.mark.parametrize(
    ("wanted", "params", "message"),
    [
        ("btea", {}, r"no step 'btea'; did you mean 'beta'\?"),
        ("alpha[x=11]", {}, r"did you mean 'alpha\[x=1\]'"),
        ("alpha", {"x": "9"}, r"no step 'alpha\[x=9\]'; 'alpha' has 3: alpha\[x=0\], alpha\[x=1\], alpha\[x=2\]"),
        ("fit", {"model": "ridge", "seed": "1"}, r"no step 'fit\[model=ridge,seed=1\]'; 'fit' has 2"),
        ("zzz", {}, r"no step 'zzz'; there are alpha, beta, exact, f, fit, fit2"),
    ],
)
def test_a_miss_says_what_there_is(wanted, params, message):
    with pytest.raises(UnknownStepError, match=message):
        find_names(wanted, NAMES, params)


def test_no_steps_at_all_is_said():
    with pytest.raises(UnknownStepError, match="no steps at all"):
        find_names("alpha", [])


def test_several_candidates_are_ten_and_the_count():
    names = [f"alpha[x={x}]" for x in range(25)]

    with pytest.raises(UnknownStepError, match=r"'alpha' fits 25 steps: alpha\[x=0\], .* and 15 more") as caught:
        find_names("alpha", names)
    assert (caught.value.name, caught.value.candidates) == ("alpha", tuple(names[:10]))


def test_brackets_are_literal_in_globs():
    assert glob_names("*[x=1]", ["alpha[x=1]", "beta[x=1,y=2]", "x", "="]) == ["alpha[x=1]"]
    assert glob_names("*\n*", ["a\nb", "ab"]) == ["a\nb"]
