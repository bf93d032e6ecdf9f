"""The register of codecs, by name."""

import re

from ezpyp.errors import CodecError, UnknownCodecError
from ezpyp.store.codecs.numpy import NumpyCodec
from ezpyp.store.codecs.pickle import CloudpickleCodec, PickleCodec
from ezpyp.store.codecs.protocol import Codec, JsonCodec

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
