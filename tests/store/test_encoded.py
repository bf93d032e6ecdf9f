"""Results as bytes: what is taken where a codec fails, what nothing can store, and the errors of loading."""

import functools
import pickle
import sqlite3
import subprocess
import sys
import threading
import types
from collections import namedtuple
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from xxhash import xxh3_128_digest

from ezpyp.errors import CodecError, DamagedResultError, UnstorableResultError
from ezpyp.store.codecs.encoded import decode_result, encode_result, get_codec

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("value", [5, -1, 2.5, None, True, 10**50, [1, "x"], {"png": bytes(200_000)}])
def test_the_quick_way_for_scalars_writes_what_the_codec_writes_and_the_digest_is_xxh3(value: object) -> None:
    encoded = encode_result(value, "pickle")
    data = b"".join(encoded.pieces)

    assert data == b"".join(get_codec("pickle").encode(value))
    assert (encoded.size, encoded.version, encoded.suffix) == (len(data), 1, ".pickle")
    assert encoded.digest == xxh3_128_digest(data)


def test_falling_back_tells_each_reason_and_nothing_that_differs_from_run_to_run() -> None:
    fallback = encode_result(lambda: None, "numpy").fallback

    assert fallback is not None
    assert fallback.startswith("numpy: the result is a function, no plain numpy array; pickle: ")
    assert "0x" not in fallback


class HungryOnce:
    """Runs out of memory at the first attempt alone."""

    attempts = 0

    def __reduce_ex__(self, protocol: object) -> Any:
        self.attempts += 1
        if self.attempts == 1:
            raise MemoryError("all gone")
        return str, ("fed",)


@pytest.mark.parametrize("codec", ["pickle", "numpy"])
def test_no_memory_is_not_taken_for_a_codec_that_cannot(codec: str) -> None:
    with pytest.raises(MemoryError, match="all gone"):
        encode_result(HungryOnce(), codec)


# What nothing can store.

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
        ({"a": Refusing()}, "result['a']", "test_encoded.Refusing"),
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


def cycle() -> dict[str, object]:
    value: dict[str, object] = {"lock": LOCK}
    value["self"] = value
    return value


def nested(depth: int) -> list[object]:
    value: list[object] = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (cycle(), r"result\['lock'\] is a _thread.lock"),
        (nested(100_000), "recursion"),
        ({"items": generate()}, "return a list"),
        ([sys.stdout], "its path or its content"),
    ],
    ids=["cycle", "nested", "generator", "file"],
)
def test_the_error_says_what_to_do_and_what_each_codec_said(value: object, message: str) -> None:
    for codec in ("pickle", "numpy", "json", "cloudpickle"):
        with pytest.raises(UnstorableResultError, match=message) as caught:
            encode_result(value, codec)
        assert f"({codec}: " in str(caught.value)
        assert "0x" not in str(caught.value)


# Bytes that do not become a value.


class Picky:
    """Pickles well, and refuses to be built again."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __setstate__(self, state: dict[str, Exception]) -> None:
        raise state["error"]


@pytest.mark.parametrize(
    ("lose", "message"),
    [
        (lambda module: sys.modules.pop("lab"), r"No module named 'lab'.*install it"),
        (lambda module: delattr(module, "Model"), "'Model' of the module 'lab', which has it no longer"),
    ],
    ids=["module", "class"],
)
def test_what_is_gone_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch, lose: Any, message: str) -> None:
    module = types.ModuleType("lab")
    exec("class Model: pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "lab", module)
    data = b"".join(encode_result(module.Model(), "pickle").pieces)
    lose(module)

    with pytest.raises(CodecError, match=message):
        decode_result(data, "pickle", 1)


@pytest.mark.parametrize("error", [ValueError("bad"), KeyError("bad"), TypeError("bad"), RecursionError("bad")])
def test_an_error_of_the_class_itself_is_no_damage(error: Exception) -> None:
    data = b"".join(encode_result(Picky(error), "pickle").pieces)

    with pytest.raises(CodecError, match=rf"cannot be built here: {type(error).__name__}: .*bad"):
        decode_result(data, "pickle", 1)


@pytest.mark.parametrize("data", [b"", b"\x80", b"rubbish", pickle.dumps([1, 2])[:-1]])
def test_bytes_that_are_no_pickle_are_damage(data: bytes) -> None:
    with pytest.raises(
        DamagedResultError, match=r"not what the codec 'pickle' wrote.*run the pipeline again"
    ) as caught:
        decode_result(data, "pickle", 1)

    assert caught.value.digest == xxh3_128_digest(data).hex()
    assert caught.value.__cause__ is not None


# Classes of a script.

STORING = """
import sys
from ezpyp.store.codecs.encoded import encode_result
class Model:
    pass
class Other:
    pass
value = {value}
encoded = encode_result(value, {codec!r})
open("data", "wb").write(b"".join(encoded.pieces))
"""
LOADING = """
from ezpyp.store.codecs.encoded import decode_result
value = decode_result(open("data", "rb").read(), {codec!r}, 1)
print(type(value).__name__)
"""


def run(script: str, folder: Path, name: str = "script.py") -> subprocess.CompletedProcess[str]:
    (folder / name).write_text(script)
    return subprocess.run(
        [sys.executable, name], cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )


@pytest.mark.parametrize(
    "value",
    [
        "Model()",
        "[1, Model]",
        "{'Model': Model()}",
        "{'__main__': Model()}",
        "{'a': 'x' * 100_000, 'b': Model()}",
        "[Model() for _ in range(20_000)]",
    ],
)
def test_a_class_of_the_script_is_warned_of(value: str, tmp_path: Path) -> None:
    done = run(STORING.format(value=value, codec="pickle"), tmp_path, "train.py")

    assert done.returncode == 0
    assert done.stderr.count("a result refers to 'Model' of the script train.py (module __main__)") == 1


@pytest.mark.parametrize("value", ["'__main__'", "{'__main__': 1, 'Model': 2}", "sys.maxsize"])
def test_nothing_is_warned_of_where_no_class_of_the_script_is_stored(value: str, tmp_path: Path) -> None:
    assert run(STORING.format(value=value, codec="pickle"), tmp_path).stderr == ""


@pytest.mark.parametrize("value", ["Model()", "[__import__('numpy').zeros(10_000), Model()]"])
def test_loading_a_class_of_another_script_names_class_script_and_cure(value: str, tmp_path: Path) -> None:
    run(STORING.format(value=value, codec="pickle"), tmp_path, "train.py")

    done = run(LOADING.format(codec="pickle"), tmp_path, "look.py")

    assert "CodecError: the stored result refers to 'Model' of the script train.py (module __main__)" in done.stderr
    assert "load it from that script; or move 'Model' into a module that both import" in done.stderr


def test_cloudpickle_takes_a_class_of_the_script_along(tmp_path: Path) -> None:
    stored = run(STORING.format(value="Model()", codec="cloudpickle"), tmp_path, "train.py")

    assert stored.stderr == ""
    assert run(LOADING.format(codec="cloudpickle"), tmp_path, "look.py").stdout == "Model\n"
