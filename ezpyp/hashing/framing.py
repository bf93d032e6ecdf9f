"""How pieces become bytes: tags, lengths and the digest; the format number lives here.

The encoding is the one of ``marshal`` version 2 for plain numbers, strings and containers of them (typed,
self-delimiting, without references, written at C speed), extended by tags of our own for everything else. Every
tag starts with ``@``, which is no marshal type code, and ends with a zero byte, so that a stream reads in one way only.
"""

import marshal
from collections.abc import Callable
from typing import TYPE_CHECKING

from xxhash import xxh3_128_digest

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


KEY_FORMAT = 1
"""Number of the encoding; raise it whenever any digest of an unchanged value or function changes."""

dumps: Callable[[object, int], bytes] = marshal.dumps  # type: ignore[assignment]  # callers know what they give it
"""``marshal.dumps``, with the type that it has where the caller looked at what it gives."""


def tag(name: str) -> bytes:
    """Return the marker that opens a piece of the kind ``name``."""
    return b"@" + name.encode() + b"\0"


def count(number: int) -> bytes:
    """Return a length as eight bytes; lengths stand before contents, so that splits never collide."""
    return number.to_bytes(8, "little")


def text(value: str) -> bytes:
    """Return a string after its length; lone surrogates are kept."""
    data = value.encode("utf-8", "surrogatepass")
    return count(len(data)) + data


def digest(data: "ReadableBuffer") -> bytes:
    """Return the 128-bit XXH3 of ``data`` as 16 bytes."""
    return xxh3_128_digest(data)
