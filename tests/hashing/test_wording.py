"""The text of a captured value says which part of it changed, whatever kind of value that is."""

import collections
import datetime as dt
import enum
import re
import types
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from ezpyp.hashing import File
from ezpyp.hashing._inside import inside, is_told_by_digest
from ezpyp.hashing._short import says_itself, short_digest
from ezpyp.hashing._wording import wording


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
    "path": ([Path("a")], [Path("b")], "[0]", "'a'", "'b'"),
    "bytes": ([b"a"], [b"b"], "[0]", "b'a'", "b'b'"),
    "long text": (["x" * 5000], ["x" * 4999 + "y"], "[0]", f"str('{'x' * 40}', 5000)", f"str('{'x' * 40}', 5000)"),
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
