"""What a codec is."""

import re
from collections.abc import Sequence
from typing import Protocol, TypeAlias

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
