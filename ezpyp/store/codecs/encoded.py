"""The codecs by name; a result as bytes with their digest, and back."""

import pickle
import re
from collections.abc import Sequence
from dataclasses import dataclass

from xxhash import xxh3_128, xxh3_128_digest

from ezpyp.errors import CodecError, EzpypError, UnknownCodecError, UnstorableResultError
from ezpyp.store.codecs.failures import find_offender, loading_error
from ezpyp.store.codecs.numpy import NumpyCodec
from ezpyp.store.codecs.pickle import CloudpickleCodec, PickleCodec
from ezpyp.store.codecs.protocol import Buffer, Codec, JsonCodec, reason_of

_BUILT_IN: tuple[Codec, ...] = (PickleCodec(), CloudpickleCodec(), NumpyCodec(), JsonCodec())
# The one mutable table of this package: a register is one by nature.
_CODECS: dict[str, Codec] = {codec.name: codec for codec in _BUILT_IN}


def get_codec(name: str) -> Codec:
    """The codec of a name.

    Raises:
        UnknownCodecError: No codec of that name is registered in this process.

    Example:
        >>> get_codec("numpy").suffix
        '.npy'
    """
    try:
        return _CODECS[name]
    except KeyError:
        known = ", ".join(sorted(_CODECS))
        raise UnknownCodecError(
            f"there is no codec {name!r} here (known: {known}); if a module of yours registers it, "
            "import that module first",
            name=name,
        ) from None


def register_codec(codec: Codec) -> None:
    """Make a codec known by its name.

    Registering a name again replaces the codec, so that a notebook's cell can run twice; ezpyp's own stay.

    Raises:
        CodecError: The name is one of ezpyp's own; or name, version or suffix cannot stand in a row or a file
            name.

    Example:
        >>> class Text:
        ...     name, version, suffix, title = "text", 1, ".txt", "Text"
        ...
        ...     def encode(self, value):
        ...         return [value.encode()]
        ...
        ...     def decode(self, data):
        ...         return bytes(data).decode()
        >>> register_codec(Text())
        >>> get_codec("text").title
        'Text'
    """
    if any(codec.name == own.name for own in _BUILT_IN):
        raise CodecError(f"the codec {codec.name!r} is ezpyp's own; give yours another name", name=codec.name)
    if not re.fullmatch(r"[a-z][a-z0-9_-]*", codec.name):
        raise CodecError(f"a codec's name is lower-case letters, digits, - and _; not {codec.name!r}", name=codec.name)
    if not re.fullmatch(r"\.[a-z0-9]{1,20}", codec.suffix) or codec.suffix in (".damaged", ".tmp"):
        raise CodecError(f"a codec's suffix is like '.parquet'; not {codec.suffix!r}", name=codec.name)
    if type(codec.version) is not int or codec.version < 1:
        raise CodecError(f"a codec's version is a positive integer; not {codec.version!r}", name=codec.name)
    _CODECS[codec.name] = codec


_SCALARS = frozenset({int, float, bool, type(None)})
_FALL_BACKS = ("pickle", "cloudpickle")


# Not frozen: that __init__ takes 1.2 us for seven fields, this one 0.3; and the digest comes when asked for.
@dataclass(slots=True, eq=False)
class Encoded:
    """A result as bytes, ready to be stored.

    Attributes:
        codec: Name of the codec that wrote the bytes.
        version: Version of that codec.
        suffix: How the file name of the object ends.
        pieces: The bytes, in order; they may point into the value's own memory.
        size: Number of bytes.
        fallback: Why another codec than the one asked for was taken; None where it was not.

    Example:
        >>> encoded = encode_result([1, 2], "json")
        >>> encoded.suffix, encoded.size, b"".join(encoded.pieces), len(encoded.digest)
        ('.json', 6, b'[1, 2]', 16)
    """

    codec: str
    version: int
    suffix: str
    pieces: tuple[Buffer, ...]
    size: int
    fallback: str | None = None
    _digest: bytes | None = None

    @property
    def digest(self) -> bytes:
        """XXH3-128 of the bytes, 16 bytes; computed once, for a large result while it is written."""
        if self._digest is None:
            self._digest = _digest_of(self.pieces)
        return self._digest


def _digest_of(pieces: Sequence[Buffer]) -> bytes:
    if len(pieces) == 1:
        return xxh3_128_digest(pieces[0])
    state = xxh3_128()
    for piece in pieces:
        state.update(piece)
    return state.digest()


def encode_result(value: object, codec_name: str) -> Encoded:
    """Turn a result into bytes; where the codec cannot, pickle does, and after it cloudpickle.

    Args:
        value: The result.
        codec_name: The codec that the step asks for.

    Returns:
        The bytes, with the codec that was taken and, where it is another than asked for, the reason.

    Raises:
        UnknownCodecError: No codec has that name.
        UnstorableResultError: No codec can store the value; ``path`` and ``type_name`` tell which part of it.

    Example:
        >>> encode_result(5, "pickle").size
        5
        >>> encode_result(5, "numpy").fallback
        'numpy: the result is a int, no plain numpy array'
    """
    if codec_name == "pickle" and type(value) in _SCALARS:
        # The commonest results of a sweep, without a pickler and its list of pieces: 1 us instead of 4.
        stream = pickle.dumps(value, 5)
        return Encoded("pickle", 1, ".pickle", (stream,), len(stream))
    codec = get_codec(codec_name)
    try:
        return _encoded(codec, value)
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001 - codecs, and the user's own __reduce__, raise anything
        return _fall_back(value, codec_name, error)


def decode_result(data: Buffer, codec_name: str, version: int) -> object:
    """Turn stored bytes into the result.

    Args:
        data: The bytes; where they are writable, arrays in the result point into them.
        codec_name: The codec that wrote them.
        version: That codec's version then.

    Raises:
        UnknownCodecError: No codec has that name.
        CodecError: The bytes are whole, and the value cannot be built here; the message says what is missing.
        DamagedResultError: The bytes are not what the codec wrote.

    Example:
        >>> decode_result(b"[1, 2]", "json", 1)
        [1, 2]
    """
    codec = get_codec(codec_name)
    if version > codec.version:
        raise CodecError(
            f"the result was stored by version {version} of the codec {codec_name!r}, and the one here reads "
            f"up to {codec.version}; update ezpyp, or the module that registers the codec",
            name=codec_name,
        )
    view = memoryview(data)
    try:
        return codec.decode(view)
    except (EzpypError, MemoryError):
        raise
    except Exception as error:
        raise loading_error(error, codec_name, view) from error


def _encoded(codec: Codec, value: object, fallback: str | None = None) -> Encoded:
    pieces = tuple(codec.encode(value))
    return Encoded(codec.name, codec.version, codec.suffix, pieces, sum(map(len, pieces)), fallback)


def _fall_back(value: object, asked_for: str, error: Exception) -> Encoded:
    reasons = [f"{asked_for}: {reason_of(error)}"]
    for name in _FALL_BACKS[_FALL_BACKS.index(asked_for) + 1 if asked_for in _FALL_BACKS else 0 :]:
        try:
            return _encoded(get_codec(name), value, "; ".join(reasons))
        except MemoryError:
            raise
        except Exception as later:  # noqa: BLE001 - as above
            reasons.append(f"{name}: {reason_of(later)}")
    raise _unstorable(value, reasons) from error


def _unstorable(value: object, reasons: list[str]) -> UnstorableResultError:
    offender = find_offender(value)
    return UnstorableResultError(
        f"no codec can store the result: {offender.path} is a {offender.type_name}; {offender.advice} "
        f"({'; '.join(reasons)})",
        path=offender.path,
        type_name=offender.type_name,
    )
