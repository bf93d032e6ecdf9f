"""The text of a captured value says which part of it changed, whatever kind of value that is."""

import collections
import datetime as dt
import enum
import operator
import re
import types
import zoneinfo
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ezpyp.hashing.encode import says_itself, short_digest
from ezpyp.hashing.files import File
from ezpyp.hashing.tree_diff import inside, is_told_by_digest
from ezpyp.hashing.wording import wording


def words(value: object) -> str:
    return wording(value, digest_of=short_digest, says_itself=says_itself)


@dataclass
class Config:
    rate: float
    inner: object = None


class Slotted:
    __slots__ = ("size",)

    def __init__(self, size):
        self.size = size


class Asleep:
    """Every look at it from outside would be seen."""

    def __init__(self, size):
        self.size = size

    def __getattr__(self, name):
        raise AssertionError(name)

    def __repr__(self):
        raise AssertionError

    __eq__ = __hash__ = __len__ = __iter__ = __bool__ = __repr__


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Table(dict):
    pass


Pair = collections.namedtuple("Pair", "left right")

LONG = list(range(5000))
TABLE = {f"key{i}": i for i in range(3000)}
FRAME = pd.DataFrame({"a": [1, 2], "b": [3, 4]})
SQUARE = np.arange(4).reshape(2, 2)
NARROW = np.array([1, 2])
WIDE = np.arange(100)
CASES = {
    "object in a table": ({"c": Config(1)}, {"c": Config(2)}, "['c'].rate", "1", "2"),
    "objects in objects": (Config(1, [Config(2)]), Config(1, [Config(3)]), ".inner[0].rate", "2", "3"),
    "other class": ([Config(1)], [Pair(1, 2)], "[0]", "Config(rate=1, inner=None)", "Pair(left=1, right=2)"),
    "slots": ([Slotted(1)], [Slotted(2)], "[0]", "Slotted()", "Slotted()"),
    "code that must not run": ([Asleep(1)], [Asleep(2)], "[0].size", "1", "2"),
    "named tuple": (Pair(1, [2]), Pair(1, [3]), ".right[0]", "2", "3"),
    "namespace": (types.SimpleNamespace(a=1), types.SimpleNamespace(a=2), ".a", "1", "2"),
    "ordered": (collections.OrderedDict(a=1), collections.OrderedDict(a=2), "['a']", "1", "2"),
    "counter": (collections.Counter("ab"), collections.Counter("aab"), "['a']", "1", "2"),
    "default table": (
        collections.defaultdict(list, a=[1]), collections.defaultdict(list, a=[2]), "['a'][0]", "1", "2",
    ),
    "table of the user's": ([Table(a=1)], [Table(a=2)], "[0]['a']", "1", "2"),
    "deque": (collections.deque([1, 2]), collections.deque([1, 3]), "[1]", "2", "3"),
    "set": ({"s": {1, 2}}, {"s": {1, 3}}, "['s']", "{1, 2}", "{1, 3}"),
    "frozen set": ([frozenset()], [frozenset({1})], "[0]", "frozenset()", "frozenset({1})"),
    "small array": ({"a": NARROW}, {"a": NARROW + 1}, "['a']", "ndarray('int64', [1, 2])", "ndarray('int64', [2, 3])"),
    "large array": ({"a": WIDE}, {"a": WIDE + 1}, "['a']", "ndarray('int64', (100,))", "ndarray('int64', (100,))"),
    "array's type": ([NARROW], [NARROW * 1.0], "[0]", "ndarray('int64', [1, 2])", "ndarray('float64', [1.0, 2.0])"),
    "number of numpy's": ([np.float64(1.5)], [np.float64(2.5)], "[0]", "1.5", "2.5"),
    "date": (
        [dt.date(2020, 1, 1)], [dt.date(2020, 1, 2)],
        "[0]", "datetime.date(2020, 1, 1)", "datetime.date(2020, 1, 2)",
    ),
    "pattern": ([re.compile("a")], [re.compile("b")], "[0]", "re.compile('a')", "re.compile('b')"),
    "range": ([range(3)], [range(4)], "[0]", "range(0, 3)", "range(0, 4)"),
    "member": ([Colour.RED], [Colour.BLUE], "[0]", "Colour.RED", "Colour.BLUE"),
    "path": ([Path("a")], [Path("b")], "[0]", "PosixPath('a')", "PosixPath('b')"),
    "bytes": ([b"a"], [b"b"], "[0]", "b'a'", "b'b'"),
    "long text": (["x" * 5000], ["x" * 4999 + "y"], "[0][4999]", "", ""),
    "long text by itself": ("x" * 4000, "x" * 3999 + "y", "", f"...{'x' * 21}'", f"...{'x' * 20}y'"),
    "longer text": (
        ["x" * 5000], ["x" * 5001], "[0]", "5000 long", "5001 long, the first difference is in [4992:5120]",
    ),
    "long list": (LONG, [*LONG[:3000], -1, *LONG[3001:]], "[3000]", "", ""),
    "beginning of a long list": (LONG, [*LONG[:30], -1, *LONG[31:]], "[30]", "30", "-1"),
    "long list among others": ({"a": LONG, "b": 1}, {"a": [*LONG[:-1], 0], "b": 1}, "['a'][4999]", "", ""),
    "what stands behind a long list": ({"a": LONG, "b": 1}, {"a": LONG, "b": 2}, "['b']", "1", "2"),
    "longer list": (LONG, [*LONG, 1], "", "5000 long", "5001 long, the first difference is in [4992:5120]"),
    "value of a long table": (TABLE, TABLE | {"key2500": -1}, "[value 2500]", "", ""),
    "key of a long table": (
        TABLE, {("x" if i == 2500 else key): i for i, key in enumerate(TABLE)}, "[key 2500]", "", "",
    ),
    "long table among others": ([TABLE, 1], [TABLE | {"key2999": -1}, 1], "[0][value 2999]", "", ""),
    "slice": (slice(1, 2), slice(1, 3), "", "slice(1, 2, None)", "slice(1, 3, None)"),
    "getter": (operator.itemgetter(1), operator.itemgetter(2), "", "itemgetter(1)", "itemgetter(2)"),
    "caller": (
        operator.methodcaller("a", b=1), operator.methodcaller("a", b=2),
        "", "methodcaller('a', {'b': 1})", "methodcaller('a', {'b': 2})",
    ),
    "generator": (
        np.random.default_rng(1), np.random.default_rng(2),
        "", "Generator('PCG64', 1)", "Generator('PCG64', 2)",
    ),
    "path that is a text now": (Path("a"), "a", "", "PosixPath('a')", "'a'"),
    "order of an array": (
        [SQUARE], [np.asfortranarray(SQUARE)],
        "[0]", "ndarray('int64', [[0, 1], [2, 3]])", "ndarray('int64', [[0, 1], [2, 3]], 'order F')",
    ),
    "column of a table": (
        FRAME, FRAME.assign(b=[3, 5]), "['b']", "ndarray('int64', [3, 4])", "ndarray('int64', [3, 5])",
    ),
    "column that is new": (FRAME, FRAME.assign(c=[0, 0]), "['c']", "", "ndarray('int64', [0, 0])"),
    "long column": (
        {"f": pd.DataFrame({"a": range(99), "b": range(99)})},
        {"f": pd.DataFrame({"a": range(99), "b": range(1, 100)})},
        "['f']['b']", "ndarray('int64', (99,))", "ndarray('int64', (99,))",
    ),
    "labels of a table": (
        FRAME.set_axis([5, 6]), FRAME.set_axis([5, 7]),
        "[<index>]", "Index('int64', [5, 6])", "Index('int64', [5, 7])",
    ),
    "secret column": (
        [FRAME.assign(token=[1, 2])], [FRAME.assign(token=[1, 3])],
        "[0]['token']", "ndarray('int64', (2,))", "ndarray('int64', (2,))",
    ),
    "column of polars": (
        pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]}), "['a']", "Series('Int64', [1])", "Series('Int64', [2])",
    ),
    "series": (pd.Series([1, 2]), pd.Series([1, 3]), "", "Series('int64', [1, 2])", "Series('int64', [1, 3])"),
    "moment": (
        pd.Timestamp("2020-01-01"), pd.Timestamp("2020-01-02"),
        "", "Timestamp('2020-01-01 00:00:00')", "Timestamp('2020-01-02 00:00:00')",
    ),
    "zone": (
        zoneinfo.ZoneInfo("Europe/Paris"), zoneinfo.ZoneInfo("Europe/Rome"),
        ".key", "'Europe/Paris'", "'Europe/Rome'",
    ),
    "complex with both parts": (1 + 2j, 1 + 3j, "", "(1 + 2j)", "(1 + 3j)"),
    "complex": ([1j], [2j], "[0]", "1j", "2j"),
    "negative": ([-1], [-2], "[0]", "-1", "-2"),
    "key that is a number": ({1: "a", True + 1: "b"}, {1: "a", 2: "c"}, "[2]", "'b'", "'c'"),
    "text that looks like a name": (["<b>", 1], ["<b>", 2], "[1]", "1", "2"),
    "secret of an object": (
        [types.SimpleNamespace(token="a")], [types.SimpleNamespace(token="b")], "[0].token", "<secret>", "<secret>",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_what_changed_is_named_by_its_path(name: str) -> None:
    old, new, *expected = CASES[name]
    assert inside(words(old), words(new)) == [tuple(expected)]
    assert words(old) == words(old)


def test_a_file_in_a_table_is_told_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("1")
    table = {"a": [File(path)], "b": 1}
    before = words(table)
    path.write_text("22")

    assert inside(before, words(table)) == [("['a'][0]", f"File('{path}')", f"File('{path}')")]
    assert is_told_by_digest(f"File('{path}')")


def test_a_value_that_holds_itself_ends() -> None:
    value: list[object] = [1]
    value.append(value)
    assert words(value).startswith("[1, [1, [1, ")


@pytest.mark.parametrize(
    "value", [[[[[list(range(50))] * 50] * 50] * 50], list(range(10**6)), {i: [i] for i in range(10**5)}]
)
def test_large_values_are_cut_and_remain_expressions(value: object) -> None:
    text = words(value)
    assert len(text) < 6000
    compile(text, "", "eval")


def test_secrets_are_not_written_down() -> None:
    value = {"password": "hush", "inner": types.SimpleNamespace(api_key="hush"), "more": [{"token": ["hush"]}]}
    assert "hush" not in words(value)
