"""Why a value cannot be stored, and why stored bytes do not become a value."""

import io
import pickle
import re
import struct
import sys
from collections.abc import Callable, Iterator, Sequence
from types import FunctionType, GeneratorType, MethodType
from typing import Any, NamedTuple

from xxhash import xxh3_128_digest

from ezpyp.errors import CodecError, DamagedResultError
from ezpyp.store.codecs.pickle import script_in, stream_of
from ezpyp.store.codecs.protocol import reason_of

_DEEPEST = 50
Part = tuple[str, object]


class Offender(NamedTuple):
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


# Stored bytes that do not become a value.

_LOST_NAME = re.compile(r"Can't get attribute '(.+?)' on <module '(.+?)'")


def loading_error(error: Exception, codec_name: str, data: memoryview) -> CodecError | DamagedResultError:
    """The error to raise in place of whatever a codec's ``decode`` raised."""
    lost = _LOST_NAME.search(str(error))
    if isinstance(error, AttributeError) and lost:
        return _lost_name(lost[1], lost[2], data)
    if isinstance(error, ImportError):
        return CodecError(
            f"the stored result needs a module that cannot be imported here ({reason_of(error)}); "
            "install it, or put its folder on sys.path, and load again",
            reason=reason_of(error),
        )
    if _is_damage(error):
        return DamagedResultError(
            f"what is stored is not what the codec {codec_name!r} wrote ({reason_of(error)}); "
            "run the pipeline again to compute the result anew",
            digest=xxh3_128_digest(data).hex(),
            reason="content",
        )
    return CodecError(
        f"the stored result is whole, but its value cannot be built here: {type(error).__name__}: {reason_of(error)}",
        reason=reason_of(error),
    )


def _lost_name(name: str, module: str, data: memoryview) -> CodecError:
    if module == "__main__":
        script = script_in(stream_of(data))
        where = f"{name!r} of {script} (module __main__), and this is another one"
        cure = (
            f"load it from that script; or move {name!r} into a module that both import, or use the codec "
            "'cloudpickle', and run the step again"
        )
    else:
        where = f"{name!r} of the module {module!r}, which has it no longer"
        cure = "load it with the version of the module that stored it, or run the step again"
    return CodecError(f"the stored result refers to {where}; {cure}", name=name, module=module)


def _is_damage(error: Exception) -> bool:
    if isinstance(error, pickle.UnpicklingError | EOFError | struct.error | UnicodeDecodeError):
        return True
    # A ValueError out of a class's own __setstate__ is no damage: the step would be run again for nothing.
    return isinstance(error, ValueError | SyntaxError) and _raised_in(error).split(".")[0] in (
        "ezpyp",
        "json",
        "ast",
    )


def _raised_in(error: Exception) -> str:
    """Name of the module whose code raised; C code counts as its caller's."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    return "" if traceback is None else str(traceback.tb_frame.f_globals.get("__name__", ""))
