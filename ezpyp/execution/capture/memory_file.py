"""A descriptor that writes into memory for a while: what C extensions and child processes say.

Not a pipe: who writes never waits for a reader, so that a C function that holds the interpreter lock cannot
deadlock with it, and a child that outlives the run is not killed by a pipe that nobody reads. The memory is given
back when the next step begins: a step whose children print gigabytes does better with EZPYP_CAPTURE=0.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator

CHUNK_BYTES = 1 << 20
EMPTIED_AFTER_BYTES = 16 << 20


class MemoryFile:
    """What is written to a descriptor, until `restore`; ``real`` is a descriptor of where it led before.

    Raises:
        OSError: There is no such descriptor, or no room for a memory file.
    """

    def __init__(self, number: int) -> None:
        self.number = number
        self.real = os.dup(number)
        try:
            self._file = _unnamed_file()
        except OSError:
            os.close(self.real)
            raise
        self._seen = 0
        os.dup2(self._file, number)

    def restore(self) -> None:
        """Lead the descriptor back, unless somebody has put another file in its place meanwhile."""
        if same_file(self._file, self.number) in (True, None):
            os.dup2(self.real, self.number)

    def close(self) -> None:
        """Give memory and descriptors back."""
        os.close(self._file)
        os.close(self.real)

    def empty(self) -> None:
        """Give back the memory of what was read; in the middle of a step that would race with its writers."""
        if self._seen > EMPTIED_AFTER_BYTES and not self.has_grown:
            os.ftruncate(self._file, 0)
            self._seen = 0

    @property
    def has_grown(self) -> bool:
        """Whether there is something to read."""
        return os.lseek(self._file, 0, os.SEEK_END) != self._seen

    def holds_alone(self, count: int) -> bool:
        """Whether so many bytes were written since the last read, no more and no fewer; they count as read then."""
        end = os.lseek(self._file, 0, os.SEEK_END)
        if end != self._seen + count:
            return False
        self._seen = end
        return True

    def read(self) -> Iterator[bytes]:
        """What was written since the last call, in pieces."""
        end = os.lseek(self._file, 0, os.SEEK_END)
        if end < self._seen:
            self._seen = 0  # a child opened /dev/stdout anew, which empties a file
        while self._seen < end:
            piece = os.pread(self._file, min(CHUNK_BYTES, end - self._seen), self._seen)
            if not piece:
                return
            self._seen += len(piece)
            yield piece


def _unnamed_file() -> int:
    if hasattr(os, "memfd_create"):
        descriptor = os.memfd_create("ezpyp-output")
    else:
        import tempfile

        with tempfile.TemporaryFile(buffering=0) as file:
            descriptor = os.dup(file.fileno())
    # A child that opens /dev/stdout has an offset of its own, and would write over what stands there.
    fcntl.fcntl(descriptor, fcntl.F_SETFL, fcntl.fcntl(descriptor, fcntl.F_GETFL) | os.O_APPEND)
    return descriptor


def same_file(one: int, other: int) -> bool | None:
    """Whether two descriptors lead to one file; None where the other is closed."""
    try:
        return os.path.samestat(os.fstat(one), os.fstat(other))
    except OSError:
        return None
