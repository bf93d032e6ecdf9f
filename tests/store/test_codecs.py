"""What every codec promises, one suite run over each of them; and what is special about each."""

import contextlib
import enum
import io
import mmap
import pickle
import random
import re
import subprocess
import sys
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ezpyp.errors import CodecError, EzpypError, UnknownCodecError
from ezpyp.store.codecs import encoded as codecs
from ezpyp.store.codecs.encoded import decode_result, encode_result, get_codec, register_codec
from ezpyp.store.codecs.protocol import Codec


class ParquetCodec:
    """Tables of pyarrow as Parquet files: the example of a codec of one's own."""

    name = "parquet"
    version = 1
    suffix = ".parquet"
    title = "Parquet"

    def encode(self, value: object) -> list[memoryview]:
        if not isinstance(value, pa.Table):
            raise TypeError(f"the result is a {type(value).__qualname__}, no pyarrow table")
        sink = pa.BufferOutputStream()
        pq.write_table(value, sink)
        return [memoryview(sink.getvalue())]

    def decode(self, data: memoryview) -> object:
        return pq.read_table(pa.BufferReader(data))


@dataclass
class Point:
    x: float
    y: float


def local_function() -> object:
    return lambda x: x + 1


PLAIN = [
    None,
    True,
    0,
    -(2**200),
    1.5,
    float("inf"),
    "snow ☃",
    "\ud800",
    b"\x00\xff",
    (1, (2.0, "three")),
    {"a": [1, 2], 3: {4}},
    Point(1.0, 2.0),
    bytes(100_000),
    list(range(50_000)),
    np.float64(0.1),
    np.arange(12).reshape(3, 4),
    {"model": np.ones((300, 300)), "labels": np.array(["a", "bc"])},
    np.array([1, None, "x"], dtype=object),
]
ARRAYS = [
    np.arange(12.0).reshape(3, 4).T,
    np.empty((3, 0)),
    np.zeros(2, dtype=[(f"a_rather_long_name_of_field_{number}", "f8") for number in range(2000)]),
    np.zeros(2, dtype=[("größe", "f8"), ("☃", "i4")]),
    np.zeros(2, dtype=np.dtype([("a", "u1"), ("b", "f8")], align=True)),
    np.array([1, 2], dtype="m8[s]"),
    np.array([b"ab", b"c"]),
    np.arange(24).reshape(2, 3, 4)[:, ::2],
    np.arange(5)[::-1],
]
VALUES: dict[str, list[object]] = {
    "pickle": PLAIN,
    "cloudpickle": PLAIN,
    "numpy": [
        np.arange(12).reshape(3, 4),
        np.array(5.0),
        np.empty((0, 3)),
        np.ones((200, 300), order="F"),
        np.array(["a", "bcd"]),
        np.array(["2026-01-01", "NaT"], dtype="datetime64[D]"),
        np.zeros(3, dtype=[("x", "f8"), ("name", "U5")]),
        np.zeros(3, dtype=">i4"),
        np.array([True, False]),
        np.array([1 + 2j]),
        *ARRAYS,
    ],
    "json": [
        None,
        {"a": [1, 2.5, "x", None, True], "b": {}},
        [],
        "snow ☃",
        0.1,
        2**100,
        {"rows": [{"x": i, "y": i / 7} for i in range(2000)]},
    ],
    "parquet": [
        pa.table({"x": [1, 2, None], "name": ["a", "b", "c"]}),
        pa.table({"x": np.arange(10_000)}),
    ],
}
CASES = [(name, value) for name, values in VALUES.items() for value in values]


@pytest.fixture(autouse=True)
def _parquet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "_CODECS", dict(codecs._CODECS))
    register_codec(ParquetCodec())


@pytest.fixture(params=VALUES)
def codec(request: pytest.FixtureRequest) -> Codec:
    return get_codec(request.param)


def written(codec: Codec, value: object) -> bytes:
    return b"".join(codec.encode(value))


def same(left: object, right: object) -> bool:
    """Equal in type and value, down to the leaves."""
    if type(left) is not type(right):
        return False
    if isinstance(left, np.ndarray) and isinstance(right, np.ndarray):
        return left.dtype == right.dtype and left.shape == right.shape and left.tolist() == right.tolist()
    if isinstance(left, dict) and isinstance(right, dict):
        return list(left) == list(right) and all(map(same, left.values(), right.values()))
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        return len(left) == len(right) and all(map(same, left, right))
    return bool(left == right)


def mangled(data: bytes, count: int) -> Iterator[bytes]:
    """Cut off, emptied, replaced, and with single bytes changed."""
    chance = random.Random(7)
    yield from (b"", data[:-1], data[: len(data) // 2], data[:10], b"rubbish", bytes(len(data)))
    for _ in range(count):
        position = chance.randrange(len(data))
        yield data[:position] + bytes([data[position] ^ chance.randrange(1, 256)]) + data[position + 1 :]


@pytest.mark.parametrize(("name", "value"), CASES, ids=lambda value: str(value)[:20])
def test_a_value_comes_back_as_it_was_by_the_codec_asked_for(name: str, value: object) -> None:
    encoded, again = encode_result(value, name), encode_result(value, name)
    data = b"".join(encoded.pieces)

    assert (encoded.codec, encoded.suffix, encoded.fallback) == (name, get_codec(name).suffix, None)
    assert (encoded.size, encoded.digest) == (len(data), again.digest)
    for memory in (bytes, bytearray):
        back = get_codec(name).decode(memoryview(memory(data)))
        assert same(back, value)
        if isinstance(back, np.ndarray):  # it is the caller's own
            assert back.flags.writeable
            assert back.flags.aligned


def test_damaged_bytes_never_give_a_foreign_error(codec: Codec) -> None:
    value = VALUES[codec.name][-1] if codec.name in ("numpy", "parquet") else {"a": [1, "x"], "b": [2.5] * 20}
    for data in mangled(written(codec, value), 200):
        with contextlib.suppress(EzpypError):
            decode_result(data, codec.name, 1)


def test_cut_off_bytes_are_an_error(codec: Codec) -> None:
    data = written(codec, VALUES[codec.name][-1])
    for size in (0, 1, 8, len(data) // 2, len(data) - 1):
        with pytest.raises(EzpypError, match=r"run the pipeline again|cannot be built"):
            decode_result(data[:size], codec.name, 1)


def test_bytes_of_a_later_version_are_refused(codec: Codec) -> None:
    with pytest.raises(CodecError, match=rf"version 2 of the codec '{codec.name}'.*update"):
        decode_result(written(codec, VALUES[codec.name][0]), codec.name, 2)


def test_what_a_codec_refuses_another_stores(codec: Codec) -> None:
    encoded = encode_result(local_function(), codec.name)

    assert encoded.codec == "cloudpickle"
    assert (encoded.fallback is None) == (codec.name == "cloudpickle")
    assert encoded.fallback is None or encoded.fallback.startswith(f"{codec.name}: ")
    back = decode_result(b"".join(encoded.pieces), encoded.codec, encoded.version)
    assert callable(back)
    assert back(1) == 2


# The register.


class Text:
    def __init__(self, name: str = "text", version: object = 1, suffix: str = ".txt") -> None:
        self.name, self.version, self.suffix, self.title = name, version, suffix, "Text"

    def encode(self, value: object) -> Sequence[bytes]:
        return [str.encode(value)]  # type: ignore[arg-type]

    def decode(self, data: memoryview) -> object:
        return bytes(data).decode()


def test_a_registered_codec_is_used_falls_back_and_may_be_replaced() -> None:
    second = Text()
    register_codec(Text())  # type: ignore[arg-type]
    register_codec(second)  # type: ignore[arg-type]

    assert get_codec("text") is second
    assert encode_result("abc", "text").pieces == (b"abc",)
    assert decode_result(b"abc", "text", 1) == "abc"
    assert encode_result(5, "text").codec == "pickle"


@pytest.mark.parametrize(
    ("codec", "message"),
    [
        *((Text(name), "ezpyp's own") for name in ("pickle", "cloudpickle", "numpy", "json")),
        (Text("Text"), "lower-case"),
        (Text("a/b"), "lower-case"),
        (Text(suffix="txt"), "suffix"),
        (Text(suffix="./x"), "suffix"),
        (Text(suffix=".damaged"), "suffix"),
        (Text(suffix=".tmp"), "suffix"),
        (Text(version=0), "version"),
        (Text(version="1"), "version"),
        (Text(version=True), "version"),
    ],
)
def test_what_cannot_stand_in_a_row_or_a_file_name_is_refused(codec: Text, message: str) -> None:
    with pytest.raises(CodecError, match=message):
        register_codec(codec)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "ask", [get_codec, lambda name: encode_result(1, name), lambda name: decode_result(b"", name, 1)]
)
def test_an_unknown_codec_is_an_error_that_lists_the_known(ask: object) -> None:
    with pytest.raises(UnknownCodecError, match=r"no codec 'hdf5'.*cloudpickle, json, numpy, parquet, pickle"):
        ask("hdf5")  # type: ignore[operator]


# numpy: its own files.


@pytest.mark.filterwarnings("ignore:Stored array in format")
@pytest.mark.parametrize("array", ARRAYS, ids=lambda array: f"{str(array.dtype)[:20]}{array.shape}")
def test_numpy_itself_reads_the_file_and_the_codec_reads_numpys(array: Any) -> None:
    file = io.BytesIO()
    np.save(file, array)
    codec = get_codec("numpy")

    assert same(np.load(io.BytesIO(written(codec, array)), max_header_size=1_000_000), array)
    assert same(codec.decode(memoryview(file.getvalue())), array)


@pytest.mark.parametrize("order", ["C", "F"])
def test_an_array_is_copied_neither_way(order: Any) -> None:
    array = np.asarray(np.arange(10_000).reshape(100, 100), order=order)
    codec = get_codec("numpy")
    _, data = codec.encode(array)
    stored = memoryview(bytearray(written(codec, array)))
    back: Any = codec.decode(stored)

    assert np.shares_memory(np.frombuffer(data, "u1"), array)
    assert np.shares_memory(back, np.frombuffer(stored, "u1"))
    assert back.flags[f"{order}_CONTIGUOUS"]


def test_a_memmap_is_stored_as_the_array_that_it_shows(tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.arange(10))

    back: Any = get_codec("numpy").decode(
        memoryview(written(get_codec("numpy"), np.load(tmp_path / "x.npy", mmap_mode="r")))
    )

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
    data = written(get_codec("numpy"), np.arange(10))
    assert damage(data) != data

    with pytest.raises((ValueError, TypeError), match=r"bytes|header|begin|buffer|object"):
        get_codec("numpy").decode(memoryview(damage(data)))


def test_numpy_is_not_imported_for_values_that_are_no_arrays() -> None:
    code = """
import sys
from ezpyp.store.codecs.encoded import encode_result
for codec in ("numpy", "pickle", "cloudpickle", "json"):
    encode_result({"a": [1, 2]}, codec)
assert "numpy" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


# Pickles: large buffers beside the stream.


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
    back = pickle.loads(written(get_codec(name), {"a": [1, 2.5], "small": np.arange(10)}))

    assert (back["a"], back["small"].tolist()) == ([1, 2.5], list(range(10)))


def test_large_buffers_and_bytes_are_not_copied_when_written(name: str) -> None:
    array, picture = np.arange(100_000), bytes(200_000)

    pieces = get_codec(name).encode({"x": array, "png": picture})

    assert any(np.shares_memory(np.frombuffer(piece, "u1"), array) for piece in pieces if len(piece) > 8)
    assert any(piece is picture for piece in pieces)


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


def test_sizes_that_do_not_add_up_are_refused(name: str) -> None:
    data = bytearray(b"".join(get_codec(name).encode([np.arange(100_000)])))
    for extra in (data[:-1], data + b"x", data[:40], data[:16]):
        with pytest.raises(ValueError, match="header"):
            get_codec(name).decode(memoryview(extra))


# JSON: only what comes back as it was.


class Colour(enum.IntEnum):
    RED = 1


CYCLE: list[object] = []
CYCLE.append(CYCLE)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ((1, 2), "the result is a tuple, which JSON would not give back"),
        ({"a": [1, (2,)]}, r"the result\['a'\]\[1\] is a tuple"),
        ({1: "x"}, "the result has the key 1,"),
        ({"x": {None: 1}}, r"the result\['x'\] has the key None"),
        (Colour.RED, "the result is a Colour"),
        (OrderedDict(a=1), "the result is a OrderedDict"),
        ({1, 2}, "set is not JSON serializable"),
        (float("nan"), "Out of range float"),
        ([float("inf")], "Out of range float"),
        ("\ud800", "surrogates not allowed"),
        (CYCLE, "Circular reference"),
        (b"x", "bytes is not JSON serializable"),
    ],
    ids=lambda value: "cycle" if value is CYCLE else repr(value)[:30],
)
def test_what_json_would_change_is_pickled(value: object, reason: str) -> None:
    encoded = encode_result(value, "json")

    assert encoded.codec == "pickle"
    assert re.search(reason, encoded.fallback or "")
