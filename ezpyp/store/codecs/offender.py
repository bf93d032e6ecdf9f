"""Which part of a result cannot be stored."""

import io
import pickle
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from types import FunctionType, GeneratorType, MethodType
from typing import Any

_DEEPEST = 50
Part = tuple[str, object]


@dataclass(frozen=True, slots=True)
class Offender:
    """The smallest part found that cannot be stored.

    Attributes:
        path: Where it stands, such as ``result['model'].lock``.
        type_name: Qualified name of its type.
        advice: What to do about it.
    """

    path: str
    type_name: str
    advice: str


def find_offender(value: object) -> Offender:
    """Follow the parts that cannot be stored down to one all of whose parts can.

    Example:
        >>> find_offender({"rows": [1, 2], "items": [3, (n for n in "ab")]}).path
        "result['items'][1]"
    """
    path = "result"
    for _ in range(_DEEPEST):
        part = _first_unstorable(_parts(value))
        if part is None:
            break
        path, value = path + part[0], part[1]
    kind = type(value)
    module = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return Offender(path, module + kind.__qualname__, _advice(value))


def _advice(value: object) -> str:
    if isinstance(value, GeneratorType):
        return "it gives its items once; return a list of them"
    if isinstance(value, io.IOBase):
        return "return its path or its content"
    return "return plain data, or leave that part out by a __getstate__ method"


def _first_unstorable(parts: Sequence[Part]) -> Part | None:
    """Halve the parts: a million good ones are pickled twice, not one by one."""
    if not _is_unstorable([value for _, value in parts]):
        return None
    while len(parts) > 1:
        half = parts[: len(parts) // 2]
        parts = half if _is_unstorable([value for _, value in half]) else parts[len(half) :]
    return parts[0] if parts else None


class _Nowhere(io.RawIOBase):
    def write(self, _data: object) -> int:
        return 0


def _is_unstorable(value: object) -> bool:
    import cloudpickle

    try:
        cloudpickle.Pickler(_Nowhere(), 5, buffer_callback=lambda _: None).dump(value)
    except Exception:  # noqa: BLE001 - the user's __reduce__ may raise anything
        return True
    return False


def _parts(value: object) -> list[Part]:
    """What the value is made of, each with its step of the path; nothing where that cannot be told."""
    for kinds, parts_of in _KINDS:
        if isinstance(value, kinds):
            return list(parts_of(value))
    try:
        return list(_elements(value) or _state(value))
    except Exception:  # noqa: BLE001 - the user's __reduce__ may raise anything
        return []


def _dict_parts(value: dict[object, object]) -> Iterator[Part]:
    for key, item in value.items():
        shown = repr(key) if type(key) in (str, int, float, bool) else f"<{type(key).__qualname__}>"
        yield f"[{shown}]", item
        yield f"'s key {shown}", key


def _tuple_parts(value: tuple[object, ...]) -> Iterator[Part]:
    names = getattr(value, "_fields", None)
    for index, item in enumerate(value):
        yield (f".{names[index]}" if names else f"[{index}]"), item


def _set_parts(value: frozenset[object]) -> Iterator[Part]:
    for item in value:
        yield "'s element", item


def _method_parts(value: MethodType) -> Iterator[Part]:
    yield ".__self__", value.__self__


def _function_parts(value: FunctionType) -> Iterator[Part]:
    for name, cell in zip(value.__code__.co_freevars, value.__closure__ or (), strict=False):
        try:
            yield f"'s variable {name}", cell.cell_contents
        except ValueError:
            continue  # the cell is empty
    for name in value.__code__.co_names:
        if name in value.__globals__:
            yield f"'s global {name}", value.__globals__[name]
    yield ".__defaults__", value.__defaults__
    yield ".__kwdefaults__", value.__kwdefaults__


_KINDS: tuple[tuple[type | tuple[type, ...], Callable[..., Iterator[Part]]], ...] = (
    (dict, _dict_parts),
    ((tuple, list), _tuple_parts),
    ((set, frozenset), _set_parts),
    (MethodType, _method_parts),
    (FunctionType, _function_parts),
    (type, lambda _: iter(())),
)


def _elements(value: object) -> list[Part]:
    """The items of an array of objects."""
    numpy = sys.modules.get("numpy")
    if numpy is None or not isinstance(value, numpy.ndarray) or value.dtype != object:
        return []
    return [(f"[{', '.join(map(str, index))}]", item) for index, item in numpy.ndenumerate(value)]


def _state(value: object) -> Iterator[Part]:
    """What pickle itself would go on with: the state, then arguments and items."""
    reduced: Any = value.__reduce_ex__(pickle.HIGHEST_PROTOCOL)
    if isinstance(reduced, str):
        return
    arguments, state, items, pairs = (*reduced[1:5], None, None, None)[:4]
    # Of an object with slots it is a pair: __dict__ or None, and the slots.
    pair = state if isinstance(state, tuple) and len(state) == 2 else (state, None)
    if all(isinstance(attributes, dict | None) for attributes in pair):
        yield from ((f".{name}", item) for attributes in pair for name, item in (attributes or {}).items())
    else:
        yield "'s state", state
    yield from ((f"'s argument {index}", item) for index, item in enumerate(arguments))
    yield from ((f"[{index}]", item) for index, item in enumerate(items or ()))
    yield from _dict_parts(dict(pairs or ()))
