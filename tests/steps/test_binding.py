"""Arguments bound to parameters."""

import pytest

from ezpyp.errors import DeclarationError
from ezpyp.steps import as_step
from ezpyp.steps.binding import Binder

from .tools import study


def plain(x, y=2):
    return x, y


def collecting(x, *rest, flag=False, **named):
    return x, rest, flag, named


def keyword_only(*, x, y=2):
    return x, y


def positional_only(x, /, y=2, **named):
    return x, y, named


def nothing():
    return ()


CALLS = [
    (plain, (1,), {}),
    (plain, (1, 3), {}),
    (plain, (1,), {"y": 3}),
    (plain, (), {"y": 3, "x": 1}),
    (collecting, (1,), {}),
    (collecting, (1, 2, 3), {}),
    (collecting, (1, 2), {"flag": True, "a": 4, "b": 5}),
    (collecting, (), {"x": 1}),
    (keyword_only, (), {"x": 1}),
    (keyword_only, (), {"y": 3, "x": 1}),
    (positional_only, (1,), {}),
    (positional_only, (1, 3), {"z": 4}),
    (nothing, (), {}),
]


def called(binder, function, values, given):
    args, kwargs = binder.arguments(values, given)
    return function(*args, **kwargs)


@pytest.mark.parametrize(("function", "args", "kwargs"), CALLS)
def test_function_gets_what_the_call_gave(function, args, kwargs):
    given = (len(args), tuple(kwargs))
    binder = Binder(function)
    values = binder.bind(args, kwargs)
    assert called(binder, function, values, given) == function(*args, **kwargs)
    assert binder.as_given(values, given) == (list(args), kwargs)


@pytest.mark.parametrize(
    ("function", "calls"),
    [
        (plain, [((1,), {}), ((1, 2), {}), ((), {"x": 1}), ((1,), {"y": 2}), ((), {"y": 2, "x": 1})]),
        (collecting, [((1,), {}), ((), {"x": 1}), ((1,), {"flag": False})]),
        (keyword_only, [((), {"x": 1}), ((), {"x": 1, "y": 2}), ((), {"y": 2, "x": 1})]),
        (positional_only, [((1,), {}), ((1, 2), {}), ((1,), {"y": 2})]),
    ],
)
def test_spellings_of_one_call_are_one_step(function, calls):
    declare = as_step(study())(function)
    made = [declare(*args, **kwargs) for args, kwargs in calls]
    assert len({(repr(step.values), step.encoding) for step in made}) == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [(((1, 2), {}), ((1, (2,)), {})), (((1, 2, 3), {}), ((1, 3, 2), {})), (((1,), {"a": 2}), ((1,), {"b": 2}))],
)
def test_collected_arguments_count(first, second):
    declare = as_step(study())(collecting)
    assert declare(*first[0], **first[1]).encoding != declare(*second[0], **second[1]).encoding


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, r"plain\(\) does not fit plain\(x, y=2\): missing a required argument"),
        ((1, 2, 3), {}, r"plain\(1, 2, 3\) does not fit .*too many positional"),
        ((1,), {"z": 3}, r"plain\(1, z=3\) does not fit .*unexpected keyword argument 'z'"),
        ((1,), {"x": 3}, r"multiple values for argument 'x'"),
    ],
)
def test_call_that_does_not_fit_is_told_with_the_signature(args, kwargs, message):
    with pytest.raises(DeclarationError, match=message):
        Binder(plain).bind(args, kwargs)


def test_callable_without_a_signature_takes_anything():
    # min has no readable signature in any supported Python.
    binder = Binder(min)
    assert called(binder, min, binder.bind((3, 1, 2), {"key": abs}), (3, ("key",))) == 1


def test_messages_call_arguments_as_the_call_did():
    assert Binder(plain).roots((1, ("y",))) == ("args[0]", "kwargs['y']")
    assert Binder(collecting).roots((2, ())) == ("args[0]", "rest", "kwargs['flag']", "named")


@pytest.mark.parametrize(("function", "kwargs"), [(plain, {}), (collecting, {}), (collecting, {"b": 2})])
def test_defaults_that_cannot_change_are_left_to_the_function(function, kwargs):
    binder = Binder(function)
    args, named = binder.arguments(binder.bind((1,), kwargs), (1, tuple(kwargs)))
    assert (list(args), named) == ([1], kwargs)


def test_defaults_that_can_change_are_handed_over():
    def gather(x, into=[]):  # noqa: B006 - the trap that is tested
        into.append(x)
        return into

    assert called(Binder(gather), gather, (1, []), (1, ())) == [1]
    assert gather.__defaults__ == ([],)
