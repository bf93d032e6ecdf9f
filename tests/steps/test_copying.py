"""Deep copies without recursion: what copy.deepcopy does, at any depth."""

import copy
import dataclasses
import datetime as dt
import decimal
import enum
import fractions
import functools
import pathlib
import re
import types
import uuid
from collections import ChainMap, Counter, OrderedDict, UserDict, defaultdict, deque, namedtuple

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ezpyp.errors import DeclarationError
from ezpyp.hashing.encode import value_digest
from ezpyp.steps.arguments import fill


def copied(value):
    (made,) = fill(([value],), (), ())
    return made[0]


class Plain:
    def __init__(self, content=None):
        self.content = content


class Slotted:
    __slots__ = ("content", "unset")

    def __init__(self, content):
        self.content = content


class SlottedWithDict(Slotted):
    pass


class WithState:
    def __init__(self, content):
        self.content = content

    def __getstate__(self):
        return {"kept": self.content}

    def __setstate__(self, state):
        self.content = state["kept"]


class Made:
    def __init__(self, content):
        self.content = content

    def __reduce__(self):
        return (Made, (self.content,))


class OwnCopy:
    def __init__(self, content):
        self.content = content

    def __deepcopy__(self, memo):
        return OwnCopy(copy.deepcopy(self.content, memo))


class Stack(list):
    pass


class Color(enum.Enum):
    RED = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Sealed:
    content: object


Pair = namedtuple("Pair", "left right")


def handler():
    return None


def stack(*members):
    made = Stack(members)
    made.label = ["x"]
    return made


VALUES = {
    "list": [1, [2, "x"], (3, [4])],
    "tuple": (1, (2, [3])),
    "dict": {"a": [1], (1, 2): {"b": 2}, "c": {}},
    "set": {1, (2, 3), frozenset({4})},
    "deque": deque([1, [2]], maxlen=5),
    "ordered": OrderedDict(b=[1], a=2),
    "default": defaultdict(list, a=[1]),
    "counter": Counter("abca"),
    "chain": ChainMap({"a": [1]}, {"b": 2}),
    "user dict": UserDict(a=[1]),
    "named tuple": Pair([1], 2),
    "instance": Plain([1, Plain()]),
    "slots": Slotted([1]),
    "slots and dict": SlottedWithDict([1]),
    "state": WithState([1]),
    "reduce": Made([1]),
    "own copy": OwnCopy([1]),
    "list of the user's": stack([1]),
    "enum": Color.RED,
    "sealed": Sealed([1]),
    "numbers": [1.5, 2j, True, decimal.Decimal("1.0"), fractions.Fraction(1, 3)],
    "times": [dt.datetime(2020, 1, 1, tzinfo=dt.UTC), dt.timedelta(1)],
    "others": [uuid.UUID(int=5), pathlib.PurePosixPath("a/b"), re.compile("x"), range(3), ..., NotImplemented],
    "code": [handler, len, Plain, functools.partial(handler), Plain.__init__],
    "buffers": [bytearray(b"x"), b"y"],
    "simple": types.SimpleNamespace(a=[1]),
    "array": np.arange(6).reshape(2, 3),
    "objects": np.array([[1], {"a": 2}], object),
    "number": np.float64(3),
    "masked": np.ma.array([1, 2], mask=[True, False]),
    "records": np.rec.array([(1, 2.0)]),
    "random": np.random.default_rng(3),
}


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_copy_has_the_type_and_content_of_the_original(value):
    made = copied(value)

    assert type(made) is type(value)
    assert value_digest(made) == value_digest(value) == value_digest(copy.deepcopy(value))


@pytest.mark.parametrize("value", VALUES.values(), ids=VALUES)
def test_nothing_that_can_change_is_shared(value):
    mutable = (list, dict, set, deque, bytearray, Plain, Slotted, WithState, Made, np.ndarray)
    mine = {id(part) for part in parts(value) if isinstance(part, mutable)}

    assert not mine & {id(part) for part in parts(copied(value))}


def parts(value):
    """Everything that a value is made of."""
    yield value
    if isinstance(value, dict):
        inner = [*value, *value.values()]
    elif isinstance(value, list | tuple | set | frozenset | deque):
        inner = list(value)
    else:
        inner = []
    inner += list(getattr(value, "__dict__", {}).values()) if not isinstance(value, type | types.FunctionType) else []
    inner += [value.content] if isinstance(value, Slotted) else []
    for part in inner:
        yield from parts(part)


plain = st.recursive(
    st.integers() | st.text(max_size=3) | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=3).map(tuple)
        | st.dictionaries(st.text(max_size=2), inner, max_size=3)
        | inner.map(Plain)
        | inner.map(lambda part: [part, part])
    ),
    max_leaves=10,
)


@given(plain)
def test_copy_counts_as_the_original_does_with_all_that_is_shared(value):
    assert value_digest(copied(value)) == value_digest(value)


def test_cycles_end():
    knot = []
    knot.append((knot, {"knot": knot}))
    made = copied(knot)
    assert made[0][0] is made
    assert made[0][1]["knot"] is made

    ring = Plain()
    ring.content = Pair(ring, [ring])
    made = copied(ring)
    assert made.content.left is made
    assert made.content.right[0] is made

    pair = Pair([], 1)
    pair.left.append(pair)
    assert copied(pair).left[0].right == 1


def test_bound_method_belongs_to_the_copy():
    class Counter:
        def __init__(self):
            self.count = 0

        def up(self):
            self.count += 1

    counter = Counter()
    other, method = copied([counter, counter.up])
    method()

    assert (other.count, counter.count) == (1, 0)


def test_modules_and_proxies_are_handed_over_at_any_depth():
    proxy = types.MappingProxyType({"a": 1})
    made = copied({"a": [re, proxy]})

    assert made["a"][0] is re
    assert made["a"][1] is proxy


def test_parts_that_are_made_for_the_copy_alone_are_not_mixed_up():
    class Fresh:
        def __init__(self, count):
            self.count = count

        def __reduce__(self):
            return (Fresh.made, (), None, (([i], i) for i in range(self.count)))

        @staticmethod
        def made():
            return []

    assert copied(Fresh(1000)) == [([i], i) for i in range(1000)]


@pytest.mark.parametrize("kind", [list, tuple, dict, deque, Plain, Slotted], ids=lambda kind: kind.__name__)
def test_what_is_nested_too_deep_is_a_clear_error(kind):
    value = Plain()
    for _ in range(2_000):
        value = {0: value} if kind is dict else kind(value) if kind in (Plain, Slotted) else kind([value])

    with pytest.raises(DeclarationError, match=r"nested too deep \(.*recursion.*Pass a flat form of it"):
        copied(value)


def test_what_is_made_from_itself_is_a_clear_error():
    class Endless:
        def __reduce__(self):
            return (Endless, ([self],))

    with pytest.raises(DeclarationError, match="nested too deep"):
        copied(Endless())


def test_what_cannot_be_copied_is_a_clear_error():
    with pytest.raises(DeclarationError, match=r"cannot be copied.*TypeError.*generator.*pass what it is made from"):
        copied(part for part in ())
