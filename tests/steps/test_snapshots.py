"""Large arrays of arguments: every step has its own, and nothing is copied whole for it."""

import gc
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ezpyp.errors import ArgumentMutatedError
from ezpyp.hashing.encode import encode, value_digest
from ezpyp.hashing.large_arrays import LARGE_BUFFERS, LARGE_BYTES
from ezpyp.steps import copying as module
from ezpyp.steps.arguments import fill
from ezpyp.steps.copying import Snapshots

from ..mpi import ROOT, clean_environ

SHAPE = (1 << 10, LARGE_BYTES >> 12)


def large(dtype="f8", order="C"):
    array = np.zeros(SHAPE, dtype, order)
    array[3, 5] = 1
    return array


def checked(*values, times=3):
    """Snapshots for values that so many steps are given."""
    with LARGE_BUFFERS.checking():
        for _ in range(times):
            encode(values, [f"args[{i}]" for i in range(len(values))])
    return Snapshots(LARGE_BUFFERS.uses())


def frozen(array):
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(
    "array",
    [
        large(),
        large(order="F"),
        large()[::2],
        large()[:, ::-1],
        large("f8").reshape(4, 256, -1).transpose(1, 2, 0),
        large("i4,f8"),
        large(np.dtype("i1,f8", align=True)),
        large("M8[ns]"),
        large("U3"),
        large("?"),
        large(">i4"),
        large("c16"),
        frozen(large()),
        np.broadcast_to(np.arange(1024.0), (1024, 1024)),
    ],
    ids=lambda array: f"{array.dtype}-{array.strides}",
)
def test_copy_is_what_the_original_is(array):
    snapshots = checked(array)

    for _ in range(3):
        (made,) = fill((array,), (), (), snapshots)
        assert type(made) is np.ndarray
        assert (made.dtype, made.shape) == (array.dtype, array.shape)
        assert made.flags.writeable == array.flags.writeable
        assert made.flags.f_contiguous == array.flags.f_contiguous
        assert made.flags.c_contiguous or array.flags.f_contiguous
        assert value_digest(made) == value_digest(array)
        assert not np.shares_memory(made, array)


def test_memory_map_becomes_memory_of_its_own(tmp_path):
    array = np.memmap(tmp_path / "data", "f8", "w+", shape=SHAPE)
    snapshots = checked(array)

    (made,) = fill((array,), (), (), snapshots)
    made[0, 0] = 7

    assert isinstance(made, np.memmap)
    assert array[0, 0] == 0


def test_what_a_step_writes_is_seen_by_nobody_else():
    array = large()
    snapshots = checked(array)
    first, second = (fill((array,), (), (), snapshots)[0] for _ in range(2))

    array[7, 7] = 6  # later steps get the snapshot, whatever happens to the original
    (third,) = fill((array,), (), (), snapshots)
    first[0, 0] = 7
    second[3, 5] = 9

    assert (first[0, 0], second[0, 0], third[0, 0], array[0, 0]) == (7, 0, 0, 0)
    assert (first[3, 5], second[3, 5], third[3, 5], array[3, 5]) == (1, 9, 1, 1)
    assert third[7, 7] == 0


def test_array_that_stands_twice_in_a_call_is_one():
    array = large()
    bare, (listed, boxed) = fill((array, [array, {"a": array}]), (), (), checked(array))

    assert bare is listed is boxed["a"]


def test_views_of_one_array_become_arrays_of_their_own():
    array = large()
    top, bottom = fill((array[:800], array[:900]), (), (), checked(array))
    top[:] = 5

    assert not (bottom == 5).any()


def test_snapshot_is_written_once_and_goes_with_its_last_user(monkeypatch):
    written = []
    monkeypatch.setattr(module._Pages, "write_array", counted(module._Pages.write_array, written))
    array, other = large(), large()
    snapshots = checked(array, [other])

    for left in (1, 1, 0):
        fill((array, [other]), (), (), snapshots)
        assert len(snapshots._taken) == 2 * left

    assert len(written) == 2


def counted(function, calls):
    def wrapper(*args):
        calls.append(args)
        return function(*args)

    return wrapper


def test_no_descriptor_is_left_open():
    array = large()
    gc.collect()  # what earlier tests left to it
    before = len(os.listdir("/proc/self/fd"))
    snapshots = checked(array)
    made = [fill((array,), (), (), snapshots) for _ in range(3)]
    del made, snapshots
    gc.collect()

    assert len(os.listdir("/proc/self/fd")) == before


def test_array_changed_during_the_run_is_an_error_not_a_wrong_value():
    array = large()
    snapshots = checked(array)
    array[7, 7] = 7

    with pytest.raises(ArgumentMutatedError, match=r"type ndarray and shape \(1024, 1024\) was changed in place"):
        fill((array,), (), (), snapshots)


FRAMES = {
    "columns": lambda: pd.DataFrame({"a": np.arange(1 << 20), "b": np.arange(1 << 20) / 2}),
    "one block": lambda: pd.DataFrame(large(), copy=False),
    "series": lambda: pd.Series(np.arange(1 << 20), name="s"),
    "text": lambda: pd.DataFrame({"a": ["some text"] * (1 << 20)}),
    "objects": lambda: pd.DataFrame({"a": [lambda: 0] + [None] * (1 << 20)}, dtype=object),
    "time zone": lambda: pd.DataFrame({"a": pd.date_range("2020", periods=1 << 20, freq="s", tz="UTC")}),
}


@pytest.mark.parametrize("make", FRAMES.values(), ids=FRAMES)
def test_frame_is_what_the_original_is_and_its_own(make):
    frame = make()
    frame.attrs["unit"] = "K"
    snapshots = checked(frame)

    for _ in range(3):
        (made,) = fill((frame,), (), (), snapshots)
        assert type(made) is type(frame)
        assert value_digest(made) == value_digest(frame)
        first, last = ((0, 0), (-1, 0)) if frame.ndim == 2 else (0, -1)
        before = frame.iloc[first]
        made.iloc[first] = made.iloc[last]
        assert frame.iloc[first] is before or frame.iloc[first] == before


def test_frame_is_not_copied_whole(monkeypatch):
    frame = FRAMES["one block"]()
    snapshots = checked(frame)
    fill((frame,), (), (), snapshots)
    monkeypatch.setattr(pd.DataFrame, "copy", None)

    (made,) = fill((frame,), (), (), snapshots)

    assert made.iloc[3, 5] == 1


@pytest.mark.parametrize("missing", ["memfd_create", "any file"])
def test_without_files_in_memory_arrays_are_still_the_steps_own(missing, monkeypatch):
    if missing == "memfd_create":
        monkeypatch.delattr(os, "memfd_create")
    else:
        monkeypatch.setattr(module, "_nameless_file", no_room)
    array = large()
    snapshots = checked(array)
    first, second = (fill((array,), (), (), snapshots)[0] for _ in range(2))
    first[0, 0] = 7

    assert (second[0, 0], array[0, 0]) == (0, 0)
    assert (second == array).all()


def no_room():
    raise OSError(28, "No space left on device")


MANY = """
import sys, tempfile
import numpy as np
from ezpyp import Pipeline
from tests.memory import peak_bytes as peak

pipeline = Pipeline(tempfile.mkdtemp(), "study")

@pipeline.step
def total(x, i):
    part = x["a"][0] if isinstance(x, dict) else x
    part[i % 1000] = -1.0
    return float(part[2000 + i])

array = np.arange((256 << 20) / 8)
before = peak()
for i in range(300):
    total(array, i)
    total({"a": [array]}, i)
report = pipeline.execute(output="none")
assert report.done == 600 and report.ok, report
assert array[0] == 0
print((peak() - before) / array.nbytes)
"""


def test_memory_stays_below_one_snapshot(tmp_path: Path):
    done = subprocess.run(
        [sys.executable, "-c", MANY], cwd=tmp_path, env={**clean_environ(), "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    # The snapshot, the pages that one step touches, and what importing and running take.
    assert float(done.stdout) < 1.25
