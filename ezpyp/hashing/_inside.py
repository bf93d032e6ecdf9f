"""What changed inside a value of which only a text was recorded: the one key of a table, the one field of an object."""

import re
from collections.abc import Iterator

from ezpyp.hashing._secrets import SECRET

_MOST = 5
_SHOWN = 60
_MISSING = object()
# Where a text names what has no literal: <add>, <secret>.
_NAMED = re.compile(r"<[\w.]+>")
_SECRET_DIGEST = re.compile(r"<secret\.[0-9a-f]{16}>")
# The text of an object: its class, then its attributes.
_OBJECT = re.compile(r"<([\w.]+) (\{.*\})>", re.DOTALL)

# Path below the whole, what was there, what is there; "" for nothing.
Inner = tuple[str, str, str]


def inside(old: str, new: str) -> list[Inner]:
    """Return what differs between two recorded values.

    Args:
        old: Text of the earlier value.
        new: Text of the later one.

    Returns:
        One entry a part that differs, as its path and two texts; the whole, shortened, where texts do not tell more.

    Example:
        >>> inside("{'a': 1, 'b': [2, 3]}", "{'a': 1, 'b': [2, 4]}")
        [("['b'][1]", '3', '4')]
    """
    path, values = "", (_parsed(old), _parsed(new))
    objects = _OBJECT.fullmatch(old), _OBJECT.fullmatch(new)
    if objects[0] and objects[1] and objects[0][1] == objects[1][1]:
        path, values = ".", (_parsed(objects[0][2]), _parsed(objects[1][2]))
    if _MISSING in values:
        return [("", *_both_shortened(old, new))]
    found = [(place, *_both_shortened(was, now)) for place, was, now in _differences(path, *values)]
    return found if 0 < len(found) <= _MOST else [("", *_both_shortened(old, new))]


def _parsed(text: str) -> object:
    from ast import literal_eval  # a few milliseconds that only a difference is worth

    try:
        return literal_eval(_NAMED.sub(lambda name: repr(name[0]), text))
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _MISSING


def _differences(path: str, old: object, new: object) -> Iterator[Inner]:
    if type(old) is type(new) is dict:
        for key in dict.fromkeys([*old, *new]):
            place = f".{key}" if path == "." else f"{path}[{_text(key)}]"
            yield from _differences(place, old.get(key, _MISSING), new.get(key, _MISSING))
    elif isinstance(old, list | tuple) and type(old) is type(new):
        yield from _in_order(path, old, new)
    elif not _same(_text(old), _text(new)):
        yield path, _text(old), _text(new)


def _in_order(
    path: str, old: list[object] | tuple[object, ...], new: list[object] | tuple[object, ...]
) -> Iterator[Inner]:
    """Compare place by place; where the lengths differ, what both begin and end with stands aside."""
    start, end = 0, 0
    if len(old) != len(new):
        most = min(len(old), len(new))
        while start < most and _text(old[start]) == _text(new[start]):
            start += 1
        while end < most - start and _text(old[-1 - end]) == _text(new[-1 - end]):
            end += 1
    middle = old[start : len(old) - end], new[start : len(new) - end]
    for place in range(max(map(len, middle))):
        was, now = (part[place] if place < len(part) else _MISSING for part in middle)
        yield from _differences(f"{path}[{start + place}]", was, now)


def _same(old: str, new: str) -> bool:
    # Records of the first days have no digest of a secret.
    return old == new or (SECRET in (old, new) and _without_digests(old) == _without_digests(new))


def _without_digests(text: str) -> str:
    """A text as it may be shown."""
    return _SECRET_DIGEST.sub(SECRET, text)


def _text(value: object) -> str:
    if value is _MISSING:
        return ""
    text = repr(value)
    return text[1:-1] if isinstance(value, str) and _NAMED.fullmatch(value) else text


def _both_shortened(old: str, new: str) -> tuple[str, str]:
    """Cut texts to a line, so that the place where they differ is seen."""
    old, new = _without_digests(old), _without_digests(new)
    if max(len(old), len(new)) <= _SHOWN:
        return old, new
    same = next((i for i, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    start = 0 if same < _SHOWN - 10 else same - 21
    return _cut(old, start), _cut(new, start)


def shortened(text: str) -> str:
    """Cut a text to a line."""
    return _cut(_without_digests(text), 0)


def _cut(text: str, start: int) -> str:
    piece = text[start : start + _SHOWN]
    return ("..." if start else "") + piece + ("..." if start + _SHOWN < len(text) else "")
