"""Lists, tuples, dicts, sets and the other containers of the language."""

from array import array
from collections.abc import Collection, Mapping
from itertools import chain
from types import MappingProxyType
from typing import Any

from xxhash import xxh3_128

from ezpyp.hashing.plain import are_scalars, count, digest, dumps, is_flat, scalars_are_short, tag, text
from ezpyp.hashing.walk import Children, Walker

_FLAT = tag("flat")
_LIST = tag("list")
_TUPLE = tag("tuple")
_DICT = tag("dict")
_SET = tag("set")
_FROZENSET = tag("frozenset")
_PROXY = tag("mappingproxy")
_SLICE = tag("slice")
_MEMBERS = tag("members")
# Characters of a long string that are encoded at a time.
_PIECE = 1 << 20


def walk_list(w: Walker, value: list[object]) -> Children:
    """A list: its parts in order."""
    if not w.met(value):
        yield from _sequence(w, value, _LIST)


def walk_tuple(w: Walker, value: tuple[object, ...]) -> Children:
    """A tuple: its parts in order."""
    if not w.met_tuple(value):
        yield from _sequence(w, value, _TUPLE)


def _sequence(w: Walker, value: Collection[object], kind: bytes) -> Children:
    if is_flat(value):
        w.note_texts(value)
        w.emit(_FLAT + dumps(value, 2))
        return
    w.emit(kind + count(len(value)))
    yield from value


def walk_dict(w: Walker, value: dict[object, object]) -> Children:
    """A dict: its items in order, which Python's own dict keeps and shows."""
    if not w.met(value):
        yield from dict_items(w, value)


def dict_items(w: Walker, value: Mapping[Any, object]) -> Children:
    """The items of a dict that is no object of its own (an instance's attributes, keyword arguments)."""
    if are_scalars(value.values()) and are_scalars(value):
        w.note_texts((value,))
        w.emit(_FLAT + dumps(value, 2))
        return
    w.emit(_DICT + count(len(value)))
    yield from chain.from_iterable(value.items())


def walk_set(w: Walker, value: set[object]) -> Children:
    """A set: its members in the order of their digests, since a set has none of its own."""
    if not w.met(value):
        yield from members(w, value, _SET)


def walk_frozenset(w: Walker, value: frozenset[object]) -> Children:
    """A frozenset: as a set, but immutable."""
    if not w.met_tuple(value):
        yield from members(w, value, _FROZENSET)


def members(w: Walker, value: Collection[object], kind: bytes) -> Children:
    """The members of a set, in an order that does not depend on the hash seed."""
    w.emit(kind + count(len(value)))
    if are_scalars(value):
        w.note_texts(value)
        w.emit(b"".join(sorted(dumps(member, 2) for member in value)))
        return
    parts = []
    met = len(w.seen)
    mutable = False
    w.local += 1
    for member in value:
        outer = w.begin()
        yield member
        parts.append((digest(w.end(outer)), member))
        mutable = mutable or len(w.seen) > met
        # Numbers given inside one member may not depend on which member came first.
        w.forget(met)
    w.local -= 1
    parts.sort(key=lambda part: part[0])
    w.emit(b"".join(part[0] for part in parts))
    if mutable and not w.local:
        # Once more in a fixed order, for objects that are shared with what stands outside the set.
        w.emit(_MEMBERS)
        yield from (member for _, member in parts)


def walk_proxy(w: Walker, value: MappingProxyType[object, object]) -> Children:
    """A read-only view of a mapping."""
    w.emit(_PROXY)
    yield dict(value)


def walk_slice(w: Walker, value: slice) -> Children:
    """A slice: start, stop and step."""
    w.emit(_SLICE)
    yield from (value.start, value.stop, value.step)


def leaf_range(value: range) -> bytes:
    """A range: start, stop and step."""
    return tag("range") + dumps((value.start, value.stop, value.step), 2)


def leaf_text(value: str | bytes) -> bytes:
    """A string: written out, or by digest where it is long."""
    if scalars_are_short((value,)):
        return dumps(value, 2)
    if isinstance(value, bytes):
        return tag("long bytes") + count(len(value)) + digest(value)
    state = xxh3_128()
    for start in range(0, len(value), _PIECE):
        state.update(value[start : start + _PIECE].encode("utf-8", "surrogatepass"))
    return tag("long str") + count(len(value)) + state.digest()


# Raw memory: bytearrays, memoryviews, array.array.

_BYTEARRAY = tag("bytearray")
_MEMORYVIEW = tag("memoryview")
_ARRAY = tag("array")


def walk_bytearray(w: Walker, value: bytearray) -> Children:
    """A bytearray: its bytes, where they lie."""
    if not w.met(value):
        w.emit(_BYTEARRAY + count(len(value)) + digest(value))
    yield from ()


def walk_memoryview(w: Walker, value: memoryview) -> Children:
    """A memoryview: format, shape and contents."""
    if not w.met(value):
        data = value if value.c_contiguous else value.tobytes()
        w.emit(_MEMORYVIEW + text(value.format) + b"".join(map(count, value.shape or ())) + digest(data))
    yield from ()


def walk_array(w: Walker, value: "array[int]") -> Children:
    """An array.array: type code and contents."""
    if not w.met(value):
        w.emit(_ARRAY + text(value.typecode) + count(len(value)) + digest(value))
    yield from ()
