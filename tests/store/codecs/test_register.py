"""The register of codecs."""

from collections.abc import Sequence

import pytest

from ezpyp.errors import CodecError, UnknownCodecError
from ezpyp.store.codecs import registry as codecs
from ezpyp.store.codecs.encoded import decode_result, encode_result
from ezpyp.store.codecs.registry import get_codec, register_codec


@pytest.fixture(autouse=True)
def _own_register(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codecs, "_CODECS", dict(codecs._CODECS))


class Text:
    def __init__(self, name: str = "text", version: object = 1, suffix: str = ".txt") -> None:
        self.name, self.version, self.suffix, self.title = name, version, suffix, "Text"

    def encode(self, value: object) -> Sequence[bytes]:
        return [str.encode(value)]  # type: ignore[arg-type]

    def decode(self, data: memoryview) -> object:
        return bytes(data).decode()


def test_a_registered_codec_is_used() -> None:
    register_codec(Text())  # type: ignore[arg-type]

    encoded = encode_result("abc", "text")

    assert (encoded.pieces, encoded.suffix) == ((b"abc",), ".txt")
    assert decode_result(b"abc", "text", 1) == "abc"


def test_a_registered_codec_falls_back_to_pickle() -> None:
    register_codec(Text())  # type: ignore[arg-type]

    assert encode_result(5, "text").codec == "pickle"


def test_registering_again_replaces() -> None:
    second = Text()
    register_codec(Text())  # type: ignore[arg-type]
    register_codec(second)  # type: ignore[arg-type]

    assert get_codec("text") is second


@pytest.mark.parametrize("name", ["pickle", "cloudpickle", "numpy", "json"])
def test_ezpyps_own_cannot_be_replaced(name: str) -> None:
    with pytest.raises(CodecError, match="ezpyp's own"):
        register_codec(Text(name))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("codec", "message"),
    [
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
    with pytest.raises(UnknownCodecError, match=r"no codec 'hdf5'.*cloudpickle, json, numpy, pickle"):
        ask("hdf5")  # type: ignore[operator]
