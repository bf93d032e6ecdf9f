"""The numpy codec: numpy's own files, and what they cannot keep."""

import io
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ezpyp.store.codecs.encoded import encode_result
from ezpyp.store.codecs.registry import get_codec

CODEC = get_codec("numpy")
LONG_NAMES = [(f"a_rather_long_name_of_field_{number}", "f8") for number in range(2000)]


def data_of(array: object) -> bytes:
    return b"".join(CODEC.encode(array))


@pytest.mark.filterwarnings("ignore:Stored array in format")
@pytest.mark.parametrize(
    "array",
    [
        np.arange(12.0).reshape(3, 4),
        np.arange(12.0).reshape(3, 4).T,
        np.array(3),
        np.empty((3, 0)),
        np.zeros(2, dtype=LONG_NAMES),
        np.zeros(2, dtype=[("größe", "f8"), ("☃", "i4")]),
        np.zeros(2, dtype=np.dtype([("a", "u1"), ("b", "f8")], align=True)),
        np.array([1, 2], dtype="m8[s]"),
        np.array([b"ab", b"c"]),
        np.arange(24).reshape(2, 3, 4)[:, ::2],
        np.arange(5)[::-1],
    ],
    ids=lambda array: f"{str(array.dtype)[:20]}{array.shape}",
)
def test_numpy_itself_reads_the_file_and_the_codec_reads_numpys(array: Any) -> None:
    file = io.BytesIO()
    np.save(file, array)

    by_numpy = np.load(io.BytesIO(data_of(array)), max_header_size=1_000_000)
    by_codec: Any = CODEC.decode(memoryview(file.getvalue()))

    for back in (by_numpy, by_codec):
        assert back.dtype == array.dtype
        assert back.shape == array.shape
        assert back.tolist() == array.tolist()


def test_nothing_is_copied_either_way() -> None:
    array = np.arange(100_000)
    _, data = CODEC.encode(array)
    stored = memoryview(bytearray(data_of(array)))

    assert np.shares_memory(np.frombuffer(data, "u1"), array)
    assert np.shares_memory(CODEC.decode(stored), np.frombuffer(stored, "u1"))  # type: ignore[arg-type]


def test_fortran_order_is_kept_without_a_copy() -> None:
    array = np.asfortranarray(np.arange(10_000).reshape(100, 100))
    _, data = CODEC.encode(array)

    assert np.shares_memory(np.frombuffer(data, "u1"), array)
    assert CODEC.decode(memoryview(data_of(array))).flags.f_contiguous  # type: ignore[attr-defined]


def test_a_memmap_is_stored_as_the_array_that_it_shows(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(10))

    back = CODEC.decode(memoryview(data_of(np.load(tmp_path / "x.npy", mmap_mode="r"))))

    assert type(back) is np.ndarray
    assert back.tolist() == list(range(10))


@pytest.mark.parametrize(
    "value",
    [
        5,
        [1, 2],
        np.float64(1.5),
        np.array([1, None]),
        np.ma.masked_array([1, 2], mask=[True, False]),
        np.rec.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
        np.zeros(2, dtype=np.dtype("f8", metadata={"unit": "m"})),
        np.zeros(2, dtype="V0"),
    ],
    ids=str,
)
def test_what_the_format_would_lose_is_pickled(value: object) -> None:
    encoded = encode_result(value, "numpy")

    assert encoded.codec == "pickle"
    assert encoded.fallback is not None
    assert encoded.fallback.startswith("numpy: ")


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[:-1],
        lambda data: data + b"x",
        lambda data: data.replace(b"descr", b"dexcr"),
        lambda data: data.replace(b"(10,)", b"(11,)"),
        lambda data: data.replace(b"'<i8'", b"'|O8'"),
        lambda data: data.replace(b"\x93NUMPY\x01", b"\x93NUMPY\x09"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(damage: Any) -> None:
    data = data_of(np.arange(10))
    assert damage(data) != data

    with pytest.raises((ValueError, TypeError), match=r"bytes|header|begin|buffer|object"):
        CODEC.decode(memoryview(damage(data)))


def test_numpy_is_not_imported_for_values_that_are_no_arrays() -> None:
    code = """
import sys
from ezpyp.store.codecs.encoded import encode_result
for codec in ("numpy", "pickle", "cloudpickle", "json"):
    encode_result({"a": [1, 2]}, codec)
assert "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[3])
