"""Where two long values differ, of which a record has room for digests only, or for one line."""

from __future__ import annotations

import marshal
from collections.abc import Sequence
from itertools import chain
from math import isqrt

from xxhash import xxh3_64_hexdigest

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
_ROWS = frozenset({list, tuple})
_LEAST, _MOST = 64, 1_000_000
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
    if not _LEAST <= size <= _MOST or not _is_plain(members):
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
