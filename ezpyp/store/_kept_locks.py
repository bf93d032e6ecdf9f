"""SQLite's own locks, kept through what drops them behind its back.

POSIX drops all locks that a process has on a file as soon as the process closes any descriptor of it: a step that
copies the cache or hashes it, a duplicate of a descriptor that is garbage-collected. The next program that opens and
closes the index then takes itself for the last one, folds the write-ahead log into it and removes the log, while the
holder goes on writing into a file without a name (https://sqlite.org/howtocorrupt.html, section 2.2). So the holder
takes the two locks that prevent this once more, through SQLite's own descriptors, at each commit and each second.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from ezpyp.errors import StoreError

# SQLite's file format and unix VFS: the shared range of a database, and the byte that says "I use this -shm file".
_SHARED = (0x40000000 + 2, 510)
_IN_USE = (128, 1)
_EVERY_S = 1.0
_ANCIENT = 0.0

Inode = tuple[int, int]


class KeptLocks:
    """The locks of the holder of an index, and a look at whether its files are those that it writes.

    Args:
        index: Path of the index, open in this process.
        is_wal: Whether it is in WAL mode; otherwise locks are held for the time of a commit only.
    """

    def __init__(self, index: Path, *, is_wal: bool) -> None:
        self._index = index
        self._wal = index.with_name(index.name + "-wal")
        self._locks = [(index, _SHARED), (index.with_name(index.name + "-shm"), _IN_USE)] if is_wal else []
        self._descriptors: dict[Path, tuple[int, Inode]] = {}
        self._seen: dict[Path, Inode] = {}
        self._kept_at = _ANCIENT

    @property
    def is_due(self) -> bool:
        """Whether the locks should be taken once more, although nothing is written."""
        return time.monotonic() - self._kept_at > _EVERY_S

    def keep(self) -> None:
        """Take the locks once more.

        Raises:
            StoreError: Somebody has taken the index or its write-ahead log away meanwhile.
        """
        self._kept_at = time.monotonic()
        if not self._is_same(self._index):
            raise StoreError(
                f"{self._index} was removed or replaced while this process wrote it: nothing of this run is kept there "
                "any more, and it ends here; run again",
                path=str(self._index),
            )
        if self._locks and not self._is_same(self._wal):
            raise StoreError(
                f"{self._wal} was taken away while this process wrote it: something in this process opened and closed "
                "the index as a plain file, which drops SQLite's locks, and another program then removed the log. What "
                "was printed as [PASS] is saved; run again",
                path=str(self._wal),
            )
        for path, (start, length) in self._locks:
            descriptor = self._descriptor(path)
            if descriptor is not None:
                # A file system without locks has none to lose.
                with contextlib.suppress(OSError):
                    fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB, length, start)

    def _is_same(self, path: Path) -> bool:
        """Whether a file is the one that was there first."""
        found = _inode(path)
        if found is not None:
            return self._seen.setdefault(path, found) == found
        return path not in self._seen

    def _descriptor(self, path: Path) -> int | None:
        """SQLite's own descriptor of a file, found by inode: one of ours would drop the locks when it is closed."""
        known = self._descriptors.get(path)
        if known is not None and _inode(known[0]) == known[1]:
            return known[0]
        inode = _inode(path)
        found = next((fd for fd in _open_descriptors() if _inode(fd) == inode), None) if inode else None
        if found is not None and inode is not None:
            self._descriptors[path] = (found, inode)
        return found


def _inode(file: Path | int) -> Inode | None:
    try:
        status = os.stat(file)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _open_descriptors() -> list[int]:
    return sorted(int(name) for name in os.listdir("/dev/fd"))
