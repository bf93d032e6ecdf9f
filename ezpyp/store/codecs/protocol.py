"""What a codec is, and the smallest of them: JSON."""

import json
import re
from collections.abc import Iterator, Sequence
from typing import Protocol, TypeAlias

from ezpyp.errors import CodecError

Buffer: TypeAlias = bytes | bytearray | memoryview


class Codec(Protocol):
    """How a value becomes bytes, and bytes a value again.

    ``name`` and ``version`` stand in the row of every result that the codec wrote, so they never change
    their meaning: a new layout of the bytes is a new version, and ``decode`` goes on reading the old ones.
    ``suffix`` ends the file name of an object; ``title`` is the word in the output line (``Executing Numpy
    Step Object``).

    Example:
        >>> import zlib
        >>> class Squeezed:
        ...     name, version, suffix, title = "squeezed", 1, ".z", "Squeezed"
        ...
        ...     def encode(self, value):
        ...         return [zlib.compress(value.encode())]
        ...
        ...     def decode(self, data):
        ...         return zlib.decompress(data).decode()
        >>> codec: Codec = Squeezed()
        >>> codec.decode(memoryview(codec.encode("a" * 1000)[0])) == "a" * 1000
        True
    """

    @property
    def name(self) -> str:
        """What steps and rows call the codec."""
        ...

    @property
    def version(self) -> int:
        """Number of the layout of the bytes."""
        ...

    @property
    def suffix(self) -> str:
        """How the file name of an object ends."""
        ...

    @property
    def title(self) -> str:
        """The word in the output line."""
        ...

    def encode(self, value: object) -> Sequence[Buffer]:
        """Turn a value into pieces that are written one after another.

        Pieces may point into the value's own memory: a large array need not be copied.

        Raises:
            Exception: Any; its message is recorded, and the next codec of the fall-back order is taken.
        """
        ...

    def decode(self, data: memoryview) -> object:
        """Turn the stored bytes into the value.

        ``data`` is private to the caller: the value may keep pointing into it. Where it is writable (it is,
        for an object file) the value may also change it, and nobody else sees the change.
        """
        ...


# A foreign error in one short line.

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_LONGEST = 300


def reason_of(error: BaseException) -> str:
    """What an error says, without the addresses that differ in every process.

    Example:
        >>> reason_of(TypeError("cannot pickle <function f at 0x7f00>"))
        'cannot pickle <function f>'
    """
    text = " ".join(_ADDRESS.sub("", str(error)).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


_LEAVES = frozenset({str, int, float, bool, type(None)})


class JsonCodec:
    """Text for other programs, only where it gives the same value back.

    Plain dicts with string keys, lists, strings, finite numbers, booleans and None.
    """

    name = "json"
    version = 1
    suffix = ".json"
    title = "Json"

    def encode(self, value: object) -> Sequence[Buffer]:
        """Write the text, where it is sure that reading gives the same value."""
        # First of all, because it ends at a value that holds itself, and the walk below would not.
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        for problem in _problems(value, "the result"):
            raise CodecError(f"{problem}, which JSON would not give back")
        return [text.encode()]

    def decode(self, data: memoryview) -> object:
        """Read the text."""
        return json.loads(bytes(data))


def _problems(value: object, path: str) -> Iterator[str]:
    """What JSON silently turns into something else: tuples, keys that are numbers, subclasses."""
    kind = type(value)
    if kind is list and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _problems(item, f"{path}[{index}]")
    elif kind is dict and isinstance(value, dict):
        for key, item in value.items():
            if type(key) is not str:
                yield f"{path} has the key {key!r}"
            yield from _problems(item, f"{path}[{key!r}]")
    elif kind not in _LEAVES:
        yield f"{path} is a {kind.__qualname__}"
