"""Frozen programs: keys, phases, edges, input keys."""

import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezpyp.errors import DeclarationError
from ezpyp.steps import PlaceHolder

from .programs import Study


def key_of(declare, versions=None):
    """The key of the step that a function declares in a fresh study."""
    study = Study()
    study.versions = versions or {}
    step = declare(study)
    study.freeze()
    return step.key


def sources(study, count=3):
    return list(study.function("alpha").map(range(count)))


def test_key_is_sixteen_bytes_of_hex():
    key = key_of(lambda study: study.function("alpha")(1))
    assert len(bytes.fromhex(key)) == 16


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (lambda f: f(1), lambda f: f(2)),
        (lambda f: f(1), lambda f: f(1.0)),
        (lambda f: f(1), lambda f: f(True)),
        (lambda f: f([1]), lambda f: f((1,))),
        (lambda f: f(1, 2), lambda f: f(2, 1)),
        (lambda f: f(1, 0, 2), lambda f: f(1, 0, 2, 3)),
    ],
)
def test_different_arguments_give_different_keys(first, second):
    assert key_of(lambda s: first(s.function("alpha"))) != key_of(lambda s: second(s.function("alpha")))


def test_code_counts_in_the_key_and_in_the_keys_of_what_needs_it():
    for build in (lambda s: s.function("alpha")(1), lambda s: s.function("beta")(s.function("alpha")(1))):
        assert key_of(build, {"alpha": 1}) != key_of(build, {"alpha": 2})


def test_step_and_bare_placeholder_give_one_key_and_a_part_another():
    def user(wrap):
        return key_of(lambda study: study.function("beta")(wrap(sources(study)[0])))

    assert user(lambda step: step) == user(PlaceHolder)
    assert len({user(wrap) for wrap in (PlaceHolder, lambda s: s[0], lambda s: s[1], lambda s: s["0"])}) == 4
    assert user(lambda step: step[0][1]) != user(lambda step: step[1][0])


def test_part_is_picked_by_type_and_value():
    picks = [0, 0.0, False, "0", None, (0,), slice(0), slice(0, None)]
    keys = {key_of(lambda study, pick=pick: study.function("beta")(sources(study)[0][pick])) for pick in picks}
    assert len(keys) == len(picks)


def test_upstreams_count_by_their_order_in_a_list():
    def user(order):
        return key_of(lambda study: study.function("beta")([sources(study)[n] for n in order]))

    assert len({user(order) for order in [(0, 1), (1, 0), (0,), (0, 1, 0), (0, 0, 1)]}) == 5


def test_members_of_a_set_have_no_order():
    def user(order, pick):
        return key_of(lambda study: study.function("beta")({pick(sources(study)[n]) for n in order}))

    for pick in (lambda step: step, lambda step: step["a"]):
        assert len({user(order, pick) for order in itertools.permutations(range(3))}) == 1
    assert user((0, 1), lambda step: step) != user((0, 2), lambda step: step)
    assert user((0, 1), lambda step: step) != user((0, 1), lambda step: step["a"])


def test_part_picked_inside_a_set_stays_with_its_step():
    def user(first, second):
        def declare(study):
            steps = sources(study)
            return study.function("beta")({steps[0][first], steps[1][second]})

        return key_of(declare)

    assert user("a", "b") != user("b", "a")


def test_two_sets_do_not_run_together():
    def user(first, second):
        def declare(study):
            steps = sources(study)
            return study.function("beta")({steps[n] for n in first}, {steps[n] for n in second})

        return key_of(declare)

    assert len({user({0, 1}, {2}), user({0}, {1, 2}), user({2}, {0, 1})}) == 3


def test_depends_on_counts_without_order():
    def user(order):
        return key_of(lambda s: s.function("beta", depends_on=[sources(s)[n] for n in order])(1))

    assert user([0, 1]) == user([1, 0]) == user([1, 1, 0])
    assert len({user([]), user([0]), user([0, 1])}) == 3


def test_lists_that_mean_the_same_after_reduction_give_one_key():
    def user(pick):
        def declare(study):
            low = study.function("low")(1)
            high = study.function("high", depends_on=[low])(1)
            return study.function("beta", depends_on=pick(low, high))(1)

        return key_of(declare)

    assert user(lambda low, high: [high]) == user(lambda low, high: [low, high])
    assert user(lambda low, high: [high]) != user(lambda low, high: [low])


def test_depends_on_what_is_an_argument_anyway_adds_nothing():
    def user(is_named):
        def declare(study):
            low = study.function("low")(1)
            return study.function("beta", depends_on=[low] if is_named else [])(low)

        return key_of(declare)

    assert user(True) == user(False)


def test_phase_is_the_longest_chain_below():
    study = Study()
    a = study.function("a")(1)
    b = study.function("b")(a)
    c = study.function("c", depends_on=[b])(a)
    d = study.function("d")([a, {"c": c}])
    study.freeze()
    assert [step.phase for step in (a, b, c, d)] == [0, 1, 2, 3]


def test_edges_by_position():
    study = Study()
    a, b = study.function("a")(1), study.function("b")(2)
    study.function("c", depends_on=[a, b])([b, b])
    program = study.freeze()
    assert (program.values[2], program.orders[2], program.declared[2]) == ((1, 1), (0,), (0, 1))
    assert program.upstreams(2) == (1, 1, 0)
    assert program.consumed() == {1}


def test_step_that_depends_on_a_dropped_one_is_refused():
    study = Study()
    old = study.function("alpha")(1)
    user = study.function("beta")(old)
    with pytest.raises(DeclarationError, match=r"'beta' depends on .*alpha.* defined anew since"):
        study.freeze([user])


def test_programs_that_promise_the_same_have_one_digest():
    def digest(values):
        study = Study()
        study.function("alpha").map(values)
        return study.freeze().digest

    assert digest([1, 2]) == digest([1, 2])
    assert len({digest([1, 2]), digest([2, 1]), digest([1]), digest([])}) == 4


def input_key(value_of, *, options=None, wrap=lambda step: step, versions=None):
    study = Study()
    study.versions = versions or {}
    upstream = study.function("alpha")(1)
    ordered = study.function("side")(1)
    study.function("beta", depends_on=[ordered], **(options or {}))(wrap(upstream), 5)
    program = study.freeze()
    return program.input_key(2, lambda position: value_of.encode().ljust(16))


def test_input_key_goes_by_what_upstreams_gave():
    assert input_key("nine") == input_key("nine")
    assert input_key("nine") != input_key("eight")
    assert input_key("nine") == input_key("nine", versions={"alpha": 7})


def test_input_key_holds_code_arguments_picks_and_the_keys_of_depends_on():
    different = [
        input_key("nine"),
        input_key("nine", versions={"beta": 7}),
        input_key("nine", wrap=lambda step: step[0]),
        input_key("nine", wrap=lambda step: [step]),
        input_key("nine", versions={"side": 7}),
    ]
    assert len(set(different)) == len(different)


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


def test_digest_of_a_program_holds_its_names_each_by_itself():
    study = Study()
    study.function("alpha").map([1, 2])
    program = study.freeze()
    named = [("ab", "c"), ("a", "bc"), ("c", "ab")]
    assert len({replace(program, names=names).digest for names in named}) == 3
