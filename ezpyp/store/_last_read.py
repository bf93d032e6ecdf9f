"""The last large object that was read from a network file system, kept for whoever asks for it again."""

import os
import threading
from collections.abc import Callable

from ezpyp.store._mapping import MAP_BYTES, read_private


class LastRead:
    """One object's bytes in memory of this process, of which each reader gets a private view.

    A mapping of the file itself would do where the file is local. On a network file system it is not safe, and a
    thousand readers of one result would transfer it a thousand times. Nobody else can write to the copy: its digest is
    computed once.

    Example:
        >>> import tempfile
        >>> last = LastRead()
        >>> with tempfile.TemporaryFile() as file:
        ...     _ = file.write(bytes(2_000_000)), file.flush()
        ...     if last.can_keep(2_000_000):
        ...         data = last.read(b"digest", file.fileno(), 2_000_000, check=lambda data: None)
        >>> last.can_keep(10)
        False
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._digest = b""
        self._memory = -1

    def can_keep(self, size: int) -> bool:
        """Whether an object is large enough, and the system has files in memory."""
        return size >= MAP_BYTES and hasattr(os, "memfd_create")

    def read(self, digest: bytes, descriptor: int, size: int, check: Callable[[memoryview], object]) -> memoryview:
        """A private view of an object's bytes.

        Args:
            digest: Names the object.
            descriptor: Its open file, read only where another object was read last.
            size: Number of bytes.
            check: Looks at what was read, and raises where that is not the object.

        Raises:
            OSError: The file cannot be read, or ends before ``size``.
        """
        with self._lock:
            if digest != self._digest:
                self._forget()
                self._memory = _copy(descriptor, size)
                check(read_private(self._memory, size))
                self._digest = digest
            return read_private(self._memory, size)

    def _forget(self) -> None:
        if self._memory >= 0:
            os.close(self._memory)
        self._digest, self._memory = b"", -1

    def __del__(self) -> None:
        self._forget()


def _copy(descriptor: int, size: int) -> int:
    """A file in memory with the content of another."""
    memory = os.memfd_create("ezpyp", os.MFD_CLOEXEC)
    start = 0
    try:
        while start < size:
            # In pieces: Python sees a Ctrl-C only between two calls.
            count = os.sendfile(memory, descriptor, start, min(size - start, 64 * 1024 * 1024))
            if not count:
                raise OSError(f"the file ends after {start} bytes")
            start += count
    except BaseException:
        os.close(memory)
        raise
    return memory
