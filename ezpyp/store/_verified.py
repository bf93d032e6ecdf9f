"""Which objects were found whole by this process: a thousand readers of one of them hash it once."""

import os
import time

# Below, hashing again (17 us) costs hardly more than remembering, and a location may have millions of them.
_LEAST_BYTES = 256 * 1024
# A change in the same tick of the file system's clock shows in no time stamp. Ticks are 10 ms at most where time stamps
# have fractions of a second, 2 s where they have none; another host's clock may be off.
_SETTLED_S = 0.1
_SETTLED_COARSE_S = 2.0


class Verified:
    """The objects whose digest was right, each with what the system said of its file at that moment.

    A file that is replaced, written to or touched in any way has another inode or another change time
    (which no program can set), and counts as unknown.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryFile() as file:
        ...     size = file.write(bytes(1_000_000))
        ...     file.flush()
        ...     status = os.fstat(file.fileno())
        >>> verified = Verified()
        >>> verified.add(b"digest", status, now_s=status.st_ctime + 0.01)  # it may change once more unseen
        >>> verified.holds(b"digest", status)
        False
        >>> verified.add(b"digest", status, now_s=status.st_ctime + 10)
        >>> verified.holds(b"digest", status)
        True
    """

    def __init__(self) -> None:
        self._known: dict[bytes, tuple[int, ...]] = {}

    def holds(self, digest: bytes, status: os.stat_result) -> bool:
        """Whether this very file was found to have this digest, and did not change since."""
        return self._known.get(digest) == _identity(status)

    def add(
        self, digest: bytes, status: os.stat_result, *, now_s: float | None = None, is_network: bool = False
    ) -> None:
        """Remember a file that was found to have its digest; ``now_s`` is the time when reading began."""
        now_s = time.time() if now_s is None else now_s
        is_fine = status.st_ctime_ns % 1_000_000_000 and not is_network
        settled_s = _SETTLED_S if is_fine else _SETTLED_COARSE_S
        if status.st_size >= _LEAST_BYTES and now_s - status.st_ctime > settled_s:
            self._known[digest] = _identity(status)


def _identity(status: os.stat_result) -> tuple[int, ...]:
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
