"""Deep copies with a stack of their own: ``copy.deepcopy``, for values nested 100,000 deep, with large arrays mapped.

Each way to copy is a generator that yields the parts it wants copied and is sent the copies, so that depth needs no
recursion. What an object says of its own copying holds: ``__deepcopy__``, ``copyreg``, ``__reduce_ex__``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from copyreg import dispatch_table
from types import BuiltinFunctionType, CodeType, FunctionType, MappingProxyType, MethodType, ModuleType
from typing import Any
from weakref import ref

from ezpyp.steps._driving import Visit, driven
from ezpyp.steps._snapshots import Snapshots, is_large_array, is_large_frame, plain_copy

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
