"""Large arrays: hashed once, although thousands of calls are given the same one.

The digest of an array's memory is remembered, and the memory with it by a weak reference, so that nothing is held
alive and no address is ever taken for another array's. A call that is given the array again compares some places of
it, others at each use, with what was there; where they differ it is hashed anew. When a schema is frozen, and again
when a run starts, every array is hashed for real.

What is left: an array of 4 MiB or more that is changed in a few places and changed back between two of these moments,
with a call in between, counts in that call as it was before. What is changed and stays changed is always found.
"""

import time
import weakref
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from math import gcd
from typing import Any

LARGE_BYTES = 4 << 20
"""Arrays of this size are remembered instead of hashed at each call, and mapped instead of copied for each step."""

# A column of a large frame is remembered by itself. Below this, looking at it costs more than hashing it.
_PIECE_BYTES = LARGE_BYTES // 16
# One place in 16 KiB is kept (160 us for 256 MiB); of those some 64 are compared at each use (3 us).
_SPACING_BYTES = 1 << 14
_PLACES = 64
_ENDS = 8
# A person who changes an array by hand between two calls takes longer; 10,000 calls in a loop do not.
_TRUSTED_S = 5.0

Array = Any
"""A NumPy array: this module works without importing NumPy."""

_Key = tuple[object, ...]


class _Known:
    """What is remembered of one array."""

    __slots__ = ("_ends", "_places", "_stride", "_taken_at", "_uses", "digest", "owner", "round")

    def __init__(self, owner: "weakref.ref[Array]", digest: bytes, round_: int) -> None:
        self.owner = owner
        self.digest = digest
        self.round = round_
        self._taken_at = float("-inf")

    def look_at(self, array: Array, now: float) -> None:
        """Keep what later uses are compared with."""
        self._taken_at = now
        self._uses = 0
        self._stride = _stride(array)
        self._places = array.flat[:: self._stride]
        self._ends = _ends(array)

    def still_holds(self, array: Array, now: float) -> bool:
        """Whether the array looks as it did; other places are looked at each time."""
        if now - self._taken_at > _TRUSTED_S:
            return False
        groups = max(len(self._places) // _PLACES, 1)
        first = self._uses % groups
        self._uses += 1
        seen = array.flat[first * self._stride :: groups * self._stride]
        return bool(seen.tobytes() == self._places[first::groups].tobytes() and _ends(array) == self._ends)


def _stride(array: Array) -> int:
    stride = max(_SPACING_BYTES // int(array.itemsize), 1)
    # In step with the rows, the places would all lie in one column.
    while any(length > 1 and gcd(stride, length) > 1 for length in array.shape):
        stride += 1
    return stride


def _ends(array: Array) -> bytes:
    return bytes(array.flat[:_ENDS].tobytes() + array.flat[-_ENDS:].tobytes())


class LargeBuffers:
    """Remembers digests of large arrays.

    Args:
        clock: Gives seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._known: dict[_Key, _Known] = {}
        self._round = 0
        self._is_checking = False
        self._is_counting = False
        self._uses: Counter[int] = Counter()

    @contextmanager
    def checking(self) -> Iterator[None]:
        """A pass in which every array is hashed once for real: no user code runs, so once is enough."""
        self._round += 1
        self._uses = Counter()
        with self.as_checked():
            self._is_counting = True
            try:
                yield
            finally:
                self._is_counting = False

    @contextmanager
    def as_checked(self) -> Iterator[None]:
        """Let every array count as it did in the last pass, whatever its memory holds now."""
        before, self._is_checking = self._is_checking, True
        try:
            yield
        finally:
            self._is_checking = before

    def note(self, value: object) -> None:
        """Count a call that holds a large object."""
        if self._is_counting:
            self._uses[id(value)] += 1

    def uses(self) -> Counter[int]:
        """How many calls held each large object in the last pass, by its id."""
        return Counter(self._uses)

    def digest(self, array: Array, hash_anew: Callable[[Array], bytes]) -> bytes:
        """Return ``hash_anew(array)``, or what it gave before where the array looks as it did.

        Args:
            array: A ``numpy.ndarray``, of no subclass.
            hash_anew: Hashes the array's values.
        """
        if array.nbytes < _PIECE_BYTES:
            return hash_anew(array)
        owner = _owner(array)
        if owner.nbytes < LARGE_BYTES:
            return hash_anew(array)
        key = (id(owner), array.__array_interface__["data"][0], array.shape, array.strides, array.dtype)
        known = self._known.get(key)
        if known is None or known.owner() is not owner or not self._is_good(known, array):
            known = self._known[key] = self._learnt(key, owner, array, hash_anew)
        return known.digest

    def _is_good(self, known: _Known, array: Array) -> bool:
        if self._is_checking:
            return known.round == self._round
        return known.still_holds(array, self._clock())

    def _learnt(self, key: _Key, owner: Array, array: Array, hash_anew: Callable[[Array], bytes]) -> _Known:
        known = _Known(weakref.ref(owner, partial(self._forget, key)), hash_anew(array), self._round)
        # Other memory (a file, a buffer that is shared) may be changed by others at any time.
        if owner.base is None or isinstance(owner.base, bytes | bytearray):
            known.look_at(array, self._clock())
        return known

    def _forget(self, key: _Key, _: object) -> None:
        self._known.pop(key, None)


def _owner(array: Array) -> Array:
    """The array whose memory a view shows."""
    kind = type(array)  # numpy.ndarray itself
    while isinstance(array.base, kind):
        array = array.base
    return array


LARGE_BUFFERS = LargeBuffers()
"""The one memory of the process: arrays are shared between the calls of all pipelines."""
