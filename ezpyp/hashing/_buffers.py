"""Raw memory: bytearrays, memoryviews, array.array."""

from array import array

from ezpyp.hashing._framing import count, digest, tag, text
from ezpyp.hashing._walk import Children, Walker

_BYTEARRAY = tag("bytearray")
_MEMORYVIEW = tag("memoryview")
_ARRAY = tag("array")


def walk_bytearray(w: Walker, value: bytearray) -> Children:
    """A bytearray: its bytes, where they lie."""
    if not w.met(value):
        w.emit(_BYTEARRAY + count(len(value)) + digest(value))
    yield from ()


def walk_memoryview(w: Walker, value: memoryview) -> Children:
    """A memoryview: format, shape and contents."""
    if not w.met(value):
        data = value if value.c_contiguous else value.tobytes()
        w.emit(_MEMORYVIEW + text(value.format) + b"".join(map(count, value.shape or ())) + digest(data))
    yield from ()


def walk_array(w: Walker, value: "array[int]") -> Children:
    """An array.array: type code and contents."""
    if not w.met(value):
        w.emit(_ARRAY + text(value.typecode) + count(len(value)) + digest(value))
    yield from ()
