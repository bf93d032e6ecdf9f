"""The parts of a value, without running any of the user's code: no ``__repr__``, no property, no ``__iter__``."""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Iterator
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any

from ezpyp.hashing import describe, says_itself, short_digest

Parts = Iterator[tuple[str, object, object]]
"""Place in the text of a path, name, and value of each part."""

CONTAINERS = (list, tuple, dict, set, frozenset, deque)
CODE = (FunctionType, type)

# Their texts say all, and are the standard library's own.
_SAID_BY_REPR = frozenset({"datetime", "decimal", "fractions", "uuid", "ipaddress", "zoneinfo", "re"})
_ONLY_NAMED = (BuiltinFunctionType, ModuleType, bytearray, memoryview, slice)
_STATE_METHODS = ("__reduce__", "__reduce_ex__", "__getstate__")
_HEAP_TYPE = 1 << 9
"""Flag of a class that a class statement made (Py_TPFLAGS_HEAPTYPE); the others keep state out of sight."""


def atom_text(value: object) -> str | None:
    """The text of what has no parts to look into, with its digest where the text does not say all; None for others."""
    kind = type(value)
    if kind.__module__ in _SAID_BY_REPR or kind is range or value is Ellipsis:
        text = repr(value)
        return text if len(text) <= 120 else f"{text[:60]}... #{short_digest(value)}"
    if kind is slice and {type(value.start), type(value.stop), type(value.step)} <= {int, type(None)}:  # type: ignore[attr-defined]  # a slice
        return repr(value)
    if isinstance(value, Enum):
        return f"{kind.__name__}.{value.__dict__.get('_name_')} #{short_digest(value)}"
    if kind.__module__.startswith("pathlib"):
        return f"{kind.__name__}({str(value)!r})"
    if says_itself(kind) or isinstance(value, _ONLY_NAMED) or getattr(kind, "__ezpyp_untracked__", False):
        path = f" {value.path!r}" if kind.__module__ == "ezpyp.hashing._file" else ""  # type: ignore[attr-defined]  # a File
        return f"{describe(value)}{path} #{short_digest(value)}"
    return None


def size_text(value: object) -> str:
    """What kind of thing it is, and how many parts it has."""
    kind = type(value)
    if isinstance(value, CODE):
        return describe(value)
    if isinstance(value, CONTAINERS) and not _fields(kind):
        return f"{kind.__name__} of {length(value)}"
    return kind.__name__


def is_open(value: object) -> bool:
    """Whether the parts are all that counts: else a digest stands beside them."""
    kind = type(value)
    if kind in CONTAINERS or kind is partial or kind is MethodType:
        return True
    own = kind.__mro__[:-1]
    return all(base.__flags__ & _HEAP_TYPE for base in own) and not any(
        name in base.__dict__ for base in own for name in _STATE_METHODS
    )


def parts_of(value: object) -> Parts:
    """The parts of a container, a function (its defaults) or an instance (its attributes)."""
    kind = type(value)
    if isinstance(value, tuple) and (names := _fields(kind)):
        yield from ((f".{name}", name, part) for name, part in zip(names, tuple.__iter__(value), strict=False))
    elif isinstance(value, dict):
        yield from ((f"[{describe(key)}]", key, part) for key, part in dict.items(value))
    elif isinstance(value, list | tuple | deque):
        yield from ((f"[{place}]", place, part) for place, part in enumerate(_base(value).__iter__(value)))
    elif isinstance(value, set | frozenset):
        members = [(f"{{{_member(part)}}}", "", part) for part in _base(value).__iter__(value)]
        yield from sorted(members, key=lambda part: part[0])
    elif isinstance(value, FunctionType):
        yield from _defaults(value)
    elif not isinstance(value, type):
        yield from ((f".{name}", name, part) for name, part in _attributes(value, kind))


def length(value: object) -> int:
    """How many parts a container has."""
    return int(_base(value).__len__(value))


def _base(value: object) -> Any:
    """The class of Python's own that a container is of: a subclass of the user's may have methods of its own."""
    return next(base for base in CONTAINERS if isinstance(value, base))


def _member(part: object) -> str:
    text = describe(part)
    return text if text[:1] not in "<([{" and not text.endswith("...") else f"{text} #{short_digest(part)}"


def _fields(kind: type) -> tuple[str, ...]:
    """The names of a named tuple; none for other classes."""
    fields = next((base.__dict__["_fields"] for base in kind.__mro__ if "_fields" in base.__dict__), ())
    return fields if issubclass(kind, tuple) and isinstance(fields, tuple) else ()


def _defaults(function: FunctionType) -> Parts:
    code = function.__code__
    values = function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    for name, value in (*zip(names, values, strict=True), *(function.__kwdefaults__ or {}).items()):
        yield f"({name}=)", name, value


def _attributes(value: object, kind: type) -> Iterator[tuple[str, object]]:
    if kind is partial:
        yield from (("func", value.func), ("args", value.args), ("keywords", value.keywords))  # type: ignore[attr-defined]  # a partial
    elif kind is MethodType:
        yield from (("__func__", value.__func__), ("__self__", value.__self__))  # type: ignore[attr-defined]  # a method
    for base in reversed(kind.__mro__):
        for name, slot in base.__dict__.items() if "__slots__" in base.__dict__ else ():
            if type(slot) is MemberDescriptorType:
                # Not getattr(): it would wake the user's own where the slot was never filled.
                with contextlib.suppress(AttributeError):
                    yield name, slot.__get__(value, kind)
    try:
        state = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return
    yield from state.items() if type(state) is dict else ()
