r"""One file for a pickle stream and the large buffers that belong to it.

The layout, integers little-endian and unsigned::

    16 bytes       b"ezpyp buffers 1\n"
    8              size of the pickle stream
    8              number of buffers, n
    8 * n          size of each buffer
    ...            the pickle stream, protocol 5, its buffers out of band (PEP 574)
    ...            zeros up to a multiple of 64, a buffer; and so on for each buffer

No pickle stream starts like the first line, so a reader can tell the two apart; and a person who looks sees
whose it is.
"""

import struct
from collections.abc import Iterator, Sequence

from ezpyp.store.codecs.protocol import Buffer

MAGIC = b"ezpyp buffers 1\n"
# A cache line, and what numpy's own file format aligns to: vector instructions never straddle two lines.
ALIGNMENT = 64
_HEAD = struct.Struct("<16sQQ")


def pack(stream: Sequence[Buffer], buffers: Sequence[Buffer]) -> list[Buffer]:
    """Pieces of the file: nothing is copied but the header.

    Example:
        >>> pieces = pack([b"stream"], [b"x" * 100])
        >>> [len(piece) for piece in pieces]
        [40, 6, 18, 100]
    """
    stream_size = sum(map(len, stream))
    sizes = [len(buffer) for buffer in buffers]
    header = _HEAD.pack(MAGIC, stream_size, len(sizes)) + struct.pack(f"<{len(sizes)}Q", *sizes)
    pieces: list[Buffer] = [header, *stream]
    end = len(header) + stream_size
    for buffer, size in zip(buffers, sizes, strict=True):
        gap = -end % ALIGNMENT
        pieces += [bytes(gap), buffer]
        end += gap + size
    return pieces


def is_packed(data: memoryview) -> bool:
    """Whether the bytes start like this layout."""
    # The first byte alone tells all but damaged files, and is compared twenty times as fast.
    return len(data) > 0 and data[0] == MAGIC[0] and data[: len(MAGIC)] == MAGIC


def stream_of(data: memoryview) -> memoryview:
    """The pickle stream alone."""
    return unpack(data)[0] if is_packed(data) else data


def unpack(data: memoryview) -> tuple[memoryview, list[memoryview]]:
    """The stream and the buffers, as views into the data.

    Raises:
        ValueError: The sizes in the header do not add up to the size of the data.
    """
    if len(data) < _HEAD.size:
        raise ValueError("the header is cut off")
    _, stream_size, count = _HEAD.unpack_from(data)
    start = _HEAD.size + 8 * count
    if start + stream_size > len(data):
        raise ValueError("the sizes in the header do not fit the file")
    sizes = struct.unpack_from(f"<{count}Q", data, _HEAD.size)
    stream = data[start : start + stream_size]
    return stream, list(_slices(data, start + stream_size, sizes))


def _slices(data: memoryview, end: int, sizes: Sequence[int]) -> Iterator[memoryview]:
    for size in sizes:
        start = end + -end % ALIGNMENT
        end = start + size
        yield data[start:end]
    if end != len(data):
        raise ValueError("the sizes in the header do not fit the file")
