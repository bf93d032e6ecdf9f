"""Results as bytes: what is taken where a codec fails, and the errors of loading."""

import pickle
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest
from xxhash import xxh3_128_digest

from ezpyp.errors import CodecError, DamagedResultError, EzpypError
from ezpyp.store.codecs import encoded as _encoded
from ezpyp.store.codecs.encoded import decode_result, encode_result

ROOT = Path(__file__).parents[2]


class Picky:
    """Pickles well, and refuses to be built again."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __setstate__(self, state: dict[str, Exception]) -> None:
        raise state["error"]


def data_of(value: object, codec: str = "pickle") -> bytes:
    return b"".join(encode_result(value, codec).pieces)


def run(script: str, folder: Path, name: str = "script.py") -> subprocess.CompletedProcess[str]:
    (folder / name).write_text(script)
    return subprocess.run(
        [sys.executable, name], cwd=folder, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True
    )


@pytest.mark.parametrize("value", [5, -1, 2.5, None, True, 10**50])
def test_the_quick_way_for_scalars_writes_what_the_codec_writes(value: object) -> None:
    encoded = encode_result(value, "pickle")

    assert encoded.pieces == tuple(_encoded.get_codec("pickle").encode(value))
    assert encoded.size == len(encoded.pieces[0])
    assert (encoded.version, encoded.suffix) == (1, ".pickle")


@pytest.mark.parametrize("value", [5, [1, "x"], {"png": bytes(200_000)}])
def test_the_digest_is_xxh3_over_all_pieces(value: object) -> None:
    encoded = encode_result(value, "pickle")

    assert encoded.digest == xxh3_128_digest(b"".join(encoded.pieces))


def test_a_reason_holds_nothing_that_differs_from_run_to_run() -> None:
    assert "0x" not in (encode_result(lambda: None, "pickle").fallback or "0x")


def test_falling_back_tells_each_reason() -> None:
    fallback = encode_result(lambda: None, "numpy").fallback

    assert fallback is not None
    assert fallback.startswith("numpy: the result is a function, no plain numpy array; pickle: ")


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


def test_a_missing_module_is_named_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("lab_that_is_gone")
    exec("class Model: pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "lab_that_is_gone", module)
    data = data_of(module.Model())
    monkeypatch.delitem(sys.modules, "lab_that_is_gone")

    with pytest.raises(CodecError, match=r"No module named 'lab_that_is_gone'.*install it"):
        decode_result(data, "pickle", 1)


def test_a_class_gone_from_its_module_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("lab")
    exec("class Model: pass", module.__dict__)
    monkeypatch.setitem(sys.modules, "lab", module)
    data = data_of(module.Model())
    del module.Model

    with pytest.raises(CodecError, match="'Model' of the module 'lab', which has it no longer"):
        decode_result(data, "pickle", 1)


@pytest.mark.parametrize("error", [ValueError("bad"), KeyError("bad"), TypeError("bad"), RecursionError("bad")])
def test_an_error_of_the_class_itself_is_no_damage(error: Exception) -> None:
    data = data_of(Picky(error))

    with pytest.raises(CodecError, match=rf"cannot be built here: {type(error).__name__}: .*bad"):
        decode_result(data, "pickle", 1)


@pytest.mark.parametrize("data", [b"", b"\x80", b"rubbish", pickle.dumps([1, 2])[:-1]])
def test_bytes_that_are_no_pickle_are_damage(data: bytes) -> None:
    with pytest.raises(
        DamagedResultError, match=r"not what the codec 'pickle' wrote.*run the pipeline again"
    ) as caught:
        decode_result(data, "pickle", 1)

    assert caught.value.digest == xxh3_128_digest(data).hex()


def test_errors_keep_their_cause() -> None:
    with pytest.raises(EzpypError, match="wrote") as caught:
        decode_result(b"{", "json", 1)

    assert isinstance(caught.value.__cause__, ValueError)


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


def test_loading_a_class_of_another_script_names_class_script_and_cure(tmp_path: Path) -> None:
    run(STORING.format(value="Model()", codec="pickle"), tmp_path, "train.py")

    done = run(LOADING.format(codec="pickle"), tmp_path, "look.py")

    assert "CodecError: the stored result refers to 'Model' of the script train.py (module __main__)" in done.stderr
    assert "load it from that script; or move 'Model' into a module that both import" in done.stderr


def test_a_class_of_a_large_result_is_named_too(tmp_path: Path) -> None:
    code = "[__import__('numpy').zeros(10_000), Model()]"
    run(STORING.format(value=code, codec="pickle"), tmp_path, "train.py")

    assert "'Model' of the script train.py" in run(LOADING.format(codec="pickle"), tmp_path, "look.py").stderr


def test_cloudpickle_takes_a_class_of_the_script_along(tmp_path: Path) -> None:
    stored = run(STORING.format(value="Model()", codec="cloudpickle"), tmp_path, "train.py")

    assert stored.stderr == ""
    assert run(LOADING.format(codec="cloudpickle"), tmp_path, "look.py").stdout == "Model\n"
