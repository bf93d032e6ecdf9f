"""Pickle and cloudpickle: large buffers beside the stream, nothing copied."""

import io
import mmap
import pickle
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from ezpyp.store.codecs.registry import get_codec


@pytest.fixture(params=["pickle", "cloudpickle"])
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def private(data: bytes, folder: Path) -> memoryview:
    """The bytes as they come from an object file."""
    path = folder / "object"
    path.write_bytes(data)
    with path.open("rb") as file:
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


def test_without_large_buffers_any_unpickler_reads_it(name: str) -> None:
    value = {"a": [1, 2.5], "small": np.arange(10)}

    back = pickle.loads(b"".join(get_codec(name).encode(value)))

    assert back["a"] == [1, 2.5]
    assert back["small"].tolist() == list(range(10))


def test_large_buffers_are_not_copied_when_written(name: str) -> None:
    array = np.arange(100_000)

    pieces = get_codec(name).encode({"x": array})

    assert any(np.shares_memory(np.frombuffer(piece, "u1"), array) for piece in pieces if len(piece) > 8)


def test_large_bytes_are_not_copied_when_written(name: str) -> None:
    picture = bytes(200_000)

    assert any(piece is picture for piece in get_codec(name).encode({"png": picture}))


def test_large_arrays_point_into_the_file_aligned(name: str, tmp_path: Path) -> None:
    value = {"x": np.arange(100_003, dtype="u1"), "y": np.ones(50_000), "z": [np.ones((30, 700), order="F")]}
    data = private(b"".join(get_codec(name).encode(value)), tmp_path)

    back = get_codec(name).decode(data)

    whole = np.frombuffer(data, "u1")
    for array in (back["x"], back["y"], back["z"][0]):  # type: ignore[index]
        assert np.shares_memory(array, whole)
        assert array.ctypes.data % 64 == 0
    assert back["z"][0].flags.f_contiguous  # type: ignore[index]


def test_a_change_by_the_reader_stays_its_own(name: str, tmp_path: Path) -> None:
    data = b"".join(get_codec(name).encode([np.zeros(100_000)]))

    (array,) = get_codec(name).decode(private(data, tmp_path))  # type: ignore[misc]
    array[:] = 1

    assert (tmp_path / "object").read_bytes() == data


def test_large_arrays_from_read_only_bytes_may_be_changed(name: str) -> None:
    data = b"".join(get_codec(name).encode([np.zeros(100_000)]))
    assert data.startswith(b"ezpyp buffers")

    (array,) = get_codec(name).decode(memoryview(data))  # type: ignore[misc]

    array[0] = 1


def test_a_read_only_array_stays_read_only(name: str, tmp_path: Path) -> None:
    array = np.arange(100_000)
    array.flags.writeable = False

    (back,) = get_codec(name).decode(private(b"".join(get_codec(name).encode([array])), tmp_path))  # type: ignore[misc]

    assert not back.flags.writeable


def test_one_array_referred_to_twice_is_stored_once_and_stays_one(name: str) -> None:
    array = np.arange(100_000)
    data = b"".join(get_codec(name).encode([array, array]))

    first, second = get_codec(name).decode(memoryview(bytearray(data)))  # type: ignore[misc]

    assert first is second
    assert len(data) < 1.01 * array.nbytes


def test_a_table_of_pandas_keeps_its_columns_beside_the_stream(name: str) -> None:
    frame = pd.DataFrame({"x": np.arange(50_000), "y": np.ones(50_000), "name": ["a"] * 50_000})
    data = b"".join(get_codec(name).encode(frame))

    back = get_codec(name).decode(memoryview(bytearray(data)))

    pd.testing.assert_frame_equal(back, frame)
    assert data.startswith(b"ezpyp buffers 1\n")


def test_hundreds_of_buffers_of_odd_sizes_come_back(name: str) -> None:
    arrays = [np.full(16 * 1024 + size, size % 251, dtype="u1") for size in range(300)]

    back = get_codec(name).decode(memoryview(bytearray(b"".join(get_codec(name).encode(arrays)))))

    assert all(map(np.array_equal, back, arrays))  # type: ignore[call-overload]


def test_sizes_that_do_not_add_up_are_refused(name: str) -> None:
    data = bytearray(b"".join(get_codec(name).encode([np.arange(100_000)])))
    for extra in (data[:-1], data + b"x", data[:40], data[:16]):
        with pytest.raises(ValueError, match="header"):
            get_codec(name).decode(memoryview(extra))


def test_pickle_reads_what_another_program_wrote() -> None:
    file = io.BytesIO()
    pickle.dump([1, 2], file, protocol=2)

    assert get_codec("pickle").decode(memoryview(file.getvalue())) == [1, 2]
