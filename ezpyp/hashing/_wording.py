"""The text of a value that code reads, long enough to tell later which part of it changed."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from enum import Enum
from functools import partial
from types import BuiltinFunctionType, FunctionType, ModuleType
from typing import Any

from xxhash import xxh3_64_hexdigest

from ezpyp.hashing._describe import describe
from ezpyp.hashing._file import File
from ezpyp.hashing._inside import SKETCHED
from ezpyp.hashing._long import sketch
from ezpyp.hashing._secrets import is_secret
from ezpyp.hashing._wording_arrays import array_text, is_array, is_table, marked, table_text

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
