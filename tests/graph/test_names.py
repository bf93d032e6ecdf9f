"""Names of steps, and the labels in their brackets."""

import functools

import pytest

from ezpyp.errors import DuplicateNameError

from .programs import Study


def names(study):
    return list(study.freeze().names)


def test_bare_call_made_once_has_the_functions_name():
    study = Study()
    study.function("alpha")(3)
    assert names(study) == ["alpha"]


def test_function_called_twice_gets_brackets():
    study = Study()
    alpha = study.function("alpha")
    alpha(1), alpha(2)
    assert names(study) == ["alpha[x=1]", "alpha[x=2]"]


def test_sweep_of_one_gets_brackets():
    study = Study()
    study.function("alpha").map([1])
    assert names(study) == ["alpha[x=1]"]


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
        ((), None),
        ({}, None),
    ],
)
def test_label_of_a_short_value(value, label):
    study = Study()
    study.function("alpha").map([value], y=[1])
    assert names(study) == [f"alpha[{label},y=1]" if label else "alpha[y=1]"]


@pytest.mark.parametrize(
    "value", ["two words", "", "x" * 33, "a,b", "a=b", "[", b"bytes", [1] * 30, {"a": 1}, [[1]], {1}, 1j, list]
)
def test_value_without_a_short_text_gives_sixteen_hex(value):
    study = Study()
    study.function("alpha").map([value])
    assert len(found := names(study)[0]) == len("alpha[]") + 16
    assert int(found[6:-1], 16) >= 0


def test_parameters_at_their_defaults_are_left_out():
    study = Study()
    study.function("alpha").map([1, 2], y=[0, 5])
    assert names(study) == ["alpha[x=1]", "alpha[x=2,y=5]"]


def test_default_of_another_type_is_named():
    study = Study()
    study.function("alpha").map([1, 1, 1], y=[0, 0.0, False])
    assert names(study) == ["alpha[x=1]", "alpha[x=1,y=0.0]", "alpha[x=1,y=False]"]


def test_numpy_scalars_are_written_as_plain_numbers():
    import numpy as np

    study = Study()
    study.function("alpha").map([np.float64(0.1), np.int32(3)])
    assert names(study) == ["alpha[x=0.1]", "alpha[x=3]"]


def test_ignored_parameters_are_not_named():
    study = Study()
    study.function("alpha", ignore=["y"]).map([1], y=[5])
    assert names(study) == ["alpha[x=1]"]


def test_step_hands_its_label_down():
    study = Study()
    simulate, analyse = study.function("simulate"), study.function("analyse")
    analyse.map(simulate.map([1, 2]))
    assert names(study)[2:] == ["analyse[x=1]", "analyse[x=2]"]


def test_bare_step_is_named_by_its_function():
    study = Study()
    analyse = study.function("analyse")
    analyse.map([study.function("alpha")(1), study.function("beta")(1)])
    assert names(study)[2:] == ["analyse[x=alpha]", "analyse[x=beta]"]


def test_labels_that_would_be_equal_become_digests():
    study = Study()
    study.function("alpha").map(["1", 1, 2])
    first, second, third = names(study)
    assert third == "alpha[x=2]"
    assert first != second
    assert len(first) == len(second) == len("alpha[]") + 16


def test_label_too_long_becomes_a_digest():
    study = Study()
    study.function("alpha", lambda first_parameter, second_parameter, third_parameter: 0).map(
        ["x" * 30], second_parameter=["y" * 30], third_parameter=["z" * 30]
    )
    assert len(names(study)[0]) == len("alpha[]") + 16


def test_edit_renames_nothing_not_even_digests():
    found = []
    for version in (1, 2):
        study = Study()
        study.versions = {"alpha": version}
        alpha = study.function("alpha")
        upstreams = alpha.map([{"a": 1}, {"a": 2}])
        study.function("beta").map([[upstreams[0]], [upstreams[1]]])
        found.append(study.freeze())
    assert found[0].names == found[1].names
    assert set(found[0].keys).isdisjoint(found[1].keys)


def test_value_inserted_in_the_middle_renames_nothing():
    def sweep(values):
        study = Study()
        study.function("alpha").map(values)
        return dict(zip(map(repr, values), names(study), strict=True))

    small, large = sweep([1, "a b", 3]), sweep([1, 2, "a b", "c d", 3])
    assert small.items() <= large.items()


def test_digest_names_depend_on_upstreams_by_name():
    study = Study()
    alpha, beta = study.function("alpha"), study.function("beta")
    first, second = alpha(1), alpha(2)
    beta([first, 0]), beta([second, 0])
    found = names(study)[2:]
    assert len(set(found)) == 2


def test_set_of_steps_has_one_name_in_any_order():
    def name(order):
        study = Study()
        alpha = study.function("alpha")
        steps = [alpha(n) for n in order]
        study.function("beta").map([set(steps)])
        return names(study)[-1]

    assert name([1, 2, 3]) == name([3, 1, 2])


def test_settled_name_stays_when_the_function_is_called_again():
    study = Study()
    alpha = study.function("alpha")
    first = alpha(1)
    assert names(study) == ["alpha"]
    alpha(2), alpha(3)
    assert names(study) == ["alpha", "alpha[x=2]", "alpha[x=3]"]
    assert first.name == "alpha"


def test_name_that_an_older_step_has_already_is_not_given_again():
    study = Study()
    alpha = study.function("alpha")
    alpha.map([1])
    assert names(study) == ["alpha[x=1]"]
    alpha.map(["1"])
    first, second = names(study)
    assert first == "alpha[x=1]"
    assert first != second


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

    def make(n):
        def closing(x=None, y=0):
            return n

        return closing

    for n in (1, 2):
        study.function("alpha", make(n))()
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
