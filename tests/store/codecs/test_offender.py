"""The error of a result that nothing can store names the part."""

import functools
import sqlite3
import threading
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from ezpyp.errors import UnstorableResultError
from ezpyp.store.codecs.encoded import encode_result

LOCK = threading.Lock()
Pair = namedtuple("Pair", "left right")


@dataclass
class Model:
    weights: list[float]
    lock: object = field(default_factory=threading.Lock)


class Slotted:
    __slots__ = ("handle", "other")

    def __init__(self) -> None:
        self.other, self.handle = 1, sqlite3.connect(":memory:")


class Stateful:
    def __getstate__(self) -> tuple[int, object]:
        return (1, LOCK)


class Refusing:
    def __reduce_ex__(self, protocol: object) -> Any:
        raise RuntimeError("never pickle me")


def generate() -> Iterator[int]:
    yield 1


def closure() -> Any:
    lock = LOCK
    return lambda: lock


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "path", "type_name"),
    [
        (LOCK, "result", "_thread.lock"),
        ({"model": Model([1.0])}, "result['model'].lock", "_thread.lock"),
        ([1, 2, (3, generate())], "result[2][1]", "generator"),
        ({LOCK: 1}, "result's key <lock>", "_thread.lock"),
        ({1, 2, LOCK}, "result's element", "_thread.lock"),
        (Pair(1, LOCK), "result.right", "_thread.lock"),
        ([0] * 10_000 + [LOCK], "result[10000]", "_thread.lock"),
        (Slotted(), "result.handle", "sqlite3.Connection"),
        (Stateful(), "result's state[1]", "_thread.lock"),
        ({"a": Refusing()}, "result['a']", "test_offender.Refusing"),
        (closure(), "result's variable lock", "_thread.lock"),
        (Model([1.0]).__eq__, "result.__self__.lock", "_thread.lock"),
        (functools.partial(print, LOCK), None, "_thread.lock"),
        (np.array([[1, LOCK]], dtype=object), "result[0, 1]", "_thread.lock"),
        ({"x": np.zeros(100_000), "y": [LOCK]}, "result['y'][0]", "_thread.lock"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_offending_part_is_named(value: object, path: str | None, type_name: str) -> None:
    with pytest.raises(UnstorableResultError, match="no codec can store the result: result") as caught:
        encode_result(value, "pickle")

    assert path is None or caught.value.path == path
    assert caught.value.type_name.endswith(type_name)
    assert f"{caught.value.path} is a {caught.value.type_name}; " in str(caught.value)


def test_a_generator_is_not_drained_and_advised_against() -> None:
    items = generate()

    with pytest.raises(UnstorableResultError, match="return a list"):
        encode_result({"items": items}, "numpy")

    assert list(items) == [1]


def test_an_open_file_is_advised_against(tmp_path: Any) -> None:
    with (
        (tmp_path / "x").open("wb") as file,
        pytest.raises(UnstorableResultError, match="its path or its content"),
    ):
        encode_result([file], "pickle")


def test_a_cycle_ends() -> None:
    value: dict[str, object] = {"lock": LOCK}
    value["self"] = value

    with pytest.raises(UnstorableResultError, match=r"result\['lock'\] is a _thread.lock"):
        encode_result(value, "pickle")


def test_a_value_nested_too_deeply_is_an_error_of_ours() -> None:
    with pytest.raises(UnstorableResultError, match="recursion"):
        encode_result(nested(100_000), "pickle")


@pytest.mark.parametrize("codec", ["pickle", "numpy", "json", "cloudpickle"])
def test_the_reason_of_every_codec_is_told(codec: str) -> None:
    with pytest.raises(UnstorableResultError, match="cannot pickle") as caught:
        encode_result({"a": LOCK}, codec)

    assert f"({codec}: " in str(caught.value)
    assert "0x" not in str(caught.value)
