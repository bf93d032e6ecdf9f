"""Large arrays: hashed once, although many calls are given them; no change is missed that stays."""

import dataclasses
import gc
import weakref
from contextlib import nullcontext
from unittest.mock import Mock

import numpy as np
import pandas as pd
import pytest

from ezpyp.hashing.encode import encode, value_digest
from ezpyp.hashing.large_arrays import LARGE_BYTES, LargeBuffers
from ezpyp.hashing.libraries import arrays

SIZE = LARGE_BYTES // 8


@pytest.fixture
def hashed(monkeypatch):
    """Hashes as the walk does; ``call_count`` says how often that was done."""
    counting = Mock(side_effect=arrays.values_digest)
    monkeypatch.setattr(arrays, "values_digest", counting)
    return counting


@dataclasses.dataclass
class Box:
    content: object


HOLDERS = {
    "bare": lambda array: array,
    "in a list": lambda array: [1, array],
    "in a dict": lambda array: {"a": {"b": array}},
    "in a dataclass": Box,
    "in a view": lambda array: array[:],
    "in a frame": lambda array: pd.DataFrame(array, copy=False),
    "in a series": lambda array: pd.Series(array, copy=False),
}


@pytest.mark.parametrize("hold", HOLDERS.values(), ids=HOLDERS)
def test_array_given_to_many_calls_is_hashed_once(hold, hashed):
    array = np.random.default_rng(1).random(SIZE)

    digests = {encode([hold(array), i % 2], ["x", "i"]) for i in range(200)}

    assert len(digests) == 2
    assert hashed.call_count == 1


@pytest.mark.parametrize(
    ("value", "times"),
    [
        (np.zeros(SIZE), 1),
        (pd.DataFrame(np.random.default_rng(1).random((SIZE // 8, 16))), 16),
        (np.zeros(SIZE - 1), 3),
    ],
    ids=["array", "each column of a frame", "small array"],
)
def test_how_often_is_hashed_what_three_calls_are_given(value, times, hashed):
    assert len({encode([value], ["x"]) for _ in range(3)}) == 1
    assert hashed.call_count == times


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", ["f8", "u1", "c16", "M8[ns]", "U3", "i4,f8"])
def test_digest_of_a_remembered_array_is_that_of_a_copy(dtype, order):
    array = np.zeros((1 << 10, LARGE_BYTES >> 8), dtype, order)

    for value in (array, array[::2], array[:, ::3], array.T, array[::-1]):
        assert encode([value], ["x"]) == encode([value], ["x"]) == encode([value.copy("A")], ["x"])


CHANGES = {
    "all": lambda array: array.__iadd__(1),
    "first": lambda array: array.__setitem__(0, 1),
    "last": lambda array: array.__setitem__(-1, 1),
    "a tenth": lambda array: array[SIZE // 2 : SIZE // 2 + SIZE // 10].fill(1),
    "every hundredth": lambda array: array[::100].fill(1),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_change_between_two_calls_is_seen(change):
    array = np.zeros(SIZE)
    before = encode([array], ["x"])
    change(array)

    assert encode([array], ["x"]) == encode([array.copy()], ["x"]) != before


def test_one_changed_row_is_seen_after_some_uses():
    array = np.zeros((SIZE // 512, 512))
    before = encode([array], ["x"])
    array[7:15] = 1

    assert before != encode([array], ["x"]) or any(encode([array], ["x"]) != before for _ in range(100))


@pytest.mark.parametrize("way", ["next pass", "long after"])
def test_hidden_change_is_found(way, hashed):
    now = [0.0]
    buffers, array = LargeBuffers(lambda: now[0]), np.zeros(SIZE)
    before = buffers.digest(array, hashed)
    array[4321] = 1
    assert buffers.digest(array, hashed) == before
    now[0] = 6.0 if way == "long after" else 0.0

    with buffers.checking() if way == "next pass" else nullcontext():
        found = {buffers.digest(array, hashed) for _ in range(9)}

    assert hashed.call_count == 2
    assert found == {hashed(array)} != {before}


def test_memory_that_others_may_change_is_always_hashed(tmp_path, hashed):
    array = np.memmap(tmp_path / "data", "f8", "w+", shape=SIZE)
    other = np.memmap(tmp_path / "data", "f8", "r+")

    first = encode([array], ["x"])
    other[4321] = 1

    assert encode([array], ["x"]) != first
    assert hashed.call_count == 2


def test_memory_map_counts_by_content(tmp_path):
    array = np.arange(10.0)
    array.tofile(tmp_path / "data")
    array.tofile(tmp_path / "other")

    digests = {value_digest(np.memmap(tmp_path / name, "f8", "r")) for name in ("data", "other")}

    assert len(digests) == 1
    assert digests != {value_digest(np.memmap(tmp_path / "data", "f8", "r", shape=9))}


def test_array_in_the_place_of_a_dead_one_is_hashed_and_none_is_held_alive():
    buffers = LargeBuffers()
    digests = set()
    for number in range(5):
        array = np.zeros(SIZE)
        array[4321] = number
        digests.add(buffers.digest(array, arrays.values_digest))
        ghost = weakref.ref(array)
        del array
        gc.collect()
        assert ghost() is None

    assert len(digests) == 5
    assert not buffers._known


def test_global_that_code_reads_is_hashed_each_time(hashed):
    array = np.zeros(SIZE)
    space = {"array": array}
    exec("def reader():\n    return array", space)
    before = encode([space["reader"]], ["x"])
    array[4321] = 1

    assert encode([space["reader"]], ["x"]) != before
