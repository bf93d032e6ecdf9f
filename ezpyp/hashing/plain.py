"""The fast road: numbers, strings and containers of them, written by ``marshal`` at C speed.

Which road a value takes depends on the value alone (its types, sizes and depth), never on which equal parts happen
to be one object: equal values take the same road and give the same bytes.
"""

import marshal
from collections.abc import Callable, Collection, Iterable
from itertools import chain
from typing import TYPE_CHECKING

from xxhash import xxh3_128_digest

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer


KEY_FORMAT = 1
"""Number of the encoding; raise it whenever any digest of an unchanged value or function changes."""

dumps: Callable[[object, int], bytes] = marshal.dumps  # type: ignore[assignment]  # callers know what they give it
"""``marshal.dumps``, with the type that it has where the caller looked at what it gives."""


def tag(name: str) -> bytes:
    """Return the marker that opens a piece of the kind ``name``."""
    return b"@" + name.encode() + b"\0"


def count(number: int) -> bytes:
    """Return a length as eight bytes; lengths stand before contents, so that splits never collide."""
    return number.to_bytes(8, "little")


def text(value: str) -> bytes:
    """Return a string after its length; lone surrogates are kept."""
    data = value.encode("utf-8", "surrogatepass")
    return count(len(data)) + data


def digest(data: "ReadableBuffer") -> bytes:
    """Return the 128-bit XXH3 of ``data`` as 16 bytes."""
    return xxh3_128_digest(data)


SCALARS: frozenset[type] = frozenset({int, float, complex, bool, type(None), str, bytes})
_TEXTS = frozenset({str, bytes})
_CONTAINERS = frozenset({list, tuple, dict})
_PLAIN = SCALARS | _CONTAINERS
_FLAT_PARTS = SCALARS | {tuple}

# A longer string is hashed where it lies: marshal would copy it, and refuses 2 GB.
LONG = 1 << 16
# Deeper ones go the slow road; marshal itself stops at 1,000 to 2,000 levels.
_DEPTH = 64
# A tuple of tuples shared at each of 60 levels is small in memory and endless when written out.
_PARTS = 1 << 17


def scalars_are_short(values: Iterable[object]) -> bool:
    """Tell whether no string among ``values`` is too long to be copied."""
    return not any(type(value) in _TEXTS and len(value) > LONG for value in values)  # type: ignore[arg-type]  # strings


def are_scalars(values: Collection[object]) -> bool:
    """Tell whether all ``values`` are exact plain scalars of moderate length."""
    kinds = set(map(type, values))
    return kinds <= SCALARS and _are_short(values, kinds)


def _are_short(values: Iterable[object], kinds: set[type]) -> bool:
    if _TEXTS.isdisjoint(kinds):
        return True
    if len(kinds) == 1:
        return max(map(len, values)) <= LONG  # type: ignore[arg-type]  # all are strings
    return scalars_are_short(values)


def is_flat(value: Collection[object]) -> bool:
    """Tell whether a list or tuple holds scalars, or tuples of scalars, only.

    Two levels are looked at, so that a walk that asks at each level stays linear.
    """
    kinds = set(map(type, value))
    if kinds <= SCALARS:
        return _are_short(value, kinds)
    if not kinds <= _FLAT_PARTS or not _are_short(value, kinds):
        return False
    tuples: Iterable[object] = value if len(kinds) == 1 else (part for part in value if type(part) is tuple)
    return are_scalars(list(chain.from_iterable(tuples)))  # type: ignore[arg-type]  # they are tuples


def texts_in(values: Iterable[object]) -> list[object]:
    """Return the texts, bytes among them, in plain values and their containers."""
    found: list[object] = []
    level: list[object] = [tuple(values)]
    while level:
        children = _children(level)
        kinds = set(map(type, children))
        if not _TEXTS.isdisjoint(kinds):
            found.extend(part for part in children if type(part) in _TEXTS)
        level = [part for part in children if type(part) in _CONTAINERS] if kinds & _CONTAINERS else []
    return found


def _is_shallow(values: Iterable[object]) -> bool:
    """Tell at once, where it is so, that values are scalars and containers of scalars only, none of them shared.

    `_is_plain` says the same of them, 2 us later: as much as all the rest of digesting the arguments of most calls.
    """
    owned = set()
    mutable = 0
    for value in values:
        kind = type(value)
        if kind in SCALARS:
            if kind in _TEXTS and len(value) > LONG:  # type: ignore[arg-type]  # a string
                return False
            continue
        if kind is dict:
            if not are_scalars(value.values()) or not are_scalars(value):  # type: ignore[attr-defined,arg-type]  # a dict
                return False
        elif (kind is not list and kind is not tuple) or not are_scalars(value):  # type: ignore[arg-type]  # a sequence
            return False
        if kind is not tuple:
            mutable += 1
            owned.add(id(value))
    return len(owned) == mutable


def plain_bytes(value: object) -> bytes | None:
    """Return the bytes of a plain value, or None where the slow road is to be taken."""
    kind = type(value)
    if kind in SCALARS:
        return dumps(value, 2) if scalars_are_short((value,)) else None
    if kind not in _CONTAINERS or not (_is_shallow((value,)) or _is_plain(value)):
        return None
    return dumps(value, 2)


def plain_sequence(values: tuple[object, ...]) -> bytes | None:
    """Return what ``plain_bytes`` does for a tuple, quicker where its parts are scalars and small containers."""
    return dumps(values, 2) if _is_shallow(values) or _is_plain(values) else None


def _is_plain(root: object) -> bool:
    """Look through a container level by level, each level in a handful of C calls."""
    owned: set[int] = set()
    parts = 0
    level: list[object] = [root]
    for _ in range(_DEPTH):
        mutable = [part for part in level if type(part) is not tuple]
        before = len(owned)
        owned.update(map(id, mutable))
        parts += len(level)
        # A list met twice is shared, and sharing counts: only the slow road writes references.
        if len(owned) != before + len(mutable) or parts > _PARTS:
            return False
        children = _children(level)
        kinds = set(map(type, children))
        if not kinds <= _PLAIN or not _are_short(children, kinds):
            return False
        inner = kinds & _CONTAINERS
        if not inner:
            return True
        level = list(children) if inner == kinds else [part for part in children if type(part) in inner]
    return False


def _children(level: list[object]) -> Collection[object]:
    if len(level) == 1 and type(level[0]) is not dict:
        return level[0]  # type: ignore[return-value]  # a list or tuple
    dicts = [part for part in level if type(part) is dict]
    rest: Iterable[Iterable[object]] = level if not dicts else [p for p in level if type(p) is not dict]  # type: ignore[assignment,misc]  # sequences
    values = chain.from_iterable(map(dict.values, dicts))
    return list(chain(chain.from_iterable(rest), chain.from_iterable(dicts), values))
