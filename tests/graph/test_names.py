"""Names of steps, and the labels in their brackets."""

import functools
import re

import numpy as np
import pytest

from ezpyp.errors import DuplicateNameError

from .programs import Study


def names(study):
    return list(study.freeze().names)


def sweep(values, **more):
    """The names of a sweep over values of ``x``."""
    study = Study()
    study.function("alpha", **more.pop("options", {})).map(values, **more)
    return names(study)


def test_only_a_bare_call_made_once_has_the_functions_name():
    study = Study()
    alpha = study.function("alpha")
    first = alpha(3)
    assert names(study) == ["alpha"]
    alpha(1), alpha(2)
    # A name that was settled stays.
    assert names(study) == [first.name, "alpha[x=1]", "alpha[x=2]"] == ["alpha", "alpha[x=1]", "alpha[x=2]"]
    assert sweep([1]) == ["alpha[x=1]"]


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (1, "x=1"),
        (-0.5, "x=-0.5"),
        (True, "x=True"),
        ("ridge", "x=ridge"),
        ("a/b.csv", "x=a/b.csv"),
        ([1, 2.5], "x=[1,2.5]"),
        ((1, 2), "x=(1,2)"),
        (1e300, "x=1e+300"),
        (np.float64(0.1), "x=0.1"),
        (np.int32(3), "x=3"),
        ((), ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_label_of_a_short_value(value, label):
    assert sweep([value], y=[1]) == [f"alpha[{label},y=1]" if label else "alpha[y=1]"]


@pytest.mark.parametrize(
    "value", ["two words", "", "x" * 33, "a,b", "a=b", "[", b"bytes", [1] * 30, {"a": 1}, [[1]], {1}, 1j, list]
)
def test_value_without_a_short_text_gives_sixteen_hex(value):
    assert re.fullmatch(r"alpha\[[0-9a-f]{16}\]", *sweep([value]))


def test_label_too_long_becomes_a_digest():
    study = Study()
    study.function("alpha", lambda first_parameter, second_parameter, third_parameter: 0).map(
        ["x" * 30], second_parameter=["y" * 30], third_parameter=["z" * 30]
    )
    assert re.fullmatch(r"alpha\[[0-9a-f]{16}\]", *names(study))


def test_parameters_that_are_ignored_or_have_their_default_of_its_type_are_left_out():
    assert sweep([1, 2], y=[0, 5]) == ["alpha[x=1]", "alpha[x=2,y=5]"]
    assert sweep([1, 1, 1], y=[0, 0.0, False]) == ["alpha[x=1]", "alpha[x=1,y=0.0]", "alpha[x=1,y=False]"]
    assert sweep([1], y=[5], options={"ignore": ["y"]}) == ["alpha[x=1]"]


def test_step_hands_its_label_down_and_a_bare_one_its_function():
    study = Study()
    simulate, analyse = study.function("simulate"), study.function("analyse")
    analyse.map([*simulate.map([1, 2]), study.function("beta")(1)])
    assert names(study)[-3:] == ["analyse[x=1]", "analyse[x=2]", "analyse[x=beta]"]


def test_labels_that_would_be_equal_become_digests_but_what_is_settled_stays():
    first, second, third = sweep(["1", 1, 2])
    assert third == "alpha[x=2]"
    assert first != second
    assert len(first) == len(second) == len("alpha[]") + 16

    study = Study()
    alpha = study.function("alpha")
    alpha.map([1])
    assert names(study) == ["alpha[x=1]"]
    alpha.map(["1"])
    earlier, later = names(study)
    assert earlier == "alpha[x=1]" != later


def test_edit_renames_nothing_not_even_digests():
    found = []
    for version in (1, 2):
        study = Study()
        study.versions = {"alpha": version}
        upstreams = study.function("alpha").map([{"a": 1}, {"a": 2}])
        study.function("beta").map([[upstreams[0]], [upstreams[1]]])
        found.append(study.freeze())
    assert found[0].names == found[1].names
    assert len(set(found[0].names)) == 4
    assert set(found[0].keys).isdisjoint(found[1].keys)


def test_value_inserted_in_the_middle_renames_nothing():
    before, after = [1, "a b", 3], [1, 2, "a b", "c d", 3]
    small, large = (dict(zip(map(repr, values), sweep(values), strict=True)) for values in (before, after))
    assert small.items() <= large.items()


def test_set_of_steps_has_one_name_in_any_order():
    def name(order):
        study = Study()
        study.function("beta").map([set(map(study.function("alpha"), order))])
        return names(study)[-1]

    assert name([1, 2, 3]) == name([3, 1, 2])


def test_same_call_made_twice_is_one_step_with_one_name():
    study = Study()
    alpha = study.function("alpha")
    first, second, other = alpha(1), alpha(1), alpha(2)
    program = study.freeze()
    assert program.names == ("alpha[x=1]", "alpha[x=2]")
    assert program.merged == {"alpha": 2}
    assert (second.name, second.key, second.twin) == (first.name, first.key, first)
    assert other.twin is None


def test_steps_that_differ_in_no_argument_are_refused_with_both_places():
    study = Study()

    def closing(n):
        return lambda x=None: n

    for n in (1, 2):
        study.function("alpha", closing(n))()
    prefixes = iter([b"one", b"two"])
    study._prefix = lambda function, identity: next(prefixes)
    with pytest.raises(DuplicateNameError, match=r"both be called 'alpha.*test_names\.py:\d+ and .*test_names\.py"):
        study.freeze()


def test_chain_longer_than_the_recursion_limit_gets_names():
    study = Study()
    alpha = study.function("alpha")
    last = functools.reduce(lambda below, _: alpha([below]), range(1_200), alpha([0]))
    assert len(set(names(study))) == 1_201
    assert last.phase == 1_200
