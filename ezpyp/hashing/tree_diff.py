"""What changed inside a value of which only a text was recorded: the one key of a table, the one field of an object."""

from __future__ import annotations

import marshal
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from math import isqrt
from typing import TYPE_CHECKING, Any

from xxhash import xxh3_64_hexdigest

from ezpyp.describe import SECRET

if TYPE_CHECKING:
    import ast


# Where two long values differ, of which a record has room for digests only, or for one line.

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
_ROWS = frozenset({list, tuple})
_LEAST, _LONG_MOST = 64, 1_000_000
_BLOCKS = 128
_DIGITS = 4
_SHOWN_PLACES = 4
_LINE = 60
_AHEAD = 20


def sketch(value: object) -> str:
    """What tells later where a long list or text changed, in at most 1,100 characters; "" for anything else.

    The members are laid out in rows, as many in each as there are rows about, and every row and every column has a
    short digest: what changes in one place changes one row and one column. Of more than 16,384 members the columns
    are left out, and only the row is known.

    Args:
        value: A list or tuple of plain numbers and texts or of rows of them, a text, or bytes.
    """
    # Not isinstance(): the user's own class may have methods of its own.
    if type(value) not in (str, bytes, list, tuple):
        return ""
    members: Sequence[object] = value  # type: ignore[assignment]  # just looked
    size = len(members)
    if not _LEAST <= size <= _LONG_MOST or not _is_plain(members):
        return ""
    width = _width(size)
    rows = [members[start : start + width] for start in range(0, size, width)]
    columns = [members[start::width] for start in range(width)] if width <= _BLOCKS else []
    return f"{size}.{''.join(map(_digest, rows))}.{''.join(map(_digest, columns))}"


def _is_plain(members: Sequence[object]) -> bool:
    """Whether all are plain, or rows of what is plain: marshal writes a set as the hash seed will have it."""
    kinds = set(map(type, members))
    if kinds.isdisjoint(_ROWS):
        return kinds <= _PLAIN
    rows = (member for member in members if isinstance(member, list | tuple))
    return kinds <= _PLAIN | _ROWS and _PLAIN.issuperset(map(type, chain.from_iterable(rows)))


def _width(size: int) -> int:
    """Members of a row: a power of two, so that it stays the same while a list grows a little."""
    least = max(isqrt(size - 1) + 1, -(-size // _BLOCKS))
    return 1 << (least - 1).bit_length()


def _digest(members: Sequence[object]) -> str:
    # marshal: 1 us a row; the hashing walk would take five times as long, and equal members need no equal digests.
    return xxh3_64_hexdigest(marshal.dumps(members, 2))[:_DIGITS]  # type: ignore[arg-type]  # plain


def whereabouts(path: str, old: str, new: str) -> tuple[str, str] | None:
    """Where two sketched values differ: the path and words; None where that cannot be told.

    Args:
        path: The argument, or the part of it.
        old: Sketch of the earlier value.
        new: Sketch of the later one.

    Example:
        >>> old = list(range(5000))
        >>> whereabouts("x", sketch(old), sketch([*old[:3000], -1, *old[3001:]]))
        ('x[3000]', 'x[3000] changed')
        >>> whereabouts("x", sketch(old), sketch([*old, 1]))
        ('x', '5000 -> 5001 long, the first difference is in x[4992:5120]')
    """
    (size, rows, columns), (size_now, rows_now, columns_now) = map(_read, (old, new))
    width = _width(size)
    if width != _width(size_now):
        return path, f"{size} -> {size_now} long"
    changed = _differing(rows, rows_now)
    if size != size_now:
        first = min([*changed, min(len(rows), len(rows_now))]) * width
        return path, f"{size} -> {size_now} long, the first difference is in {path}[{first}:{first + width}]"
    across = _differing(columns, columns_now)
    if not changed:
        return None
    if across and 1 in (len(changed), len(across)):
        places = [f"{path}[{row * width + column}]" for row in changed for column in across]
        more = f" and {len(places) - _SHOWN_PLACES} more" if len(places) > _SHOWN_PLACES else ""
        return places[0] if len(places) == 1 else path, f"{', '.join(places[:_SHOWN_PLACES])}{more} changed"
    return path, f"changed in {path}[{changed[0] * width}:{min((changed[-1] + 1) * width, size)}]"


def _read(text: str) -> tuple[int, list[str], list[str]]:
    size, *digests = text.split(".")
    rows, columns = ([part[i : i + _DIGITS] for i in range(0, len(part), _DIGITS)] for part in digests)
    return int(size), rows, columns


def _differing(old: list[str], new: list[str]) -> list[int]:
    return [place for place, (was, now) in enumerate(zip(old, new, strict=False)) if was != now]


def apart(old: str, new: str, most: int = _LINE) -> tuple[str, str]:
    """Two texts cut to a line each, of ``most`` characters, so that the first place where they differ is seen.

    Example:
        >>> apart("'" + "a" * 100 + "b'", "'" + "a" * 100 + "c'")
        ("...aaaaaaaaaaaaaaaaaaaab'", "...aaaaaaaaaaaaaaaaaaaac'")
    """
    if max(len(old), len(new)) <= most:
        return old, new
    same = next((i for i, (was, now) in enumerate(zip(old, new, strict=False)) if was != now), min(len(old), len(new)))
    start = 0 if same < most - _AHEAD else same - _AHEAD
    return _cut(old, start, most), _cut(new, start, most)


def _cut(text: str, start: int, most: int) -> str:
    piece = text[start : start + most]
    return ("..." if start else "") + piece + ("..." if start + most < len(text) else "")


_MOST = 5
_SHOWN = 60
_MISSING = object()
SKETCHED = "~"
"""Stands in front of a sketch in the text of a long value."""
# Where a text names what has no expression: <add>, <secret>, <outer.<locals>.inner>.
_NAMED = re.compile(r"<(?:[\w. ]|<\w+>)+>")
_NAMED_OR_QUOTED = re.compile(rf"""(?P<quoted>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|{_NAMED.pattern}""", re.DOTALL)
_SECRET_DIGEST = re.compile(r"<secret\.[0-9a-f]{16}>")
# The last argument of what is known by its content.
_DIGEST = re.compile(r"(?:, )?'#[0-9a-f]{16}'")
_TOLD_BY_DIGEST = re.compile(r"[\w.]+\((?![\w]+=)[^{\[]*\)")

# Path below the whole, what was there, what is there; "" for nothing.
Inner = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Object:
    """An object with the attributes that its text names."""

    name: str
    fields: dict[str, object]

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{name}={_text(part)}' for name, part in self.fields.items())})"


@dataclass(frozen=True, slots=True)
class _Leaf:
    """What has a text and no parts."""

    text: str

    def __repr__(self) -> str:
        return self.text


@dataclass(frozen=True, slots=True)
class _Long:
    """What is too long to be recorded as a whole: its beginning, its length, and sketches of its keys and values."""

    name: str
    head: Any
    size: int
    sketches: tuple[str, ...]
    rest: str

    def __repr__(self) -> str:
        return f"{self.name} of {self.size}"


def is_told_by_digest(text: str) -> bool:
    """Tell whether a text is that of something of which the content is in a digest alone.

    Example:
        >>> [is_told_by_digest(text) for text in ("File('a.csv')", "ndarray('int64', (9,))", "Conf(lr=1)", "{1: 2}")]
        [True, True, False, False]
    """
    return _TOLD_BY_DIGEST.fullmatch(text) is not None


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
        >>> inside("Conf(lr=0.1, seed=1)", "Conf(lr=0.2, seed=1)")
        [('.lr', '0.1', '0.2')]
    """
    values = _parsed(old), _parsed(new)
    if _MISSING in values:
        return [("", *both_shortened(old, new))]
    found = [(place, *both_shortened(was, now)) for place, was, now in _differences("", *values)]
    return found if 0 < len(found) <= _MOST else [("", *both_shortened(old, new))]


def _parsed(text: str) -> object:
    import ast  # a few milliseconds that only a difference is worth

    try:
        tree = ast.parse(_NAMED_OR_QUOTED.sub(lambda found: found["quoted"] or repr(found[0]), text), mode="eval")
        return _value(tree.body)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return _MISSING


def _value(node: ast.expr) -> object:
    import ast

    match node:
        case ast.Constant(value=value):
            return value
        case ast.BinOp(left=ast.Constant() | ast.UnaryOp(), right=ast.Constant(value=complex())):
            return _Leaf(f"({ast.unparse(node)})")
        case ast.List(elts=parts):
            return [_value(part) for part in parts]
        case ast.Tuple(elts=parts):
            return tuple(_value(part) for part in parts)
        case ast.Dict(keys=keys, values=values):
            return {_key(key): _value(part) for key, part in zip(keys, values, strict=True) if key is not None}
        case ast.Call(func=kind, args=[], keywords=[_, *_] as fields):
            return _Object(ast.unparse(kind), {str(field.arg): _value(field.value) for field in fields})
        case ast.Call(func=kind, args=[head, ast.Constant(value=int(size)), *rest]) if _sketches(rest):
            return _Long(ast.unparse(kind), _value(head), size, _sketches(rest), ast.unparse(rest[-1]))
        case ast.Call(args=[ast.Dict() | ast.List() as only], keywords=[]):
            return _value(only)
        case _:
            return _Leaf(ast.unparse(node))


def _sketches(nodes: list[ast.expr]) -> tuple[str, ...]:
    import ast

    texts = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return tuple(text[1:] for text in texts if text.startswith(SKETCHED))


def _key(node: ast.expr) -> object:
    import ast

    value = _value(node)
    # Numbers of other types are other keys in a text, if not in a table.
    return value if isinstance(value, str | bytes) else _Leaf(ast.unparse(node))


def _differences(path: str, old: object, new: object) -> Iterator[Inner]:
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _by_name([(f"{path}[{_text(key)}]", key) for key in dict.fromkeys([*old, *new])], old, new)
    elif isinstance(old, _Object) and isinstance(new, _Object) and old.name == new.name:
        names = dict.fromkeys([*old.fields, *new.fields])
        yield from _by_name([(f"{path}.{name}", name) for name in names], old.fields, new.fields)
    elif isinstance(old, _Long) and isinstance(new, _Long) and old.name == new.name:
        if old != new:
            yield from _in_long(path, old, new)
    elif isinstance(old, list | tuple) and type(old) is type(new):
        yield from _in_order(path, old, new)
    elif not _same(_text(old), _text(new)):
        yield path, _text(old), _text(new)


def _by_name(places: list[tuple[str, Any]], old: dict[Any, object], new: dict[Any, object]) -> Iterator[Inner]:
    for place, name in places:
        yield from _differences(place, old.get(name, _MISSING), new.get(name, _MISSING))


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


def _in_long(path: str, old: _Long, new: _Long) -> Iterator[Inner]:
    """Say what differs in the beginnings, else where it is that something does."""
    if isinstance(old.head, dict):
        both = old.head.keys() & new.head.keys()
        heads: Any = tuple({key: part for key, part in long.head.items() if key in both} for long in (old, new))
    else:
        heads = old.head[: len(new.head)], new.head[: len(old.head)]
    found = [] if isinstance(old.head, str | bytes) else list(_differences(path, *heads))
    if old.size == new.size and 0 < len(found) <= _MOST:
        yield from found
        return
    for kind, was, now in zip(("key ", "")[-len(old.sketches) :], old.sketches, new.sketches, strict=False):
        told = whereabouts("", was, now) if was and now and was != now else None
        if told is not None:
            yield from _places(path, old, *told, kind=kind)
            return
    yield path, _text(old), _text(new)


def _places(path: str, old: _Long, place: str, words: str, *, kind: str) -> Iterator[Inner]:
    if " long" in words:
        was, _, now = words.partition(" -> ")
        yield path, f"{was} long", now
    else:
        places = [place] if place else words.removesuffix(" changed").removeprefix("changed in ").split(", ")
        of = f"{kind or 'value '}" if old.name == "dict" else ""
        yield from ((f"{path}[{of}{one[1:-1]}]", "", "") for one in places)


def _same(old: str, new: str) -> bool:
    # Records of the first days have no digest of a secret.
    return old == new or (SECRET in (old, new) and _without_digests(old) == _without_digests(new))


def _without_digests(text: str) -> str:
    """A text as it may be shown."""
    return _DIGEST.sub("", _SECRET_DIGEST.sub(SECRET, text))


def _text(value: object) -> str:
    if value is _MISSING:
        return ""
    text = repr(value)
    return text[1:-1] if isinstance(value, str) and _NAMED.fullmatch(value) else text


def both_shortened(old: str, new: str, most: int = _SHOWN) -> tuple[str, str]:
    """Cut texts to a line of ``most`` characters, so that the place where they differ is seen.

    Example:
        >>> both_shortened("a" * 70 + "b", "a" * 70 + "c", 25)
        ('...aaaaaaaaaaaaaaaaaaaab', '...aaaaaaaaaaaaaaaaaaaac')
    """
    old, new = _without_digests(old), _without_digests(new)
    return (old, new) if old == new and is_told_by_digest(new) else apart(old, new, most)


def shortened(text: str) -> str:
    """Cut a text to a line."""
    text = _without_digests(text)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
