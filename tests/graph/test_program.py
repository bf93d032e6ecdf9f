"""Frozen programs: keys, phases, edges, input keys."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezpyp.errors import DeclarationError
from ezpyp.steps import PlaceHolder

from .programs import Study


def key_of(declare, **versions):
    """The key of the step that a function declares in a fresh study."""
    study = Study()
    study.versions = versions
    step = declare(study)
    study.freeze()
    return step.key


def user(*values, depends_on=()):
    """The key of a step of ``beta``: each value, and ``depends_on``, is made of the three steps of ``alpha``."""

    def declare(study):
        steps = list(study.function("alpha").map(range(3)))
        beta = study.function("beta", depends_on=[steps[n] for n in depends_on])
        return beta(*(value(steps) for value in values))

    return key_of(declare)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ((1,), (2,)),
        ((1,), (1.0,)),
        ((1,), (True,)),
        (([1],), ((1,),)),
        ((1, 2), (2, 1)),
        ((1, 0, 2), (1, 0, 2, 3)),
    ],
)
def test_different_arguments_give_different_keys(first, second):
    keys = [key_of(lambda study, given=given: study.function("alpha")(*given)) for given in (first, second)]
    assert keys[0] != keys[1]
    assert all(len(bytes.fromhex(key)) == 16 for key in keys)


def test_code_counts_in_the_key_and_in_the_keys_of_what_needs_it():
    for build in (lambda s: s.function("alpha")(1), lambda s: s.function("beta")(s.function("alpha")(1))):
        assert key_of(build, alpha=1) != key_of(build, alpha=2)


def test_step_and_bare_placeholder_give_one_key_and_each_part_another():
    assert user(lambda steps: steps[0]) == user(lambda steps: PlaceHolder(steps[0]))
    assert user(lambda steps: steps[0][0][1]) != user(lambda steps: steps[0][1][0])
    picks = [0, 1, 0.0, False, "0", None, (0,), slice(0), slice(0, None)]
    keys = {user(lambda steps, pick=pick: steps[0][pick]) for pick in picks} | {user(lambda steps: steps[0])}
    assert len(keys) == len(picks) + 1


def test_upstreams_count_by_their_order_in_a_list():
    orders = [(0, 1), (1, 0), (0,), (0, 1, 0), (0, 0, 1)]
    assert len({user(lambda steps, order=order: [steps[n] for n in order]) for order in orders}) == 5


@pytest.mark.parametrize("pick", [lambda step: step, lambda step: step["a"]])
def test_members_of_a_set_have_no_order(pick):
    orders = itertools.permutations(range(3))
    assert len({user(lambda steps, order=order: {pick(steps[n]) for n in order}) for order in orders}) == 1


def test_sets_are_told_apart_by_their_members_and_what_is_picked_of_each():
    keys = [
        user(lambda steps: {steps[0], steps[1]}),
        user(lambda steps: {steps[0], steps[2]}),
        user(lambda steps: {steps[0]["a"], steps[1]["a"]}),
        user(lambda steps: {steps[0]["a"], steps[1]["b"]}),
        user(lambda steps: {steps[0]["b"], steps[1]["a"]}),
        user(lambda steps: {steps[0], steps[1]}, lambda steps: {steps[2]}),
        user(lambda steps: {steps[0]}, lambda steps: {steps[1], steps[2]}),
        user(lambda steps: {steps[2]}, lambda steps: {steps[0], steps[1]}),
    ]
    assert len(set(keys)) == len(keys)


def test_depends_on_counts_without_order_and_not_for_what_is_an_argument_anyway():
    one = [user(lambda steps: 1, depends_on=order) for order in ([0, 1], [1, 0], [1, 1, 0])]
    assert len(set(one)) == 1
    assert len({user(lambda steps: 1, depends_on=order) for order in ([], [0], [0, 1])}) == 3
    assert user(lambda steps: steps[0], depends_on=[0]) == user(lambda steps: steps[0])


def test_lists_that_mean_the_same_after_reduction_give_one_key():
    def reduced_to(*names):
        def declare(study):
            low = study.function("low")(1)
            steps = {"low": low, "high": study.function("high", depends_on=[low])(1)}
            return study.function("beta", depends_on=[steps[name] for name in names])(1)

        return key_of(declare)

    assert reduced_to("high") == reduced_to("low", "high") != reduced_to("low")


def test_edges_and_phases_by_position():
    study = Study()
    a, b = study.function("a")(1), study.function("b")(2)
    c = study.function("c", depends_on=[a, b])([b, b])
    d = study.function("d")([a, {"c": c}])
    program = study.freeze()
    assert (program.values[2], program.orders[2], program.declared[2]) == ((1, 1), (0,), (0, 1))
    assert program.upstreams(2) == (1, 1, 0)
    assert program.consumed() == {0, 1, 2}
    assert [step.phase for step in (a, b, c, d)] == [0, 0, 1, 2]


@given(st.lists(st.lists(st.integers(0, 30), max_size=3), min_size=1, max_size=8))
def test_phases_are_the_longest_paths_found_by_walking_them_all(wanted):
    study = Study()
    steps = []
    for position, below in enumerate(wanted):
        upstreams = [steps[n % position] for n in below] if position else []
        steps.append(study.function(f"f{position}")(upstreams, position))

    def longest(step):
        return max((1 + longest(slot.step) for slot in step.slots), default=0)

    assert list(study.freeze().phases) == [longest(step) for step in steps]


def test_step_that_depends_on_a_dropped_one_is_refused():
    study = Study()
    needing = study.function("beta")(study.function("alpha")(1))
    with pytest.raises(DeclarationError, match=r"'beta' depends on .*alpha.* defined anew since"):
        study.freeze([needing])


def test_digest_of_a_program_holds_keys_and_names_in_order_each_by_itself():
    def program(*values):
        study = Study()
        study.function("alpha").map(values)
        return study.freeze()

    assert program(1, 2).digest == program(1, 2).digest
    assert len({program(*values).digest for values in ((1, 2), (2, 1), (1,), ())}) == 4
    named = [("ab", "c"), ("a", "bc"), ("c", "ab")]
    assert len({replace(program(1, 2), names=names).digest for names in named}) == 3


def input_key(value, wrap=lambda step: step, **versions):
    study = Study()
    study.versions = versions
    upstream, ordered = study.function("alpha")(1), study.function("side")(1)
    study.function("beta", depends_on=[ordered])(wrap(upstream), 5)
    return study.freeze().input_key(2, lambda position: value.encode().ljust(16))


def test_input_key_holds_what_upstreams_gave_code_arguments_picks_and_the_keys_of_depends_on():
    assert input_key("nine") == input_key("nine", alpha=7)
    different = [
        input_key("nine"),
        input_key("eight"),
        input_key("nine", beta=7),
        input_key("nine", lambda step: step[0]),
        input_key("nine", lambda step: [step]),
        input_key("nine", side=7),
    ]
    assert len(set(different)) == len(different)
