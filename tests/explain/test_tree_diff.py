"""The difference of two values, from what was recorded of each: every kind of value, and what is left out."""

import collections
import copy
import dataclasses
import datetime as dt
import enum
import functools
import json
import random

import numpy as np
import pandas as pd
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ezpyp.describe import Hole
from ezpyp.explain.record import record_of
from ezpyp.explain.step_diff import changes_of_code
from ezpyp.explain.tree import TREE_LIMIT, Node, TreeBuilder, leaves_of
from ezpyp.explain.tree_diff import differences

Point = collections.namedtuple("Point", "x y")


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


@dataclasses.dataclass
class Config:
    rate: float = 0.1
    api_token: str = "hunter1"


@dataclasses.dataclass(frozen=True, slots=True)
class Frozen:
    depth: int = 3


class Slotted:
    __slots__ = ("left", "right")

    def __init__(self, left):
        self.left = left  # right stays empty


class Model:
    """Everything of it that could run, bites."""

    def __init__(self, alpha=1, **more):
        self.alpha = alpha
        self.__dict__.update(more)

    def __repr__(self):
        raise AssertionError("__repr__ of the user's ran")

    def __getattr__(self, name):
        raise AssertionError(f"__getattr__ of the user's ran for {name}")

    @property
    def beta(self):
        raise AssertionError("a property of the user's ran")


class Listed(list):
    def __iter__(self):
        raise AssertionError("__iter__ of the user's ran")

    def __len__(self):
        raise AssertionError("__len__ of the user's ran")


def node(value):
    """The tree of a value after it was written and read."""
    made = TreeBuilder().tree(value, lambda index: f"up{index}")
    read = Node.from_json(json.loads(json.dumps(made.to_json())))
    assert read == made
    return read


def compared(old, new):
    return [(it.path, it.text) for it in differences("x", node(old), node(new))]


def named(old, new):
    """The same, where code comes along."""
    codes, trees = {}, []
    for value in (old, new):
        builder = TreeBuilder()
        trees.append(builder.tree(value))
        codes |= builder.codes
    found = differences("x", *trees, changes_of_code(lambda digest: record_of(codes[digest])))
    return [f"{it.path} {it.text}" for it in found]


def drawn(generator):
    generator.random()
    return generator


def looped(value):
    found = [value]
    found.append(found)
    return found


FRAME = pd.DataFrame({"price": [1.0, 2.0], "name": ["a", "b"]})

CASES = {
    "item": ([1, 2, 3], [1, 2, 4], ["x[2] 3 -> 4"]),
    "type only": ([1], [1.0], ["x[0] 1 -> 1.0"]),
    "dict key": ({"lr": 0.1, "n": 1}, {"lr": 0.2, "n": 1}, ["x['lr'] 0.1 -> 0.2"]),
    "key added": ({"a": 1}, {"a": 1, "b": 2}, ["x['b'] is new: 2"]),
    "key renamed": ({"a": 1}, {"b": 1}, ["x['b'] is new: 1", "x['a'] is gone: 1"]),
    "key order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ["x changed in the order of its parts (dict of 2)"]),
    "appended": ([1, 2, 3], [1, 2, 3, 9], ["x[3] is new: 9"]),
    "inserted": ([1, 2, 3], [9, 1, 2, 3], ["x[0] is new: 9"]),
    "removed": ([1, 2, 3], [1, 3], ["x[1] is gone: 2"]),
    "many": ([1], [1, 2, 3, 4, 5, 6, 7], ["x has other parts: 6 are new, 0 are gone (list of 7)"]),
    "set": ({1, 2}, {1, 3}, ["x{3} is new: 3", "x{2} is gone: 2"]),
    "kind": ([1], (1,), ["x list of 1 -> tuple of 1"]),
    "empty": ([], [1], ["x[0] is new: 1"]),
    "scalar": (3, [3], ["x 3 -> list of 1"]),
    "nested": ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ["x['a'][1]['b'] 2 -> 3"]),
    "attribute": (Model(), Model(2), ["x.alpha 1 -> 2"]),
    "deep attribute": (Model(inner=Config()), Model(inner=Config(0.2)), ["x.inner.rate 0.1 -> 0.2"]),
    "secret": (Config(), Config(api_token="hunter2"), ["x.api_token changed (<secret>)"]),
    "slots": (Slotted(1), Slotted(2), ["x.left 1 -> 2"]),
    "frozen": (Frozen(), Frozen(4), ["x.depth 3 -> 4"]),
    "named tuple": (Point(1, 2), Point(1, 3), ["x.y 2 -> 3"]),
    "enum": (Colour.RED, Colour.BLUE, ["x Colour.RED -> Colour.BLUE"]),
    "date": (dt.date(2020, 1, 1), dt.date(2020, 1, 2), ["x datetime.date(2020, 1, 1) -> datetime.date(2020, 1, 2)"]),
    "partial": (functools.partial(max, 1), functools.partial(max, 2), ["x.args[0] 1 -> 2"]),
    "array values": (np.zeros((3, 4)), np.ones((3, 4)), ["x changed (ndarray float64 (3, 4))"]),
    "array shape": (np.zeros(3), np.zeros(4), ["x ndarray float64 (3,) -> ndarray float64 (4,)"]),
    "array dtype": (np.zeros(3), np.zeros(3, "f4"), ["x ndarray float64 (3,) -> ndarray float32 (3,)"]),
    "array order": (np.ones((3, 4)), np.ones((3, 4), order="F"),
                    ["x ndarray float64 (3, 4) -> ndarray float64 (3, 4) order F"]),
    "number of numpy": (np.float64(1), np.float32(1), ["x float64(1.0) -> float32(1.0)"]),
    "column": (FRAME, FRAME.assign(price=[1.0, 3.0]), ["x['price'] changed (Series float64 (2,))"]),
    "column added": (FRAME, FRAME.assign(size=1), ["x['size'] is new: Series int64 (2,)"]),
    "column dtype": (FRAME, FRAME.astype({"price": "f4"}), ["x['price'] Series float64 (2,) -> Series float32 (2,)"]),
    "rows": (FRAME, FRAME[:1], ["x DataFrame (2, 2) -> DataFrame (1, 2)"]),
    "polars": (pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 3]}), ["x['a'] changed (Series Int64 (2,))"]),
    "long text": ("a" * 70 + "b", "a" * 70 + "c", [f"x ...{'a' * 20}b' -> ...{'a' * 20}c'"]),
    "long text added": ([1], [1, "a" * 999], [f"x[1] is new: '{'a' * 59}..."]),
    "huge text": ("a" * 6000 + "b", "a" * 6000 + "c", [f"x changed ('{'a' * 56}...)"]),
    "huge": (list(range(5000)), [*range(4999), 0], ["x changed (list of 5000)"]),
    "huge in a table": ({"data": list(range(5000)), "rate": 1}, {"data": [*range(4999), 0], "rate": 2},
                        ["x['data'] changed (list of 5000)", "x['rate'] 1 -> 2"]),
    "generator": (np.random.default_rng(1), np.random.default_rng(2),
                  ["x Generator(PCG64, seed 1) -> Generator(PCG64, seed 2)"]),
    "generator that was drawn from": (np.random.default_rng(1), drawn(np.random.default_rng(1)),
                                      ["x changed (Generator(PCG64, seed 1))"]),
    "generator of a spawned seed": (np.random.default_rng(1), np.random.default_rng(1).spawn(1)[0],
                                    ["x Generator(PCG64, seed 1) -> Generator(PCG64, seed 1, spawned as (0,))"]),
    "python's generator": (random.Random(1), random.Random(2), ["x changed (Random)"]),
    "step in the place of a value": ([1], [Hole(0)], ["x[0] 1 -> TMP for up0"]),
    "value in the place of a step": ({"a": Hole(0, (("item", "k"),))}, {"a": None},
                                     ["x['a'] TMP for up0['k'] -> None"]),
    "container of the user's class": ([Listed([1, 2])], [Listed([1, 3])], ["x[0][1] 2 -> 3"]),
    "holds itself": (looped(1), looped(2), ["x[0] 1 -> 2"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_change_of_a_value_is_named_to_the_leaf(case):
    old, new, lines = CASES[case]
    assert named(old, old) == []
    assert [f"{path} {text}" for path, text in compared(old, new)] == lines


KEYS = st.text("abc", max_size=2) | st.integers(0, 3)
SCALARS = st.integers() | st.floats(allow_nan=False) | st.booleans() | st.none() | st.text(max_size=2000)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(KEYS, inner, max_size=5), max_leaves=25
)


def leaves(value, path="x", place=()):
    """Each leaf as its path in words and its keys; what is empty is none."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in pairs:
        yield from leaves(part, f"{path}[{key!r}]", (*place, key))
    if not isinstance(value, list | dict):
        yield path, place


def replaced(value, place, leaf):
    """A copy with another leaf."""
    if not place:
        return leaf
    copied = copy.copy(value)
    copied[place[0]] = replaced(value[place[0]], place[1:], leaf)
    return copied


@given(VALUES, st.data())
def test_leaf_that_changed_is_the_one_that_is_named(value, data):
    """Or, of a value that is too large to be recorded, the part that holds the leaf, with its digest."""
    found = list(leaves(value))
    assume(found)
    path, place = data.draw(st.sampled_from(found))
    old = functools.reduce(lambda part, key: part[key], place, value)
    leaf = data.draw(SCALARS.filter(lambda leaf: repr(leaf) != repr(old)))

    [it] = differences("x", node(value), node(replaced(value, place, leaf)))

    assert path.startswith(it.path)
    if it.path == path and len(repr(old)) <= 60 and len(repr(leaf)) <= 60:
        assert (it.old, it.new) == (repr(old), repr(leaf))
    if len(json.dumps(value)) + len(json.dumps(leaf)) < TREE_LIMIT / 4:
        assert it.path == path


def defined(source, name="f"):
    space = {"__name__": "study"}
    exec(compile(source, "study.py", "exec"), space)
    return space[name]


FUNCTION = "def f(a, b=1):\n    return 2 * a\n"
CLASS = "class M:\n    def __init__(self):\n        self.a = 1\n    def go(self):\n        return 2\n"
ENUM = "import enum\nclass M(enum.Enum):\n    A = 1\n    def go(self):\n        return 2\n"


@pytest.mark.parametrize(
    ("source", "edit", "value", "line"),
    [
        (FUNCTION, ("2", "3"), lambda space: space, "x (<f>): constant 2 -> 3 in f (study.py:2)"),
        (FUNCTION, ("b=1", "b=5"), lambda space: space, "x(b=) 1 -> 5"),
        (CLASS, ("return 2", "return 3"), lambda kind: kind(), "x (M): method M.go (study.py:5): constant 2 -> 3"),
        (ENUM, ("return 2", "return 3"), lambda kind: kind.A, "x (M.A): method M.go (study.py:5): constant 2 -> 3"),
    ],
)
def test_code_that_a_value_brings_along_is_named_by_its_line(source, edit, value, line):
    name = "M" if "class" in source else "f"
    assert named(*(value(defined(text, name)) for text in (source, source.replace(*edit)))) == [line]


def test_leaves_of_a_value_are_a_line_each():
    assert list(leaves_of("x", node({"q": "a" * 999, "n": [1]}))) == [f"x['q'] = '{'a' * 196}...", "x['n'][0] = 1"]


def test_tree_is_bounded():
    shared = [1]
    for _ in range(60):
        shared = [shared, shared]
    for value in (
        list(range(10**5)), "a" * 10**5, [["a" * 50] * 50] * 50, {i: i for i in range(1000)}, [[]] * 900, shared,
    ):  # fmt: skip
        assert len(json.dumps(node(value).to_json())) <= TREE_LIMIT


def test_secrets_are_digests():
    value = {"password": "hunter2", "inner": Model(api_key="hunter2", nested=[{"SECRET": b"hunter2"}])}
    text = json.dumps(node(value).to_json())
    assert "hunter" not in text
    assert text.count("<secret>") == 3
