"""Large arrays of arguments: written once, then mapped copy-on-write for each step.

A step that reads its array shares the memory of one snapshot with all others; a page that it writes to becomes its
own. Nothing is copied whole for a step, and no step sees what another wrote.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import sys
import tempfile
from collections import Counter
from collections.abc import Mapping
from typing import Any, Protocol

from ezpyp.errors import ArgumentMutatedError
from ezpyp.hashing import LARGE_BYTES, digest_as_checked, value_digest
from ezpyp.store import read_private

# A frame whose pickle holds more than its buffers is copied as it copies itself.
_STREAM_BYTES = 1 << 20


def is_large_array(array: Any) -> bool:
    """Whether an array without objects is mapped and not copied."""
    return bool(array.nbytes >= LARGE_BYTES)


def is_large_frame(value: Any) -> bool:
    """Whether a value is a large frame or series of pandas."""
    kind = type(value)
    is_frame = kind.__name__ in {"DataFrame", "Series"} and kind.__module__.partition(".")[0] == "pandas"
    return is_frame and value.size * 8 >= LARGE_BYTES


class Snapshots:
    """The large values of one run's arguments.

    Args:
        uses: How many steps are given each value, by its id; a snapshot goes when the last of them took its copy.
    """

    def __init__(self, uses: Mapping[int, int] | None = None) -> None:
        self._left = Counter(uses or {})
        self._taken: dict[int, _Snapshot] = {}

    def copy_of(self, value: Any) -> Any:
        """A copy of a large array or frame that is the step's own.

        Raises:
            ArgumentMutatedError: It is not what it was when the run began.
        """
        place = id(value)
        snapshot = self._taken.pop(place, None) or _checked_snapshot(value)
        self._left[place] -= 1
        if self._left[place] > 0:
            self._taken[place] = snapshot
        return snapshot.copy()


class _Snapshot(Protocol):
    """Gives copies of one value."""

    def copy(self) -> Any: ...


def _checked_snapshot(value: Any) -> _Snapshot:
    """A snapshot of what the value was when its digest was taken."""
    expected = digest_as_checked(value)
    for make in (_FrameSnapshot if is_large_frame(value) else _ArraySnapshot, _Original):
        # No room for a file in memory, a frame that is not made of buffers: then its own copies.
        with contextlib.suppress(OSError, _UnfitError):
            snapshot: _Snapshot = make(value)
            if value_digest(snapshot.copy()) == expected:
                return snapshot
    raise ArgumentMutatedError(
        f"an argument of type {type(value).__name__} and shape {value.shape} was changed in place while the pipeline "
        "ran, by a step or a thread that reaches the original: let no step change what is an argument of others"
    )


def plain_copy(array: Any) -> Any:
    """A whole copy of an array; C and Fortran order are kept, other layouts become C."""
    made = array.copy("F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C")
    made.flags.writeable = array.flags.writeable
    return made


class _Original:
    """What is copied whole for each step."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def copy(self) -> Any:
        return self._value.copy() if is_large_frame(self._value) else plain_copy(self._value)


class _UnfitError(Exception):
    """A frame that cannot be put together from buffers."""


class _Pages:
    """Bytes in a file without a name, which its mappings keep alive."""

    def __init__(self, size_bytes: int) -> None:
        self.size_bytes = size_bytes
        self._descriptor = -1
        self._descriptor = _nameless_file()
        try:
            os.ftruncate(self._descriptor, size_bytes)
        except BaseException:
            self.close()
            raise

    def write_array(self, array: Any, order: str) -> None:
        """Fill the file with the values of an array."""
        frombuffer = sys.modules["numpy"].frombuffer
        with mmap.mmap(self._descriptor, self.size_bytes) as memory:
            target = frombuffer(memory, array.dtype).reshape(array.shape, order=order)
            target[...] = array
            del target

    def private(self) -> memoryview:
        """The bytes as memory of the caller's own; pages are shared until they are written to."""
        os.lseek(self._descriptor, 0, os.SEEK_SET)  # where it is read, for want of mappings
        return read_private(self._descriptor, self.size_bytes)

    def close(self) -> None:
        """Let the file go once its last mapping goes."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __del__(self) -> None:
        self.close()


def _nameless_file() -> int:
    if hasattr(os, "memfd_create"):
        return os.memfd_create("ezpyp", os.MFD_CLOEXEC)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


class _ArraySnapshot:
    """An array of any class that NumPy itself brings, without objects."""

    def __init__(self, array: Any) -> None:
        # The id by which it is known must not become another array's.
        self._array = array
        is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        self._order = "F" if is_fortran else "C"
        self._pages = _Pages(array.nbytes)
        self._pages.write_array(array, self._order)

    def copy(self) -> Any:
        array = self._array
        made = sys.modules["numpy"].frombuffer(self._pages.private(), array.dtype)
        made = made.reshape(array.shape, order=self._order).view(type(array))
        made.flags.writeable = array.flags.writeable
        return made


class _FrameSnapshot:
    """A frame or series of pandas: its pickle, and the blocks beside it."""

    def __init__(self, frame: Any) -> None:
        self._frame = frame
        self._pages: list[_Pages] = []
        try:
            self._stream = pickle.dumps(frame, protocol=5, buffer_callback=self._is_in_stream)
        except Exception as error:  # objects in a column raise anything here
            raise _UnfitError from error
        if len(self._stream) > _STREAM_BYTES:
            raise _UnfitError

    def _is_in_stream(self, buffer: pickle.PickleBuffer) -> bool:
        raw = buffer.raw()
        if len(raw) < LARGE_BYTES:
            return True
        pages = _Pages(len(raw))
        pages.write_array(sys.modules["numpy"].frombuffer(raw, "u1"), "C")
        self._pages.append(pages)
        return False

    def copy(self) -> Any:
        return pickle.loads(self._stream, buffers=[pages.private() for pages in self._pages])
