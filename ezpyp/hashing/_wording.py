"""The text of a value that code reads, long enough to tell later which part of it changed."""

from functools import partial
from types import ModuleType

from xxhash import xxh3_64_hexdigest

from ezpyp.hashing._describe import describe
from ezpyp.hashing._file import File

FILE = "<File "
"""How the text of a file begins, of which the content counts."""

_ROOM = 1000
_LONGEST_SECRET = 10_000
_CONTAINERS = frozenset({list, tuple, dict})
_NO_OBJECTS = frozenset({"builtins", "functools", "types"})
_PLAIN_OBJECTS = frozenset({"SimpleNamespace"})


def wording(value: object) -> str:
    """Return a bounded text of a value: tables and the attributes of objects in some detail, the rest in short."""
    kind = type(value)
    if kind is File:
        return f"{FILE}{value.path!r}>"  # type: ignore[attr-defined]  # just looked
    if kind in _CONTAINERS:
        return _parts(value)
    if kind is partial:
        return _of_partial(value)  # type: ignore[arg-type]  # just looked
    state = _state(value, kind)
    return f"<{kind.__qualname__} {_parts(state)}>" if state else describe(value)


def _of_partial(value: "partial[object]") -> str:
    facts = {"func": value.func, "args": value.args, "keywords": value.keywords}
    return f"<partial {_parts(facts)}>"


def _parts(value: object) -> str:
    return describe(value, _ROOM, secret=_told_apart)


def _told_apart(value: object) -> str:
    """A secret by its digest, so that another one in its place is seen, whatever else changed."""
    return f"<secret.{xxh3_64_hexdigest(describe(value, _LONGEST_SECRET).encode('utf-8', 'surrogatepass'))}>"


def _state(value: object, kind: type) -> dict[str, object]:
    """Return the attributes of an object written in Python, without waking any of its own code."""
    if kind.__module__ in _NO_OBJECTS and kind.__name__ not in _PLAIN_OBJECTS:
        return {}
    if isinstance(value, ModuleType | type):
        return {}
    try:
        state = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return state if type(state) is dict else {}
