"""Both ends of what was said, and how much was left out between them."""

from __future__ import annotations

LIMIT_BYTES = 65536


class Kept:
    r"""Keeps the first and the last bytes of a stream, in bounded memory.

    A step that prints for hours says what it is at the beginning and what became of it at the end.

    Args:
        limit_bytes: How much is kept, half of it from each end.

    Example:
        >>> kept = Kept(limit_bytes=8)
        >>> kept.add(b"abcdefgh"), kept.add(b"ijkl")
        (None, None)
        >>> kept.take()
        b'abcd\n[... 4 bytes left out ...]\nijkl'
        >>> kept.take()
        b''
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._half = limit_bytes // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def __bool__(self) -> bool:
        return bool(self._head)

    def add(self, data: bytes | memoryview) -> None:
        """Take note of what was said."""
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        if data:
            self._add_to_tail(data)

    def _add_to_tail(self, data: bytes | memoryview) -> None:
        if len(data) > self._half:
            self._left_out += len(data) - self._half
            data = data[-self._half :]
        self._tail += data
        # Cut only now and then: a cut for every short line would move the whole tail each time.
        if len(self._tail) > 4 * self._half:
            self._cut()

    def _cut(self) -> None:
        surplus = len(self._tail) - self._half
        if surplus > 0:
            del self._tail[:surplus]
            self._left_out += surplus

    def take(self) -> bytes:
        """All that is kept, and begin anew."""
        if not self._head:
            return b""
        self._cut()
        mark = b"\n[... %d bytes left out ...]\n" % self._left_out if self._left_out else b""
        whole = bytes(self._head) + mark + bytes(self._tail)
        self._head.clear()
        self._tail.clear()
        self._left_out = 0
        return whole
