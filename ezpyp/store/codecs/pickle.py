r"""Pickle and cloudpickle, protocol 5: a plain stream, or one file for a stream and its large buffers.

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

import io
import pickle
import re
import struct
import sys
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import FunctionType
from typing import Any, Protocol

from ezpyp.store.codecs.protocol import Buffer

PROTOCOL = 5
# Out of band pays where it spares the copy of a large buffer; small results stay what any pickle.load reads.
OUT_OF_BAND_BYTES = 16 * 1024


class _Pieces(list[Buffer]):
    """A file that keeps what is written; the C pickler hands large bytes over as they are, without a copy."""

    __slots__ = ()
    write = list.append


class PicklerType(Protocol):
    """``pickle.Pickler`` or ``cloudpickle.Pickler``."""

    def __call__(self, file: Any, protocol: int, *, buffer_callback: Any) -> Any:
        """A pickler that writes to a file."""
        ...


def dump(pickler: PicklerType, value: object) -> tuple[list[Buffer], list[Buffer]]:
    """The stream in pieces, and the buffers that stay out of it."""
    stream = _Pieces()
    buffers: list[Buffer] = []

    def is_in_band(buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if len(raw) < OUT_OF_BAND_BYTES:
            return True
        buffers.append(raw)
        return False

    pickler(stream, PROTOCOL, buffer_callback=is_in_band).dump(value)
    return stream, buffers


def join(stream: list[Buffer], buffers: list[Buffer]) -> Sequence[Buffer]:
    """The pieces of the file: a plain stream where there are no buffers."""
    return pack(stream, buffers) if buffers else stream


def load(data: memoryview) -> object:
    """The value of a plain stream, or of a stream with buffers."""
    if not is_packed(data):
        return pickle.loads(data)
    stream, buffers = unpack(data)
    if data.readonly:
        # A result is the caller's own: arrays over read-only bytes would refuse a change.
        return pickle.loads(stream, buffers=[bytearray(buffer) for buffer in buffers])
    return pickle.loads(stream, buffers=buffers)


class PickleCodec:
    """The default: whatever pickle can store."""

    name = "pickle"
    version = 1
    suffix = ".pickle"
    title = "Pickle"

    def encode(self, value: object) -> Sequence[Buffer]:
        """Pickle the value; warn when it can be loaded from this very script only."""
        stream, buffers = dump(pickle.Pickler, value)
        names = main_names(value, stream)
        if names:
            warn_of_main(names)
            stream.append(note_of(names))
        return join(stream, buffers)

    def decode(self, data: memoryview) -> object:
        """Unpickle; large arrays point into ``data``."""
        return load(data)


class CloudpickleCodec:
    """Lambdas, local functions and classes, and all of a script's own, by content.

    Not meant to be read by another version of Python.
    """

    name = "cloudpickle"
    version = 1
    suffix = ".cloudpickle"
    title = "Cloudpickle"

    def encode(self, value: object) -> Sequence[Buffer]:
        """Pickle the value with everything that it defines."""
        # Imported here: 24 ms that most scripts never need.
        import cloudpickle

        return join(*dump(cloudpickle.Pickler, value))

    def decode(self, data: memoryview) -> object:
        """Unpickle; large arrays point into ``data``."""
        return load(data)


# One file for a stream and its buffers.

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


# Classes and functions of a script's ``__main__`` inside a pickle: loadable from that script only.

# How the pickler writes the module's name: SHORT_BINUNICODE and its 8 bytes. Data may hold the same.
_MARK = b"\x8c\x08__main__"
_NOTE = re.compile(rb"\n# (.{1,300}) of __main__ of (.{1,300})\n\Z")


def main_names(value: object, stream: Sequence[Buffer]) -> list[str]:
    """Names of ``__main__`` that a pickle refers to, by pickling once more where the module's name stands in it."""
    if not any(isinstance(piece, bytes) and _MARK in piece for piece in stream):
        return []
    observer = _Observer(io.BytesIO(), PROTOCOL, buffer_callback=lambda _: None)
    observer.names = []
    observer.dump(value)
    return observer.names


class _Observer(pickle.Pickler):
    names: list[str]

    def reducer_override(self, value: object) -> Any:
        """Note the name, and let pickle go on as ever."""
        if isinstance(value, type | FunctionType) and value.__module__ == "__main__":
            self.names.append(value.__qualname__)
        return NotImplemented


def warn_of_main(names: Sequence[str]) -> None:
    """Say it where it can still be changed; Python shows one text once, however many results there are."""
    warnings.warn(
        f"a result refers to {names[0]!r} of {_script()} (module __main__), so only that script can load it; "
        f"move {names[0]!r} into a module that the script imports, or use the codec 'cloudpickle'",
        UserWarning,
        stacklevel=2,
    )


def note_of(names: Sequence[str]) -> bytes:
    """What a reader elsewhere has to know; it follows the end of the pickle, where no unpickler looks."""
    return f"\n# {', '.join(names)} of __main__ of {_script()}\n".encode()


def script_in(stream: memoryview) -> str:
    """The script that a note at the end of a pickle names."""
    note = _NOTE.search(bytes(stream[-640:]))
    return note[2].decode(errors="replace") if note else "the script that stored it"


def _script() -> str:
    """What ``__main__`` is, by file name alone: a script that was moved gives the same bytes."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return f"the script {Path(file).name}" if file else "an interactive session"
