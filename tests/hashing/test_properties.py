"""Properties of value digests over random values."""

import copy
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ezpyp.describe import describe
from ezpyp.hashing.encode import cutoff_digest, encode, value_digest

# How many examples is the profile's business: 10,000 with --hypothesis-profile=long.
many = settings(deadline=None, suppress_health_check=list(HealthCheck))
pytestmark = pytest.mark.timeout(3600)

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.complex_numbers(allow_nan=False)
    | st.text(max_size=8)
    | st.binary(max_size=8)
    | st.decimals(allow_nan=False)
    | st.fractions()
    | st.datetimes()
    | st.timedeltas()
    | st.uuids()
)
keys = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.binary(max_size=5)
values = st.recursive(
    scalars | st.frozensets(keys, max_size=4) | st.sets(keys, max_size=4),
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(inner, max_size=4).map(tuple) | st.dictionaries(keys, inner, max_size=4)
    ),
    max_leaves=12,
)


def typed(value):
    """The value as nested tuples that are equal if and only if types and contents are."""
    kind = type(value).__name__
    if isinstance(value, list | tuple):
        return (kind, tuple(map(typed, value)))
    if isinstance(value, dict):
        return (kind, tuple((typed(key), typed(part)) for key, part in value.items()))
    if isinstance(value, set | frozenset):
        return (kind, frozenset(map(typed, value)))
    if isinstance(value, float | complex | Decimal | Fraction):
        return (kind, repr(value))
    return (kind, value)


def rebuilt(value):
    """An equal value in which nothing is the same object, and sets were filled in another order."""
    if isinstance(value, list | tuple):
        return type(value)(map(rebuilt, value))
    if isinstance(value, dict):
        return {rebuilt(key): rebuilt(part) for key, part in value.items()}
    if isinstance(value, set | frozenset):
        return type(value)(reversed(list(value)))
    if isinstance(value, str):
        return "".join(list(value))
    return copy.deepcopy(value)


@many
@given(values)
def test_equal_values_have_equal_digests(value):
    copies = rebuilt(value), copy.deepcopy(value), pickle.loads(pickle.dumps(value))
    assert {value_digest(value)} == set(map(value_digest, copies))


@many
@given(values, values)
def test_unequal_values_have_unequal_digests(one, two):
    assert (value_digest(one) == value_digest(two)) == (typed(one) == typed(two))


@many
@given(st.lists(values, max_size=3), st.lists(values, max_size=3))
def test_arguments_are_told_apart(one, two):
    names = ["a", "b", "c"]
    assert (encode(one, names) == encode(two, names)) == (typed(one) == typed(two))
    assert len(encode(one, names)) <= 64


def places(value, path=()):
    """The path to each part of a value, the whole first."""
    yield path
    parts = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, part in parts:
        yield from places(part, (*path, key))


def with_part(value, path, part):
    """The value with another part at a path."""
    if not path:
        return part
    if isinstance(value, dict):
        return {key: with_part(old, path[1:], part) if key == path[0] else old for key, old in value.items()}
    return type(value)(with_part(old, path[1:], part) if i == path[0] else old for i, old in enumerate(value))


def part_at(value, path):
    for key in path:
        value = value[key]
    return value


OTHER_TYPES = {
    int: float,
    bool: int,
    float: complex,
    str: lambda text: text.encode("utf-8", "surrogatepass"),
    bytes: bytearray,
    list: tuple,
    tuple: list,
    set: frozenset,
    frozenset: set,
    dict: lambda value: list(value.items()),
    type(None): lambda _: False,
}


@many
@given(values, st.data())
def test_one_part_that_is_changed_or_of_another_type_changes_the_digest(value, data):
    path = data.draw(st.sampled_from(list(places(value))))
    part = part_at(value, path)
    for make in (lambda: data.draw(values), lambda: OTHER_TYPES.get(type(part), lambda _: part)(part)):
        try:
            other = with_part(value, path, make())
        except OverflowError:
            continue  # an integer beyond all floats
        same = typed(other) == typed(value)
        assert (value_digest(other) == value_digest(value)) == same
        assert (encode([other], ["x"]) == encode([value], ["x"])) == same


@many
@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=1, max_side=4)), st.data())
def test_one_changed_element_of_an_array_changes_the_digest(array, data):
    place = tuple(data.draw(st.integers(0, length - 1)) for length in array.shape)
    other = array.copy()
    other[place] = data.draw(hnp.from_dtype(array.dtype))
    assert (value_digest(other) == value_digest(array)) == (other.tobytes() == array.tobytes())


@many
@given(values)
def test_equal_parts_may_be_one_object_or_several(value):
    immutable = (value, 1.5, "text")
    assume(not any(isinstance(part_at(value, path), list | dict | set) for path in places(value)))
    assert value_digest((immutable, immutable)) == value_digest((immutable, rebuilt(immutable)))


@many
@given(hnp.arrays(hnp.scalar_dtypes(), hnp.array_shapes(min_dims=0, min_side=0, max_side=4)))
def test_arrays_count_by_content(array):
    assert value_digest(array.copy()) == value_digest(array)
    wide = np.repeat(array[..., None], 2, axis=-1)[..., 0] if array.ndim else array
    if wide.flags.c_contiguous == array.flags.c_contiguous and not array.flags.f_contiguous:
        assert value_digest(wide) == value_digest(array)


@many
@given(values)
def test_description_is_one_short_line_and_never_fails(value):
    text = describe(value)
    assert len(text) <= 60
    assert "\n" not in text
    assert describe(rebuilt(value)) == text


@many
@given(values)
def test_cutoff_agrees_with_the_value_digest(value):
    assert cutoff_digest(value) in (None, value_digest(value))
