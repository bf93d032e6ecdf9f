"""The text of a value that code reads, long enough to tell later which part of it changed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import partial
from math import prod
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from xxhash import xxh3_64_hexdigest

from ezpyp.describe import describe, is_secret
from ezpyp.hashing.files import File
from ezpyp.hashing.tree_diff import SKETCHED, sketch

# Texts of arrays, tables and random generators that code reads. None of their packages is imported.

_PACKAGES = frozenset({"numpy", "pandas", "polars", "pyarrow", "scipy", "xarray", "torch"})
_TABLES = frozenset({"pandas", "polars"})
_WORDING_ARRAYS_SAID_BY_REPR = frozenset({"Timestamp", "Timedelta", "Period", "Interval", "datetime64", "timedelta64"})
_SMALL = 12
_COLUMNS = 100

DigestOf = Callable[[object], str]


def is_table(value: object) -> bool:
    """Tell whether a value is a data frame of a package that is known here."""
    kind = type(value)
    return kind.__module__.partition(".")[0] in _TABLES and kind.__name__ == "DataFrame"


def is_array(value: object) -> bool:
    """Tell whether a value is an array, a column or a generator of such a package, whose attributes are its own."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return package in _TABLES or (package in _PACKAGES and (hasattr(kind, "dtype") or hasattr(kind, "shape")))


def table_text(value: object, digest_of: DigestOf) -> str:
    """Return the text of a data frame, column by column."""
    columns = [f"{name}: {array_text(column, digest_of, is_hidden=hidden)}" for name, column, hidden in _columns(value)]
    return f"DataFrame({{{', '.join(columns)}}})"


def _columns(table: Any) -> Iterator[tuple[str, object, bool]]:
    """Each column with its name as text, and whether it looks like a secret; a labelled index comes first."""
    is_pandas = hasattr(table, "iloc")
    if is_pandas and type(table.index).__name__ != "RangeIndex":
        yield "<index>", table.index, False
    for place, name in enumerate(table.columns[:_COLUMNS]):
        yield (
            describe(name) if type(name) in (str, int) else repr(describe(name)),
            _values(table.iloc[:, place]) if is_pandas else table.to_series(place),
            is_secret(name),
        )


def _values(series: Any) -> Any:
    """The values of a column of pandas without its index, which would count in each."""
    return series.to_numpy(copy=False) if type(series.dtype).__module__.startswith("numpy") else series.array


def array_text(value: object, digest_of: DigestOf, *, is_hidden: bool = False) -> str | None:
    """Return the text of an array, a column or a random generator; None for anything else.

    Args:
        value: Anything.
        digest_of: Gives what stands for its content.
        is_hidden: Whether its values must not be written down.
    """
    kind = type(value)
    if kind.__module__.partition(".")[0] not in _PACKAGES:
        return None
    if kind.__module__.startswith("numpy.random"):
        return marked(kind.__name__, _seed(value), digest_of(value))
    if kind.__name__ in _WORDING_ARRAYS_SAID_BY_REPR:
        return repr(value)
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is None or not isinstance(shape, tuple) or not shape:
        return None
    order = ["'order F'"] if _is_fortran(value) else []
    numbers = None if is_hidden else _numbers(value, shape)
    if numbers is not None:
        return marked(kind.__name__, [repr(str(dtype)), str(numbers), *order], "")
    return marked(kind.__name__, [repr(str(dtype)), str(tuple(shape)), *order], digest_of(value))


def _numbers(value: Any, shape: tuple[int, ...]) -> object:
    """The values of a small array of numbers; None of any other."""
    size, dtype = prod(shape), value.dtype
    if not 0 < size <= _SMALL:
        return None
    if getattr(dtype, "kind", "") in tuple("biuf") and hasattr(value, "tolist"):
        return value.tolist()
    is_polars = type(value).__module__.startswith("polars.")
    return value.to_list() if is_polars and dtype.is_numeric() else None


def _is_fortran(value: object) -> bool:
    flags = getattr(value, "flags", None) if type(value).__module__ == "numpy" else None
    return bool(flags is not None and flags.f_contiguous and not flags.c_contiguous)


def _seed(value: Any) -> list[str]:
    """Return the kind and the seed of a generator, where it knows it."""
    bits = getattr(value, "bit_generator", value)
    seeds = getattr(bits, "seed_seq", None) if type(bits).__module__.startswith("numpy.random") else None
    told = [repr(type(bits).__name__)] if bits is not value else []
    return told if seeds is None else [*told, describe(seeds.entropy), *map(describe, seeds.spawn_key)]


def marked(name: str, facts: list[str], digest: str) -> str:
    """Return the text of what is known by some facts, and by a digest where they do not say all."""
    return f"{name.replace('<locals>.', '')}({', '.join([*facts, *([repr('#' + digest)] if digest else [])])})"


_ROOM, _WHOLE_TEXT = 2500, 4096
_HEAD, _SHORT_HEAD = 1500, 200
_DEPTH = 6
_LONG = 200
"""Characters of a text, or of an object's own words, of which the rest is told by a digest."""
_LONGEST_SECRET = 10_000
_BRACKETS: dict[type, tuple[str, str]] = {list: ("[", "]"), tuple: ("(", ")"), set: ("{", "}")}
_UNORDERED = (set, frozenset)
_NUMBERS = frozenset({int, float, complex, bool, type(None)})
# Their texts say all, and are the standard library's own.
_SAID_BY_REPR = frozenset({"datetime", "decimal", "fractions", "uuid", "ipaddress", "zoneinfo", "re"})
# Named only: what they lead to is told of by itself.
_WITHOUT_PARTS = (FunctionType, BuiltinFunctionType, ModuleType, type, classmethod, staticmethod, property)
_LEADS_ON = frozenset({"dataclasses", "functools", "types"})
_NO_OBJECTS = frozenset({"builtins", "functools", "types"})
_PLAIN_OBJECTS = frozenset({"SimpleNamespace"})


def wording(value: object, *, digest_of: Callable[[object], str], says_itself: Callable[[type], bool]) -> str:
    """Return a bounded text of a value, as an expression of Python: no code of the user's runs.

    Args:
        value: Anything.
        digest_of: Gives what stands for the content of a part of which the text does not say all; "" for nothing.
        says_itself: Whether instances of a class say themselves what counts, so that their attributes mean nothing.

    Example:
        >>> wording({"rate": 0.1, "raw": bytearray(3)}, digest_of=lambda part: "1f", says_itself=lambda kind: False)
        "{'rate': 0.1, 'raw': bytearray('#1f')}"
    """
    return _Writer(digest_of, says_itself).whole(value)


class _Writer:
    """Writes one value. What no longer fits is an ellipsis: the text stays an expression."""

    def __init__(self, digest_of: Callable[[object], str], says_itself: Callable[[type], bool]) -> None:
        self._digest_of = digest_of
        self._says_itself = says_itself
        self._room = _ROOM

    def whole(self, value: object) -> str:
        # Its digest is recorded beside the text.
        return self._opened(value, _DEPTH) or _leaf(value, _WHOLE_TEXT, lambda _: "")

    def _text(self, value: object, depth: int) -> str:
        if self._room <= 0 or not depth:
            return "..."
        opened = self._opened(value, depth)
        if opened is not None:
            return opened
        text = _leaf(value, _LONG, self._digest_of)
        self._room -= len(text)
        return text

    def _opened(self, value: object, depth: int) -> str | None:
        """The text of what has parts; None for other things."""
        kind = type(value)
        if is_table(value):
            text = table_text(value, self._digest_of)
            self._room -= len(text)
            return text
        if kind is dict or kind in _BRACKETS:
            return self._container(value, kind, depth)
        if kind is frozenset:
            return f"frozenset({self._row(value, '{', '}', depth) if value else ''})"  # type: ignore[arg-type]
        return self._object(value, kind, depth)

    def _container(self, value: Any, kind: type, depth: int) -> str:
        room = self._room
        text = self._table(value, depth) if kind is dict else self._row(value, *_BRACKETS[kind], depth)
        if self._room > 0:
            return text
        sketches = _sketched(value)
        if not sketches:
            return text
        # Of what does not fit, the beginning, and where it changed.
        self._room = _HEAD if depth == _DEPTH else _SHORT_HEAD
        text = self._table(value, depth) if kind is dict else self._row(value, *_BRACKETS[kind], depth)
        digest = "" if depth == _DEPTH else self._digest_of(value)
        text = marked(kind.__name__, [text, str(len(value)), *sketches], digest)
        self._room = room - len(text)
        return text

    def _table(self, table: dict[object, object], depth: int) -> str:
        return "{" + ", ".join(self._pairs(dict.items(table), depth)) + "}"

    def _pairs(self, items: Iterable[tuple[object, object]], depth: int) -> Iterator[str]:
        for key, part in items:
            shown = _told_apart(part) if is_secret(key) else None
            yield f"{self._text(key, depth - 1)}: {shown or self._text(part, depth - 1)}"
            if self._room <= 0:
                return

    def _row(self, parts: Iterable[object], opening: str, closing: str, depth: int) -> str:
        texts = []
        for part in parts:
            texts.append(self._text(part, depth - 1))
            if self._room <= 0:
                break
        if isinstance(parts, _UNORDERED):
            texts.sort()
            if not texts:
                return "set()"
        comma = "," if opening == "(" and len(texts) == 1 else ""
        return opening + ", ".join(texts) + comma + closing

    def _object(self, value: object, kind: type, depth: int) -> str | None:
        if kind is partial:
            facts = {"func": value.func, "args": value.args, "keywords": value.keywords}  # type: ignore[attr-defined]
            return self._call(kind, facts.items(), depth)
        if isinstance(value, tuple) and isinstance(fields := getattr(kind, "_fields", None), tuple):
            return self._call(kind, zip(fields, tuple.__iter__(value), strict=False), depth)
        if isinstance(value, dict):
            return f"{kind.__qualname__}({self._table(value, depth)})"
        if kind is deque:
            return f"deque({self._row(value, '[', ']', depth)})"  # type: ignore[arg-type]  # just looked
        if kind is slice:
            return self._row_of(kind, (value.start, value.stop, value.step), depth)  # type: ignore[attr-defined]
        if kind.__module__ == "operator" and (made_of := _of_operator(value)):
            return self._row_of(kind, made_of, depth)
        state = {} if self._says_itself(kind) or is_array(value) else _state(value, kind)
        return self._call(kind, state.items(), depth) if state else None

    def _row_of(self, kind: type, parts: Iterable[object], depth: int) -> str:
        return f"{kind.__qualname__}({', '.join(self._text(part, depth - 1) for part in parts)})"

    def _call(self, kind: type, facts: Iterable[tuple[object, object]], depth: int) -> str | None:
        texts = []
        for name, part in facts:
            if not (type(name) is str and name.isidentifier()):
                return None
            shown = _told_apart(part) if is_secret(name) else self._text(part, depth - 1)
            texts.append(f"{name}={shown}")
        return f"{kind.__qualname__.replace('<locals>.', '')}({', '.join(texts)})"


def _leaf(value: object, most: int, digest_of: Callable[[object], str]) -> str:
    """What has no parts to look into, with a digest where the text does not say all."""
    kind = type(value)
    if kind in _NUMBERS or isinstance(value, _WITHOUT_PARTS) or kind.__module__ in _LEADS_ON:
        return describe(value)
    if kind is str or kind is bytes:
        if len(value) <= most:  # type: ignore[arg-type]  # a text
            return repr(value)
        facts = [repr(value[:40]), str(len(value)), *_sketched(value)]  # type: ignore[index,arg-type]  # a text
        return marked(kind.__name__, facts, digest_of(value))
    if kind.__module__ in _SAID_BY_REPR or kind is range:
        text = repr(value)
        return text if len(text) <= most else marked(kind.__name__, [], digest_of(value))
    if kind.__module__.startswith("pathlib"):
        return f"{kind.__name__}({str(value)!r})"
    if isinstance(value, Enum):
        return f"{kind.__qualname__}.{value.__dict__.get('_name_')}"
    if kind is File:
        return marked("File", [repr(value.path)], digest_of(value))  # type: ignore[attr-defined]  # just looked
    return _other(value, kind, digest_of)


def _other(value: object, kind: type, digest_of: Callable[[object], str]) -> str:
    text = array_text(value, digest_of)
    if text is not None:
        return text
    shown = describe(value)
    return shown if shown != f"<{kind.__qualname__}>" else marked(kind.__qualname__, [], digest_of(value))


def _sketched(value: object) -> list[str]:
    """Return what tells where a long value changed: sketches of the keys and of the values of a table."""
    sketches = [sketch(list(value)), sketch(list(value.values()))] if type(value) is dict else [sketch(value)]
    return [repr(SKETCHED + text) for text in sketches] if any(sketches) else []


def _of_operator(value: object) -> tuple[object, ...]:
    """Return what an itemgetter and the like was made of."""
    made: tuple[Any, tuple[object, ...]] = value.__reduce__()  # type: ignore[assignment]  # the standard library's own
    make, arguments = made
    # With keywords, methodcaller is made by a partial that holds its name.
    return (*make.args, *arguments, make.keywords) if isinstance(make, partial) else arguments


def _told_apart(value: object) -> str:
    """A secret by its digest, so that another one in its place is seen, whatever else changed."""
    return f"<secret.{xxh3_64_hexdigest(describe(value, _LONGEST_SECRET).encode('utf-8', 'surrogatepass'))}>"


def _state(value: object, kind: type) -> dict[str, object]:
    """Return the attributes of an object written in Python, without waking any of its own code."""
    if kind.__module__ in _NO_OBJECTS and kind.__name__ not in _PLAIN_OBJECTS:
        return {}
    if isinstance(value, ModuleType | type | Enum | File):
        return {}
    try:
        state = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return {}
    return state if type(state) is dict else {}
