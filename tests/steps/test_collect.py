"""Steps found among arguments, and results put in their place."""

import dataclasses
from collections import OrderedDict, defaultdict, deque, namedtuple
from typing import Any

import pytest

from ezpyp.describe import Hole
from ezpyp.errors import DeclarationError
from ezpyp.steps import PlaceHolder, Sweep
from ezpyp.steps.arguments import collect, fill, located, skeleton

from .tools import steps

Pair = namedtuple("Pair", "left right")


@dataclasses.dataclass
class Box:
    content: Any
    label: str = "box"


@dataclasses.dataclass(frozen=True, slots=True)
class Sealed:
    content: Any


class Stack(list):
    """A list of the user's own."""


def filled(*values: object) -> tuple[object, ...]:
    """The values with ``result 0``, ``result 1``, ... in place of their steps."""
    collected, slots = collect(values)
    return fill(collected, slots, [f"result {slot.step.values[0]}" for slot in slots])


A, B, C = steps(3)
LEFT, RIGHT = "result 0", "result 1"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (A, LEFT),
        (PlaceHolder(A), LEFT),
        ([1, A, B], [1, LEFT, RIGHT]),
        ((A, 1), (LEFT, 1)),
        ({"a": A, "b": [B]}, {"a": LEFT, "b": [RIGHT]}),
        ({A: B, 1: 2}, {LEFT: RIGHT, 1: 2}),
        ({A, B, 1}, {LEFT, RIGHT, 1}),
        (frozenset({A}), frozenset({LEFT})),
        (deque([A, 1], maxlen=3), deque([LEFT, 1], maxlen=3)),
        (Pair(A, (B,)), Pair(LEFT, (RIGHT,))),
        (Box(A), Box(LEFT)),
        (Sealed([A]), Sealed([LEFT])),
        (OrderedDict(b=A, a=1), OrderedDict(b=LEFT, a=1)),
        (Stack([A]), Stack([LEFT])),
        (Sweep([A, B]), [LEFT, RIGHT]),
        ([Sweep([A]), B], [[LEFT], RIGHT]),
        ([[[[A]]]], [[[[LEFT]]]]),
    ],
)
def test_results_take_the_place_of_steps_in_every_container(value, expected):
    (found,) = filled(value)
    assert found == expected
    assert type(found) is type(expected)


def test_containers_keep_what_they_are():
    found = filled(defaultdict(list, a=A), deque([A], maxlen=2))
    assert (found[0]["new"], found[1].maxlen) == ([], 2)


def test_values_without_steps_are_not_rebuilt():
    values = ([1, [2]], {"a": (3,)}, Box(4))
    collected, slots = collect(values)
    assert collected is values
    assert slots == ()


def test_step_gets_copies_of_what_the_user_holds():
    mine = {"list": [A, [1]], "box": Box(A)}
    collected, slots = collect((mine,))
    (first,), (second,) = fill(collected, slots, [LEFT] * 2), fill(collected, slots, [LEFT] * 2)
    first["list"][1].append(2)
    assert mine == {"list": [A, [1]], "box": Box(A)}
    assert second == {"list": [LEFT, [1]], "box": Box(LEFT)}


def test_results_themselves_are_handed_over_not_copied():
    result = [1]
    collected, slots = collect((A, [A]))
    bare, inside = fill(collected, slots, [result, result])
    assert bare is result
    assert inside[0] is result


@pytest.mark.parametrize("shared", [[1], [A], {"a": A}, Box(A)])
def test_what_two_arguments_share_stays_shared(shared):
    first, (second,) = filled(shared, [shared])
    assert first is second
    assert filled([A], [A])[0] is not filled([A], [A])[1]


@pytest.mark.parametrize("member", [1, A])
def test_list_that_holds_itself_ends(member):
    knot = [member]
    knot.append(knot)
    (found,) = filled(knot)
    assert found[1] is found
    assert found is not knot
    assert outline(knot) == outline(knot)
    assert located(collect((knot,))[0], ("x",)) == ["x[]"] * (member is A)


def test_dictionary_that_holds_itself_ends():
    knot = {"step": A}
    knot["self"] = knot
    (found,) = filled(knot)
    assert found["self"] is found
    assert found["step"] == LEFT


def test_dataclass_that_leads_back_to_itself_ends():
    box = Box([A])
    box.content.append(box)
    (found,) = filled(box)
    assert found.content == [LEFT, found]


def test_deep_nesting_without_a_step_needs_no_recursion():
    deep = []
    for _ in range(100_000):
        deep = [deep]
    values = (deep,)
    try:
        assert collect(values)[1] == ()
    finally:
        while deep:  # taken apart by hand: freeing it at once would recurse
            deep = deep.pop()


def test_a_step_that_is_nested_too_deep_is_a_clear_error():
    deep = [A]
    for _ in range(2_000):
        deep = [deep]
    with pytest.raises(DeclarationError, match="a step among the arguments is nested too deep"):
        collect((deep,))


def test_slots_say_what_is_picked_and_which_members_share_a_set():
    _, slots = collect((A["mean"][0], {B, C}, {C}))
    assert (slots[0].step, slots[0].path, slots[0].group) == (A, (("item", "mean"), ("item", 0)), None)
    groups = [slot.group for slot in slots[1:]]
    assert groups[0] == groups[1] is not None
    assert groups[2] not in (None, groups[0])


def test_hole_holds_what_is_picked_but_in_a_set_where_order_would_count():
    (bare, members), _ = collect((A[0], {B[0]}))
    assert bare == Hole(0, (("item", 0),))
    assert members == {Hole(1)}


@pytest.mark.parametrize(
    ("value", "places"),
    [
        (A, ["x"]),
        (A["mean"][0], ["x -> ['mean'][0]"]),
        ([1, A, B], ["x[]", "x[]"]),
        ({"a": A, "b": [B]}, ["x{'a'}", "x['b'][]"]),
        ({A: 1}, ["x.keys[]"]),
        ({A}, ["x{}"]),
        (Box([A]), ["x.content[]"]),
        ([[A], (B,)], ["x[0][]", "x[1][]"]),
        (3, []),
    ],
)
def test_place_of_a_step_leaves_out_where_it_stands_in_its_own_collection(value, places):
    collected, _ = collect((value,))
    assert located(collected, ("x",)) == places


def outline(value):
    (collected,), _ = collect((value,))
    return skeleton(collected)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([A], [A, B]),
        ((A, 1), (A, B, 1)),
        ({A}, {A, B}),
        ({"a": A}, {"a": A, "b": B}),
        (Box([A]), Box([A, B])),
        (A, B),
    ],
)
def test_outline_leaves_out_which_steps_a_collection_has(first, second):
    assert outline(first) == outline(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([A], []),
        ([A, 1], [A, 2]),
        ([A], (A,)),
        ({"a": A, "n": 1}, {"a": A, "n": 2}),
        (A[0], A[1]),
        (Box(A, "one"), Box(A, "two")),
        ([A], {A}),
    ],
)
def test_outline_keeps_everything_else(first, second):
    assert outline(first) != outline(second)


def test_outline_of_a_set_does_not_depend_on_the_order_of_its_members():
    # 0 and 8 fall into one place of a small table, so the one that came first stands first.
    assert list({0, 8}) != list({8, 0})
    assert outline({0, 8, A}) == outline({8, 0, A})
