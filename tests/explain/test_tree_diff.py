"""The difference of two arguments, told from what was recorded of each: every kind of value, and what is left out."""

import collections
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

from ezpyp.describe import Hole, describe
from ezpyp.explain.record import record_of
from ezpyp.explain.step_diff import code_changes
from ezpyp.explain.tree import LEAVES_LIMIT, Leaves, leaves_of
from ezpyp.explain.tree_diff import Comparison

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


def tree(value):
    return json.loads(json.dumps(Leaves().tree(value, lambda index: f"up{index}")))


def told(old, new):
    codes = {}
    trees = []
    for value in (old, new):
        leaves = Leaves()
        trees.append(json.loads(json.dumps(leaves.tree(value, str))))
        codes |= leaves.codes
    comparison = Comparison(code_changes(lambda digest: record_of(codes[digest])))
    return [it.path + it.words for it in comparison.differences("x", *trees)]


def drawn(generator):
    generator.random()
    return generator


FRAME = pd.DataFrame({"price": [1.0, 2.0], "name": ["a", "b"]})

CUT = f"'{'a' * 56}..."
GROWN = "x: list of 1 -> list of 7, x[1] = 2, x[2] = 3, x[3] = 4, x[4] = 5 and 2 more added"
WIDER = "x: DataFrame (2, 2) -> DataFrame (2, 3), x['size'] = Series int64 (2,) added"

CASES = {
    "item": ([1, 2, 3], [1, 2, 4], ["x[2] 3 -> 4"]),
    "type only": ([1], [1.0], ["x[0] 1 -> 1.0 (int -> float)"]),
    "dict key": ({"lr": 0.1, "n": 1}, {"lr": 0.2, "n": 1}, ["x['lr'] 0.1 -> 0.2"]),
    "key added": ({"a": 1}, {"a": 1, "b": 2}, ["x: dict of 1 -> dict of 2, x['b'] = 2 added"]),
    "key renamed": ({"a": 1}, {"b": 1}, ["x: x['b'] = 1 added, x['a'] = 1 removed"]),
    "key order": ({"a": 1, "b": 2}, {"b": 2, "a": 1}, ["x: another order of dict of 2: 'a', 'b' -> 'b', 'a'"]),
    "appended": ([1, 2, 3], [1, 2, 3, 9], ["x: list of 3 -> list of 4, x[3] = 9 added"]),
    "inserted": ([1, 2, 3], [9, 1, 2, 3], ["x: list of 3 -> list of 4, x[0] = 9 added"]),
    "removed": ([1, 2, 3], [1, 3], ["x: list of 3 -> list of 2, x[1] = 2 removed"]),
    "many": ([1], [1, 2, 3, 4, 5, 6, 7], [GROWN]),
    "set": ({1, 2}, {1, 3}, ["x: 3 added, 2 removed"]),
    "long text added": ([1], [1, "a" * 999], [f"x: list of 1 -> list of 2, x[1] = '{'a' * 196}... added"]),
    "kind": ([1], (1,), ["x list of 1 -> tuple of 1"]),
    "empty": ([], [1], ["x: list of 0 -> list of 1, x[0] = 1 added"]),
    "scalar": (3, [3], ["x 3 -> list of 1"]),
    "nested": ({"a": [1, {"b": 2}]}, {"a": [1, {"b": 3}]}, ["x['a'][1]['b'] 2 -> 3"]),
    "attribute": (Model(), Model(2), ["x.alpha (Model) 1 -> 2"]),
    "deep attribute": (Model(inner=Config()), Model(inner=Config(0.2)), ["x.inner.rate (Config) 0.1 -> 0.2"]),
    "secret": (Config(), Config(api_token="hunter2"),
               ["x.api_token (Config) changed (a secret, known by its digest only)"]),
    "slots": (Slotted(1), Slotted(2), ["x.left (Slotted) 1 -> 2"]),
    "frozen": (Frozen(), Frozen(4), ["x.depth (Frozen) 3 -> 4"]),
    "named tuple": (Point(1, 2), Point(1, 3), ["x.y (Point) 2 -> 3"]),
    "enum": (Colour.RED, Colour.BLUE, ["x Colour.RED -> Colour.BLUE"]),
    "date": (dt.date(2020, 1, 1), dt.date(2020, 1, 2),
             ["x datetime.date(2020, 1, 1) -> datetime.date(2020, 1, 2)"]),
    "partial": (functools.partial(max, 1), functools.partial(max, 2), ["x.args[0] 1 -> 2"]),
    "array values": (np.zeros((3, 4)), np.ones((3, 4)), ["x: ndarray float64 (3, 4), values changed"]),
    "array shape": (np.zeros(3), np.zeros(4), ["x: ndarray float64, shape (3,) -> (4,)"]),
    "array dtype": (np.zeros(3), np.zeros(3, "f4"), ["x: ndarray (3,), dtype float64 -> float32"]),
    "number of numpy": (np.float64(1), np.float32(1), ["x float64(1.0) -> float32(1.0)"]),
    "column": (FRAME, FRAME.assign(price=[1.0, 3.0]), ["x['price']: Series float64 (2,), values changed"]),
    "column added": (FRAME, FRAME.assign(size=1), [WIDER]),
    "column dtype": (FRAME, FRAME.astype({"price": "f4"}), ["x['price']: Series (2,), dtype float64 -> float32"]),
    "rows": (FRAME, FRAME[:1], ["x: DataFrame (2, 2) -> DataFrame (1, 2)"]),
    "polars": (pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, 3]}), ["x['a']: Series Int64 (2,), values changed"]),
    "array order": (np.ones((3, 4)), np.ones((3, 4), order="F"), ["x: ndarray float64 (3, 4), order C -> F"]),
    "array order and shape": (np.ones((3, 4), order="F"), np.ones((4, 3)),
                              ["x: ndarray float64, shape (3, 4) -> (4, 3), order F -> C"]),
    "long text": ("a" * 70 + "b", "a" * 70 + "c", [f"x ...{'a' * 20}b' -> ...{'a' * 20}c'"]),
    "long text in a table": ({"q": "a" * 99, "n": 1}, {"q": "a" * 98, "n": 1},
                             [f"x['q'] ...{'a' * 21}' -> ...{'a' * 20}'"]),
    "huge text": ("a" * 6000 + "b", "a" * 6000 + "c", [f"x: {CUT}, x[6000] changed"]),
    "huge text grown": ("a" * 6000, "a" * 6001,
                        [f"x: {CUT}, 6000 -> 6001 long, the first difference is in x[5888:6016]"]),
    "huge text doubled": ("a" * 6000, "a" * 60000, [f"x: {CUT}, 6000 -> 60000 long"]),
    "huge bytes": (bytes(10000), bytes(9999) + b"1", [f"x: {describe(bytes(99))}, x[9999] changed"]),
    "huge": (list(range(5000)), [*range(4999), 0], ["x: list of 5000, x[4999] changed"]),
    "huge in two places": (list(range(5000)), [-1, -1, *range(2, 5000)], ["x: list of 5000, x[0], x[1] changed"]),
    "huge in many places": (list(range(5000)), list(range(5000))[::-1], ["x: list of 5000, changed in x[0:5000]"]),
    "huge grown": (list(range(5000)), list(range(5001)), ["x list of 5000 -> list of 5001"]),
    "vast": (list(range(10**5)), [*range(77777), 0, *range(77778, 10**5)],
             ["x: list of 100000, changed in x[76800:77824]"]),
    "huge in a table": ({"data": list(range(5000)), "rate": 1}, {"data": [*range(4999), 0], "rate": 2},
                        ["x['data']: list of 5000, x['data'][4999] changed", "x['rate'] 1 -> 2"]),
    "huge of rows": ([(i, "a") for i in range(999)], [(i, "b" if i == 500 else "a") for i in range(999)],
                     ["x: list of 999, x[500] changed"]),
    "huge of objects": ([Point(1, 2)] * 999, [Point(1, 2)] * 998 + [Point(1, 3)],
                        ["x: changed somewhere in x (list of 999)"]),
    "generator": (np.random.default_rng(1), np.random.default_rng(2),
                  ["x Generator(PCG64, seed 1) -> Generator(PCG64, seed 2)"]),
    "generator that was drawn from": (np.random.default_rng(1), drawn(np.random.default_rng(1)),
                                      ["x: Generator(PCG64, seed 1) in another state"]),
    "generator of a spawned seed": (np.random.default_rng(1), np.random.default_rng(1).spawn(1)[0],
                                    ["x Generator(PCG64, seed 1) -> Generator(PCG64, seed 1, spawned as (0,))"]),
    "old generator": (np.random.RandomState(1), np.random.RandomState(2), ["x: RandomState in another state"]),
    "python's generator": (random.Random(1), random.Random(2), ["x: Random in another state"]),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_change_of_an_argument_is_told_to_the_leaf(case):
    old, new, lines = CASES[case]
    assert told(old, new) == lines


@pytest.mark.parametrize("case", CASES)
def test_equal_arguments_have_equal_trees(case):
    for value in CASES[case][:2]:
        assert tree(value) == tree(value)


def named(source, name="f"):
    space = {"__name__": "study"}
    exec(compile(source, "study.py", "exec"), space)
    return space[name]


def test_function_as_an_argument_is_told_by_its_constant_and_line():
    source = "def f(a, b=1):\n    return 2 * a\n"
    assert told(named(source), named(source.replace("2", "3"))) == ["x: <f>, constant 2 -> 3 in f (study.py:2)"]
    assert told(named(source), named(source.replace("b=1", "b=5"))) == ["x(b=) 1 -> 5"]


def test_class_of_an_instance_is_told_by_its_method_and_line():
    source = "class M:\n    def __init__(self):\n        self.a = 1\n    def go(self):\n        return 2\n"
    edited = source.replace("return 2", "return 3")
    assert told(named(source, "M")(), named(edited, "M")()) == ["x: M, method M.go (study.py:5): constant 2 -> 3"]


def test_class_of_an_enum_member_is_told_by_its_method_and_line():
    source = "import enum\nclass M(enum.Enum):\n    A = 1\n    def go(self):\n        return 2\n"
    before, after = (named(text, "M").A for text in (source, source.replace("return 2", "return 3")))
    assert told(before, after) == ["x: M.A, method M.go (study.py:5): constant 2 -> 3"]
    assert told([before], [after]) == ["x[0]: M.A, method M.go (study.py:5): constant 2 -> 3"]


def test_step_in_the_place_of_a_value_is_told_in_words():
    assert told([1], [Hole(0)]) == ["x[0]: the value 1 -> the result of step 0"]
    assert told({"a": Hole(0, (("item", "k"),))}, {"a": None}) == [
        "x['a']: the result of step 0['k'] -> the value None"
    ]


def test_steps_too_many_to_list_are_left_to_the_upstreams():
    steps = [Hole(index) for index in range(900)]
    assert told(steps, steps[:800]) == []
    assert told({"runs": steps, "rate": 1}, {"runs": steps[:800], "rate": 2}) == ["x['rate'] 1 -> 2"]
    assert told([1, 2], steps) == ["x: list of 2 -> list of 900, x[0] = 1, x[1] = 2 removed"]


def test_leaves_of_an_argument_are_a_line_each():
    assert list(leaves_of("x", tree({"q": "a" * 999, "n": [1]}))) == [f"x['q'] = '{'a' * 196}...", "x['n'][0] = 1"]


def test_container_of_the_users_class_is_looked_through_without_its_methods():
    assert told([Listed([1, 2])], [Listed([1, 3])]) == ["x[0][1] 2 -> 3"]


def test_argument_that_holds_itself_ends():
    one, two = [1], [2]
    one.append(one)
    two.append(two)
    assert told(one, two) == ["x[0] 1 -> 2"]


def test_tree_is_bounded():
    shared = [1]
    for _ in range(60):
        shared = [shared, shared]
    for value in (list(range(10**5)), "a" * 10**5, [["a" * 50] * 50] * 50, {i: i for i in range(1000)}, [[]] * 900):
        assert len(json.dumps(tree(value))) <= LEAVES_LIMIT
    assert len(json.dumps(tree(shared))) <= LEAVES_LIMIT


def test_secrets_are_digests():
    value = {"password": "hunter2", "inner": Model(api_key="hunter2", nested=[{"SECRET": b"hunter2"}])}
    text = json.dumps(tree(value))
    assert "hunter" not in text
    assert text.count("<secret> #") == 3
