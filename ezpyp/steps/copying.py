"""Deep copies with a stack of their own: ``copy.deepcopy``, for values nested 100,000 deep, with large arrays mapped.

Each way to copy is a generator that yields the parts it wants copied and is sent the copies, so that depth needs no
recursion. What an object says of its own copying holds: ``__deepcopy__``, ``copyreg``, ``__reduce_ex__``.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import pickle
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Generator, Mapping
from copyreg import dispatch_table
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any, Protocol
from weakref import ref

from ezpyp.errors import ArgumentMutatedError
from ezpyp.hashing.encode import digest_as_checked, value_digest
from ezpyp.hashing.large_arrays import LARGE_BYTES
from ezpyp.store.mapping import read_private

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


# Walks over nested values with a stack of their own: 100,000 levels need no recursion.

Visit = Generator[object, Any, Any]
"""Yields parts that are to be visited, is sent what came of each, and returns what came of the whole."""


def driven(root: object, visit: Callable[[Any], Visit]) -> Any:
    """Visit a value, each part that its visit yields, and so on.

    Args:
        root: The value.
        visit: Starts the visit of a value.

    Returns:
        What the visit of ``root`` returned.

    Example:
        >>> def total(value):
        ...     if isinstance(value, int):
        ...         return value
        ...     parts = []
        ...     for part in value:
        ...         parts.append((yield part))
        ...     return sum(parts)
        >>> driven([1, [2, [3]]], total)
        6
    """
    visits = [visit(root)]
    sent: object = None
    while True:
        try:
            part = visits[-1].send(sent)
        except StopIteration as done:
            visits.pop()
            if not visits:
                return done.value
            sent = done.value
        else:
            visits.append(visit(part))
            sent = None


# Modules cannot be copied and hold no state of a call; a proxy is a view that cannot change what it shows.
ATOMS: frozenset[type] = frozenset({
    int, float, complex, bool, str, bytes, type(None), type(Ellipsis), type(NotImplemented), range, type, property,
    FunctionType, BuiltinFunctionType, CodeType, ModuleType, MappingProxyType, ref,
})  # fmt: skip
"""Types whose instances are their own copies."""

_NEW = object()
# A named tuple in a list that it holds is met twice before it is made.
_TURNS = 100


class Copier:
    """Copies values of one call: what two of them share stays shared.

    Args:
        memo: What objects become, by their ids; as the memo of ``copy.deepcopy``, to which it is handed on.
        snapshots: Gives copies of large arrays.
    """

    def __init__(self, memo: dict[int, object], snapshots: Snapshots) -> None:
        self.memo = memo
        self.snapshots = snapshots
        self.keep: list[object] = []
        self.half_made: Counter[int] = Counter()
        self._ways: dict[type, Callable[[Copier, Any], Visit]] = {}

    def copy(self, root: object) -> Any:
        """A deep copy.

        Raises:
            RecursionError: An object says that it is made from itself.
        """
        return driven(root, self._visit)

    def _visit(self, part: object) -> Visit:
        known = self.memo.get(id(part), _NEW)
        return self._way(type(part))(self, part) if known is _NEW else _itself(self, known)

    def _way(self, kind: type) -> Callable[[Copier, Any], Visit]:
        way = self._ways.get(kind)
        if way is None:
            way = self._ways[kind] = _way_for(kind)
        return way


def _way_for(kind: type) -> Callable[[Copier, Any], Visit]:
    if kind in ATOMS or issubclass(kind, type) or getattr(kind, "__ezpyp_untracked__", False) is True:
        return _itself
    if kind in _WAYS:
        return _WAYS[kind]
    if kind.__module__ == "numpy" and kind.__name__ in {"ndarray", "memmap"}:
        return _array
    return _instance


def _itself(_: Copier, value: object) -> Visit:
    """A value that cannot change, or is one of ezpyp's own, such as a pipeline."""
    return value
    yield


def _list(copier: Copier, value: list[object]) -> Visit:
    made: list[object] = []
    copier.memo[id(value)] = made
    if ATOMS.issuperset(map(type, value)):
        # A million numbers in 10 ms instead of 200.
        made += value
        return made
    for part in value:
        made.append(part if type(part) in ATOMS else (yield part))
    return made


def _tuple(copier: Copier, value: tuple[object, ...]) -> Visit:
    if ATOMS.issuperset(map(type, value)):
        return value
    parts = []
    for part in value:
        parts.append(part if type(part) in ATOMS else (yield part))  # noqa: PERF401 - the same
    # A part may lead back to the tuple, which was copied then.
    made = copier.memo.get(id(value), _NEW)
    if made is not _NEW:
        return made
    is_same = all(part is copied for part, copied in zip(value, parts, strict=True))
    copier.memo[id(value)] = made = value if is_same else tuple(parts)
    return made


def _dict(copier: Copier, value: dict[object, object]) -> Visit:
    made: dict[object, object] = {}
    copier.memo[id(value)] = made
    if ATOMS.issuperset(map(type, value)) and ATOMS.issuperset(map(type, value.values())):
        made.update(value)
        return made
    for key, part in value.items():
        copied = key if type(key) in ATOMS else (yield key)
        made[copied] = part if type(part) in ATOMS else (yield part)
    return made


def _method(_: Copier, value: MethodType) -> Visit:
    return MethodType(value.__func__, (yield value.__self__))


def _array(copier: Copier, value: Any) -> Visit:
    """An array: large ones as pages of their snapshot; C and Fortran order are kept, other layouts become C."""
    if value.dtype.hasobject:
        made = value.__deepcopy__(copier.memo)
    elif is_large_array(value):
        made = copier.snapshots.copy_of(value)
    else:
        made = plain_copy(value)
    copier.memo[id(value)] = made
    return made
    yield


def _instance(copier: Copier, value: Any) -> Visit:
    """An object of any other class, by the protocols of ``copy``."""
    own = getattr(value, "__deepcopy__", None)
    if own is not None:
        made = copier.snapshots.copy_of(value) if is_large_frame(value) else own(copier.memo)
        copier.memo[id(value)] = made
        return made
    special = dispatch_table.get(type(value))
    reduced = special(value) if special is not None else value.__reduce_ex__(4)
    if isinstance(reduced, str):
        return value
    make, args, state, items, pairs = (*reduced, None, None, None)[:5]
    items, pairs = list(items or ()), list(pairs or ())
    # Ids are remembered of what was made for the copy alone: it must live as long as they.
    copier.keep += [reduced, items, pairs]
    made = copier.memo[id(value)] = make(*(yield from _arguments(copier, value, args)))
    if state is not None:
        _set_state(made, (yield state))
    for item in items:
        made.append(item if type(item) in ATOMS else (yield item))
    for key, part in pairs:
        copied = key if type(key) in ATOMS else (yield key)
        made[copied] = part if type(part) in ATOMS else (yield part)
    return made


def _arguments(copier: Copier, value: object, args: tuple[object, ...]) -> Visit:
    """Copies of what an object is made from, which may lead to the object once more, but not for ever."""
    if ATOMS.issuperset(map(type, args)):
        return args
    copier.half_made[id(value)] += 1
    if copier.half_made[id(value)] > _TURNS:
        raise RecursionError(f"a {type(value).__qualname__} is made from itself")
    copies = yield args
    copier.half_made[id(value)] -= 1
    return copies


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


_WAYS: dict[type, Callable[[Copier, Any], Visit]] = {list: _list, tuple: _tuple, dict: _dict, MethodType: _method}
