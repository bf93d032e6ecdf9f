"""Properties of value digests over random values."""

import copy
import os
import pickle
from decimal import Decimal
from fractions import Fraction

import numpy as np
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ezpyp.hashing import cutoff_digest, describe, encode, value_digest

EXAMPLES = 10_000 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 80
many = settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))

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
    assert value_digest(rebuilt(value)) == value_digest(value)


@many
@given(values)
def test_copies_and_pickles_have_equal_digests(value):
    assert value_digest(copy.deepcopy(value)) == value_digest(value)
    assert value_digest(pickle.loads(pickle.dumps(value))) == value_digest(value)


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


@many
@given(values, st.data())
def test_one_changed_leaf_changes_the_digest(value, data):
    assume(isinstance(value, list) and value)
    place = data.draw(st.integers(0, len(value) - 1))
    other = copy.deepcopy(value)
    other[place] = data.draw(values)
    assume(typed(other) != typed(value))
    assert value_digest(other) != value_digest(value)


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
