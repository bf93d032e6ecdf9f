"""Pickle, protocol 5: a plain stream, or a stream with its large buffers beside it."""

import pickle
from collections.abc import Sequence
from typing import Any, Protocol

from ezpyp.store.codecs import _layout
from ezpyp.store.codecs._main_module import main_names, note_of, warn_of_main
from ezpyp.store.codecs._protocol import Buffer

PROTOCOL = 5
# Out of band pays where it spares the copy of a large buffer; small results stay what any pickle.load reads.
OUT_OF_BAND_BYTES = 16 * 1024


class _Pieces(list[Buffer]):
    """A file that keeps what is written; the C pickler hands large bytes over as they are, without a copy."""

    __slots__ = ()
    write = list.append


class PicklerType(Protocol):
    """``pickle.Pickler`` or ``cloudpickle.Pickler``."""

    def __call__(self, file: Any, protocol: int, *, buffer_callback: Any) -> Any: ...


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
    return _layout.pack(stream, buffers) if buffers else stream


def load(data: memoryview) -> object:
    """The value of a plain stream, or of a stream with buffers."""
    if not _layout.is_packed(data):
        return pickle.loads(data)
    stream, buffers = _layout.unpack(data)
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
