"""Deep copies of arguments, so that no step ever holds what another one holds; large arrays are mapped, not copied."""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import sys
from collections import Counter
from collections.abc import Callable, Mapping
from copyreg import dispatch_table
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, Protocol
from weakref import ref

from ezpyp.errors import ArgumentMutatedError
from ezpyp.hashing.encode import digest_as_checked, value_digest
from ezpyp.hashing.large_arrays import LARGE_BYTES
from ezpyp.store.files import read_private

# Large arrays of arguments: written once, then mapped copy-on-write for each step.

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
    import tempfile  # 1 ms at import, and seldom needed

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


# Modules cannot be copied and hold no state of a call; a proxy is a view that cannot change what it shows.
ATOMS: frozenset[type] = frozenset({
    int, float, complex, bool, str, bytes, type(None), type(Ellipsis), type(NotImplemented), range, type, property,
    FunctionType, BuiltinFunctionType, CodeType, ModuleType, MappingProxyType, ref,
})  # fmt: skip
"""Types whose instances are their own copies."""

_NEW = object()


class Copier:
    """Copies values of one call: what two of them share stays shared.

    What an object says of its own copying holds, as for ``copy.deepcopy``: ``__deepcopy__``, ``copyreg``,
    ``__reduce_ex__``. Large arrays are mapped, and arrays in other layouts than C and Fortran become C at any depth.

    Args:
        memo: What objects become, by their ids; as the memo of ``copy.deepcopy``, to which it is handed on.
        snapshots: Gives copies of large arrays.
    """

    def __init__(self, memo: dict[int, object], snapshots: Snapshots) -> None:
        self._memo = memo
        self._snapshots = snapshots
        self._keep: list[object] = []
        self._ways: dict[type, Callable[[Any], object]] = {
            list: self._list, tuple: self._tuple, dict: self._dict, MethodType: self._method
        }  # fmt: skip

    def copy(self, value: object) -> Any:
        """A deep copy.

        Raises:
            RecursionError: It is nested too deep, or an object says that it is made from itself.
        """
        if type(value) in ATOMS:
            return value
        known = self._memo.get(id(value), _NEW)
        if known is not _NEW:
            return known
        way = self._ways.get(type(value)) or self._find_way(type(value))
        return way(value)

    def _find_way(self, kind: type) -> Callable[[Any], object]:
        way: Callable[[Any], object] = self._instance
        if issubclass(kind, type) or getattr(kind, "__ezpyp_untracked__", False) is True:
            way = _itself
        elif kind.__module__ == "numpy" and kind.__name__ in {"ndarray", "memmap"}:
            way = self._array
        elif kind is memoryview:
            way = _view_copy
        elif (kind.__module__, kind.__name__) == ("_struct", "Struct"):
            way = _itself
        self._ways[kind] = way
        return way

    def _list(self, value: list[object]) -> list[object]:
        made: list[object] = []
        self._memo[id(value)] = made
        # A million numbers in 10 ms instead of 200.
        made += value if ATOMS.issuperset(map(type, value)) else map(self.copy, value)
        return made

    def _tuple(self, value: tuple[object, ...]) -> object:
        if ATOMS.issuperset(map(type, value)):
            return value
        parts = tuple(map(self.copy, value))
        # A part may lead back to the tuple, which was copied then.
        made = self._memo.get(id(value), _NEW)
        if made is _NEW:
            is_same = all(part is copied for part, copied in zip(value, parts, strict=True))
            self._memo[id(value)] = made = value if is_same else parts
        return made

    def _dict(self, value: dict[object, object]) -> dict[object, object]:
        made: dict[object, object] = {}
        self._memo[id(value)] = made
        if ATOMS.issuperset(map(type, value)) and ATOMS.issuperset(map(type, value.values())):
            made.update(value)
        else:
            for key, part in value.items():
                made[self.copy(key)] = self.copy(part)
        return made

    def _method(self, value: MethodType) -> MethodType:
        return MethodType(value.__func__, self.copy(value.__self__))

    def _array(self, value: Any) -> object:
        if value.dtype.hasobject:
            made = value.__deepcopy__(self._memo)
        else:
            made = self._snapshots.copy_of(value) if is_large_array(value) else plain_copy(value)
        self._memo[id(value)] = made
        return made

    def _instance(self, value: Any) -> object:
        """An object of any other class, by the protocols of ``copy``."""
        own = getattr(value, "__deepcopy__", None)
        if own is not None:
            made = self._snapshots.copy_of(value) if is_large_frame(value) else own(self._memo)
            self._memo[id(value)] = made
            return made
        special = dispatch_table.get(type(value))
        reduced = special(value) if special is not None else value.__reduce_ex__(4)
        if isinstance(reduced, str):
            return value
        make, args, state, items, pairs = (*reduced, None, None, None)[:5]
        items, pairs = list(items or ()), list(pairs or ())
        # Ids are remembered of what was made for the copy alone: it must live as long as they.
        self._keep += [reduced, items, pairs]
        made = self._memo[id(value)] = make(*self.copy(args))
        if state is not None:
            _set_state(made, self.copy(state))
        for item in items:
            made.append(self.copy(item))
        for key, part in pairs:
            made[self.copy(key)] = self.copy(part)
        return made


def _itself(value: object) -> object:
    """A class, one of ezpyp's own objects, such as a pipeline, or what cannot be changed."""
    return value


def _view_copy(view: memoryview) -> memoryview:
    """A view of bytes of its own, of the same format and shape."""
    data = view.tobytes()
    made: memoryview = memoryview(data if view.readonly else bytearray(data)).cast("B")
    return made.cast(view.format, view.shape)  # type: ignore[call-overload,no-any-return]  # of any format


def _set_state(made: Any, state: Any) -> None:
    if hasattr(made, "__setstate__"):
        made.__setstate__(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state is not None:
        made.__dict__.update(state)
    for name, part in (slots or {}).items():
        setattr(made, name, part)
