"""What every codec promises; one suite, run over each of them."""

import contextlib
import random
import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from ezpyp.errors import CodecError, EzpypError
from ezpyp.store.codecs import registry as codecs
from ezpyp.store.codecs.encoded import decode_result, encode_result
from ezpyp.store.codecs.protocol import Codec
from ezpyp.store.codecs.registry import get_codec, register_codec


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


def test_the_helper_tells_values_apart() -> None:
    assert not same(1, True)
    assert not same([1], (1,))
    assert not same({"a": np.ones(2)}, {"a": np.ones(2, dtype="f4")})


@pytest.mark.parametrize(("name", "value"), CASES, ids=lambda value: str(value)[:20])
@pytest.mark.parametrize("memory", [bytes, bytearray], ids=["read-only", "writable"])
def test_a_value_comes_back_as_it_was(name: str, value: object, memory: type) -> None:
    codec = get_codec(name)

    back = codec.decode(memoryview(memory(written(codec, value))))

    assert same(back, value)


@pytest.mark.parametrize(("name", "value"), CASES, ids=lambda value: str(value)[:20])
def test_the_codec_asked_for_is_the_one_taken(name: str, value: object) -> None:
    encoded = encode_result(value, name)

    assert (encoded.codec, encoded.suffix, encoded.fallback) == (name, get_codec(name).suffix, None)
    assert encoded.size == len(b"".join(encoded.pieces))


@pytest.mark.parametrize(("name", "value"), CASES, ids=lambda value: str(value)[:20])
def test_one_value_gives_one_digest(name: str, value: object) -> None:
    assert encode_result(value, name).digest == encode_result(value, name).digest


@pytest.mark.parametrize("memory", [bytes, bytearray], ids=["read-only", "writable"])
def test_arrays_may_be_changed_by_who_loads_them(codec: Codec, memory: type) -> None:
    for value in VALUES[codec.name]:
        back = codec.decode(memoryview(memory(written(codec, value))))
        if isinstance(back, np.ndarray):
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


def test_names_fit_rows_files_and_output_lines(codec: Codec) -> None:
    assert re.fullmatch(r"[a-z]+", codec.name)
    assert re.fullmatch(r"\.[a-z]+", codec.suffix)
    assert re.fullmatch(r"[A-Z][a-z]+", codec.title)
    assert codec.version == 1


def test_what_a_codec_refuses_another_stores(codec: Codec) -> None:
    encoded = encode_result(local_function(), codec.name)

    assert encoded.codec == "cloudpickle"
    assert (encoded.fallback is None) == (codec.name == "cloudpickle")
    assert encoded.fallback is None or encoded.fallback.startswith(f"{codec.name}: ")
    back = decode_result(b"".join(encoded.pieces), encoded.codec, encoded.version)
    assert callable(back)
    assert back(1) == 2
