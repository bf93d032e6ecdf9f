"""Digests of files, remembered by what the file system says of them, so that an unchanged file is read once.

A file is taken for unchanged while device, inode, size and both times (of its content and of its state, in ns) are
the same. A content put there by somebody who then set the old time and size again is found by the time of the state,
which no program can set. As in git's index, a file changed within the last 2 s is not remembered: it may change again
within one tick of its clock.
"""

import os
import stat
import time
from collections.abc import Callable, Mapping

from xxhash import xxh3_128

from ezpyp.hashing._framing import count, digest

Source = Callable[[], Mapping[bytes, bytes]]
"""Gives digests by stamp that an earlier process remembered; asked once, when a file is digested for the first time."""

_RACY_NS = 2_000_000_000
_TRIES = 5
# Read, never mapped: a file that is cut off while it is mapped would kill the process.
_PIECE_BYTES = 1 << 20


class FileDigests:
    """Remembers digests of files.

    Args:
        clock_ns: Gives the time of day, ns.

    Attributes:
        met: Content digest of each file that was asked for, by its path as given, since somebody cleared it.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self.met: dict[str, bytes] = {}
        self._known: dict[bytes, bytes] = {}
        self._fresh: list[tuple[bytes, bytes]] = []
        self._given: dict[str, int] = {}
        self._sources: dict[str, Source] = {}

    def add_source(self, name: str, source: Source) -> None:
        """Let digests of earlier processes be looked up; nothing is opened before a file is asked for.

        Args:
            name: Of the source; one of the same name takes the place of the older one.
            source: Gives the digests.
        """
        self._sources[name] = source

    def fresh_for(self, name: str) -> list[tuple[bytes, bytes]]:
        """Return stamps and digests that a source may want to keep for later processes, each once."""
        start = self._given.get(name, 0)
        self._given[name] = len(self._fresh)
        return self._fresh[start:]

    def digest(self, path: str, *, strict: bool) -> bytes:
        """Return the digest of a file's content.

        Args:
            path: Path of the file; links are followed.
            strict: Read it, whatever is remembered.

        Raises:
            OSError: There is none, it is no file, it may not be read, or it changes all the time; the message says so.
        """
        known = None if strict else self._lookup(stamp_of(_stat(path)))
        content = self.met[path] = self._read_anew(path) if known is None else known
        return content

    def _read_anew(self, path: str) -> bytes:
        now_ns = self._clock_ns()
        found, content = _read(path)
        if now_ns - max(found.st_mtime_ns, found.st_ctime_ns) > _RACY_NS:
            self._remember(stamp_of(found), content)
        return content

    def _remember(self, stamp: bytes, content: bytes) -> None:
        if self._known.get(stamp) != content:
            self._known[stamp] = content
            self._fresh.append((stamp, content))

    def _lookup(self, stamp: bytes) -> bytes | None:
        while self._sources:
            _, source = self._sources.popitem()
            self._known = {**source(), **self._known}
        return self._known.get(stamp)


def stamp_of(found: os.stat_result) -> bytes:
    """Return what tells one state of a file from another, as 16 bytes."""
    facts = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)
    return digest(b"".join(count(fact % (1 << 64)) for fact in facts))


def _stat(path: str) -> os.stat_result:
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    if stat.S_ISDIR(found.st_mode):
        raise OSError(f"{os.path.abspath(path)} is a folder: pass an ezpyp.File for each file in it")
    if not stat.S_ISREG(found.st_mode):
        raise OSError(f"{os.path.abspath(path)} is no regular file: it has no content of its own")
    return found


def _read(path: str) -> tuple[os.stat_result, bytes]:
    """What the file system said of the content that was read, and its digest."""
    for _ in range(_TRIES):
        before = _stat(path)
        try:
            with open(path, "rb", buffering=0) as file:
                content = _digest_of(file.readinto)
        except OSError as error:
            raise _unreadable(path, error) from error
        after = _stat(path)
        if stamp_of(before) == stamp_of(after):
            return after, content
    raise OSError(f"{os.path.abspath(path)} changes while it is read: wait until it is written")


def _digest_of(readinto: Callable[[memoryview], int | None]) -> bytes:
    state = xxh3_128()
    room = memoryview(bytearray(_PIECE_BYTES))
    while read := readinto(room):
        state.update(room[:read])
    return state.digest()


def _unreadable(path: str, error: OSError | ValueError) -> OSError:
    if isinstance(error, FileNotFoundError):
        return OSError(f"there is no file {os.path.abspath(path)}")
    reason = (error.strerror if isinstance(error, OSError) else None) or error
    return OSError(f"the file {path!r} cannot be read: {reason}")


FILE_DIGESTS = FileDigests()
"""The one memory of the process: files are shared between pipelines."""
