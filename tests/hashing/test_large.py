"""Large arrays: hashed once, although many calls are given them; no change is missed that stays."""

import dataclasses
import gc
import weakref

import numpy as np
import pandas as pd
import pytest

from ezpyp.hashing.encode import encode, value_digest
from ezpyp.hashing.large_arrays import LARGE_BYTES, LargeBuffers
from ezpyp.hashing.libraries import arrays

SIZE = LARGE_BYTES // 8


class Counting:
    """Hashes as the walk does, and counts how often."""

    def __init__(self, hash_anew):
        self.count = 0
        self._hash_anew = hash_anew

    def __call__(self, array):
        self.count += 1
        return self._hash_anew(array)


@pytest.fixture
def hashed(monkeypatch):
    counting = Counting(arrays.values_digest)
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
    assert hashed.count == 1


def test_each_column_of_a_frame_is_hashed_once(hashed):
    frame = pd.DataFrame(np.random.default_rng(1).random((SIZE // 8, 16)))

    assert len({encode([frame], ["x"]) for _ in range(50)}) == 1
    assert hashed.count == 16


def test_small_arrays_are_hashed_at_each_call(hashed):
    array = np.zeros(SIZE - 1)
    buffers = LargeBuffers()

    for _ in range(3):
        buffers.digest(array, hashed)

    assert hashed.count == 3


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


def test_hidden_change_is_found_in_the_next_pass(hashed):
    buffers, array = LargeBuffers(), np.zeros(SIZE)
    before = buffers.digest(array, hashed)
    array[4321] = 1
    assert buffers.digest(array, hashed) == before

    with buffers.checking():
        found = {buffers.digest(array, hashed) for _ in range(9)}

    assert hashed.count == 2
    assert found == {hashed(array)} != {before}


def test_array_that_was_hashed_long_ago_is_hashed_again(hashed):
    now = [0.0]
    buffers, array = LargeBuffers(lambda: now[0]), np.zeros(SIZE)
    before = buffers.digest(array, hashed)
    array[4321] = 1
    now[0] = 6.0

    assert buffers.digest(array, hashed) != before


def test_memory_that_others_may_change_is_always_hashed(tmp_path, hashed):
    array = np.memmap(tmp_path / "data", "f8", "w+", shape=SIZE)
    other = np.memmap(tmp_path / "data", "f8", "r+")

    first = encode([array], ["x"])
    other[4321] = 1

    assert encode([array], ["x"]) != first
    assert hashed.count == 2


def test_memory_map_counts_by_content(tmp_path):
    array = np.arange(10.0)
    array.tofile(tmp_path / "data")
    array.tofile(tmp_path / "other")

    digests = {value_digest(np.memmap(tmp_path / name, "f8", "r")) for name in ("data", "other")}

    assert len(digests) == 1
    assert digests != {value_digest(np.memmap(tmp_path / "data", "f8", "r", shape=9))}


def test_nothing_is_held_alive():
    array = np.zeros(SIZE)
    buffers = LargeBuffers()
    buffers.digest(array, arrays.values_digest)
    ghost = weakref.ref(array)
    del array
    gc.collect()

    assert ghost() is None
    assert not buffers._known


def test_array_in_the_place_of_a_dead_one_is_hashed(hashed):
    buffers = LargeBuffers()
    digests = []
    for number in range(5):
        array = np.zeros(SIZE)
        array[4321] = number
        digests.append(buffers.digest(array, hashed))
        del array

    assert len(set(digests)) == 5


def test_global_that_code_reads_is_hashed_each_time(hashed):
    array = np.zeros(SIZE)
    space = {"array": array}
    exec("def reader():\n    return array", space)
    before = encode([space["reader"]], ["x"])
    array[4321] = 1

    assert encode([space["reader"]], ["x"]) != before
