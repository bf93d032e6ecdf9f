"""Objects: results as files, each named by the digest of its bytes."""

import contextlib
import errno
import itertools
import os
import stat
import threading
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property
from pathlib import Path

from xxhash import xxh3_128, xxh3_128_digest

from ezpyp.errors import DamagedResultError, FileChangedError, StoreError
from ezpyp.store.codecs.encoded import Encoded
from ezpyp.store.files import (
    LATE_S,
    FileSystem,
    filesystem_of,
    is_stray,
    make_folder,
    read_private,
    sync_folder,
    temporary_name,
    write_new,
)
from ezpyp.store.rows import NamedFile
from ezpyp.store.trust import check_owner

# Below, hashing again (17 us) costs hardly more than remembering, and a location may have millions of them.
_LEAST_BYTES = 256 * 1024
# A change in the same tick of the file system's clock shows in no time stamp. Ticks are 10 ms at most where time stamps
# have fractions of a second, 2 s where they have none; another host's clock may be off.
_SETTLED_S = 0.1
_SETTLED_COARSE_S = 2.0


class Verified:
    """The objects whose digest was right, each with what the system said of its file at that moment.

    A thousand readers of one object in a process hash it once. A file that is replaced, written to or touched in any
    way has another inode or another change time (which no program can set), and counts as unknown.
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


# Bytes; smaller results live in the index. `python -m benchmarks inline` measures where the two ways cross.
INLINE_LIMIT = 16 * 1024
FILE_SUFFIX = ".file"
"""How the name of an object ends that is the content of a user's file."""
_ATTEMPTS = 5
_PIECE_BYTES = 1 << 20
# From here on a thread for the digest is worth its 100 us.
_LARGE_BYTES = 4 * 1024 * 1024


class ObjectStore:
    """The folder ``objects`` of a location.

    Args:
        location: The folder of the cache.
        durable: Whether each object shall outlive a loss of power once it is published (3 ms each).
        trust: Whether objects that belong to somebody else may be opened.

    Example:
        >>> from ezpyp.store.codecs.encoded import encode_result
        >>> Path("cache").mkdir()
        >>> objects = ObjectStore(Path("cache"))
        >>> encoded = encode_result(list(range(10_000)), "pickle")
        >>> objects.publish(encoded)
        >>> objects.path(encoded.digest, encoded.suffix).stat().st_size == encoded.size
        True
        >>> len(objects.open(encoded.digest, encoded.suffix, encoded.size)) == encoded.size
        True
    """

    def __init__(self, location: Path, *, durable: bool = False, trust: bool = False) -> None:
        # Absolute: a step's body may change the working directory.
        self._location = Path(os.path.abspath(location))
        self._root = os.path.join(self._location, "objects")
        self._durable = durable
        self._trust = trust
        self._has_root = False
        self._verified = Verified()

    @cached_property
    def _filesystem(self) -> FileSystem:
        return filesystem_of(self._location)

    def path(self, digest: bytes, suffix: str) -> Path:
        """Where an object is, or would be."""
        return Path(self._name(digest, suffix))

    def _name(self, digest: bytes, suffix: str) -> str:
        name = digest.hex()
        return f"{self._root}/{name[:2]}/{name[2:]}{suffix}"

    def publish(self, encoded: Encoded) -> None:
        """Put an object into its place, unless it is there already; what is there and damaged is set aside.

        Raises:
            StoreError: The file system refuses; says why and what to do. Nothing is left of the attempt.
        """
        write = self._write_large if encoded.size >= _LARGE_BYTES else self._write
        try:
            self._make_root()
            for _ in range(_ATTEMPTS):
                if write(encoded) or self._holds(encoded):
                    return
        except StoreError:
            raise
        except OSError as error:
            raise _cannot_store(self._root, encoded.size, error) from error
        name = self._name(encoded.digest, encoded.suffix)
        raise StoreError(f"{name} could not be stored: something else appears there again and again", path=name)

    def _make_root(self) -> None:
        if not self._has_root:
            make_folder(self._root, self._durable)
            self._has_root = True

    def _write(self, encoded: Encoded) -> bool:
        name = self._name(encoded.digest, encoded.suffix)
        return write_new(os.path.dirname(name), encoded.pieces, lambda: name, durable=self._durable)

    def _write_large(self, encoded: Encoded) -> bool:
        """The same, with the digest computed meanwhile: it would add a third to the time on a local disk."""
        if self._filesystem.is_network:
            return self._write(encoded)  # slow anyway, and some cannot link from folder to folder
        thread = threading.Thread(target=lambda: encoded.digest, daemon=True)
        thread.start()

        def name() -> str:
            thread.join()
            return self._name(encoded.digest, encoded.suffix)

        # Reserved, 256 MiB are written in 50 ms, not 70; elsewhere glibc may write every block twice.
        reserve = encoded.size if self._filesystem.kind in ("ext4", "xfs") else 0
        return write_new(self._root, encoded.pieces, name, reserve=reserve, durable=self._durable)

    def _holds(self, encoded: Encoded) -> bool:
        """Whether the object is there, whole; one that is not is set aside."""
        name = self._name(encoded.digest, encoded.suffix)
        try:
            self._open(name, encoded.digest, encoded.size, verify=True).release()
        except DamagedResultError:
            self.set_aside(encoded.digest, encoded.suffix)
            return False
        if self._durable:
            sync_folder(os.path.dirname(name))
        return True

    def open(self, digest: bytes, suffix: str, size: int, *, verify: bool | None = None) -> memoryview:
        """The bytes of an object, private to the caller, who may change them.

        Args:
            digest: Digest that the bytes must have.
            suffix: How its file name ends.
            size: Number of bytes that it must have.
            verify: Whether to compute the digest (15 GB/s); the size is compared always. By default it is
                computed unless this store found the very same file whole before, or ``EZPYP_VERIFY=0`` is set.

        Raises:
            DamagedResultError: It is missing or not what was stored; ``reason`` tells: ``missing``, ``kind``,
                ``size``, ``digest`` or ``unreadable``.
            UntrustedCacheError: It belongs to somebody else.
            StoreError: It may not be read.
        """
        return self._open(self._name(digest, suffix), digest, size, verify=verify)

    def _open(self, name: str, digest: bytes, size: int, *, verify: bool | None) -> memoryview:
        began_s = time.time()
        descriptor = self._descriptor(name, digest)
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise _damaged(name, digest, "kind", "it is no file")
            if status.st_size != size:
                raise _damaged(name, digest, "size", f"it has {status.st_size} bytes instead of {size}")
            check_owner(name, status, self._location, trust=self._trust)
            data = read_private(descriptor, size, may_map=not self._filesystem.is_network)
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise _damaged(name, digest, "unreadable", f"it cannot be read: {error.strerror or error}") from error
        finally:
            os.close(descriptor)
        if verify if verify is not None else self._is_to_verify(digest, status):
            _check(name, digest, data)
            self._verified.add(digest, status, now_s=began_s, is_network=self._filesystem.is_network)
        return data

    def _is_to_verify(self, digest: bytes, status: os.stat_result) -> bool:
        return not self._verified.holds(digest, status) and os.environ.get("EZPYP_VERIFY") != "0"

    def _descriptor(self, name: str, digest: bytes) -> int:
        # Another host may have published it a moment ago: a network file system shows that late.
        for delay_s in (*(LATE_S if self._filesystem.is_network else ()), None):
            try:
                # Not blocking: the open of a named pipe would wait for a writer for ever.
                return os.open(name, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
            except OSError as error:
                if error.errno in (errno.ENOENT, errno.ESTALE) and delay_s is not None:
                    time.sleep(delay_s)
                    continue
                if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
                    raise _damaged(name, digest, "missing", "it is not there") from error
                if error.errno in (errno.ENXIO, errno.ENODEV):  # a socket stands there, a device
                    raise _damaged(name, digest, "kind", "it is no file") from error
                raise _cannot_read(name, error) from error
        raise AssertionError("unreachable")

    # Files that results name.

    def take_in(self, path: str, digest: bytes) -> NamedFile:
        """Copy the content of a user's file into the store, unless it is there.

        Raises:
            StoreError: The file system refuses, or the file is not what its digest says: somebody writes it.
        """
        name = self._name(digest, FILE_SUFFIX)
        copied, size = xxh3_128(), 0

        def pieces() -> Iterator[bytes]:
            nonlocal size
            with open(path, "rb", buffering=0) as file:
                while piece := file.read(_PIECE_BYTES):
                    copied.update(piece)
                    size += len(piece)
                    yield piece

        try:
            found = os.stat(path).st_size
            if os.path.exists(name) and os.stat(name).st_size == found:
                return NamedFile(path, digest, found)
            self._make_root()
            write_new(self._root, pieces(), lambda: self._name(copied.digest(), FILE_SUFFIX), durable=self._durable)
        except OSError as error:
            raise _cannot_store(name, size, error) from error
        if copied.digest() != digest:
            raise StoreError(f"the file {path!r} changes while it is stored: return it when it is written", path=path)
        return NamedFile(path, digest, size)

    def put_back(self, file: NamedFile, *, overwrite: bool = False) -> None:
        """Let a user's file hold again what a step made, where it is missing.

        Args:
            file: The file.
            overwrite: Whether to do so where it holds something that is not in the store.

        Raises:
            FileChangedError: It holds something that is not in the store.
            DamagedResultError: Its content is not in the store, or damaged there.
            StoreError: It cannot be written.
        """
        from ezpyp.hashing.files import FILE_DIGESTS  # imported by runs; looking at a cache starts quicker without

        try:
            now = FILE_DIGESTS.digest(file.path, strict=False)
        except OSError as error:
            if os.path.lexists(file.path):
                raise FileChangedError(f"{error}; a step made a file of that name: move away what is there") from error
        else:
            if now == file.digest:
                return
            if not overwrite and not os.path.exists(self._name(now, FILE_SUFFIX)):
                raise FileChangedError(
                    f"the file {file.path!r} is not what the step made, and what it holds now is kept nowhere else: "
                    "execute(restore=True) overwrites it; to keep it, rename it first",
                    path=file.path,
                )
        try:
            self._copy_out(file)
        except OSError as error:
            if isinstance(error, StoreError):
                raise
            raise StoreError(f"the file {file.path!r} cannot be put back: {error.strerror or error}") from error

    def _copy_out(self, file: NamedFile) -> None:
        name = self._name(file.digest, FILE_SUFFIX)
        source = self._descriptor(name, file.digest)
        folder = os.path.dirname(os.path.abspath(file.path))
        temporary = os.path.join(folder, temporary_name())
        copied = xxh3_128()
        try:
            check_owner(name, os.fstat(source), self._location, trust=self._trust)
            os.makedirs(folder, exist_ok=True)
            _remove_strays([folder])  # of a process that was killed here
            with open(temporary, "xb", buffering=0) as target:
                while piece := os.read(source, _PIECE_BYTES):
                    copied.update(piece)
                    target.write(piece)
            if copied.digest() != file.digest:
                raise _damaged(name, file.digest, "digest", "its content is not what was stored")
            os.replace(temporary, file.path)
        finally:
            os.close(source)
            with contextlib.suppress(OSError):
                os.unlink(temporary)

    def missing(self, wanted: Iterable[tuple[bytes, str, int]]) -> list[tuple[bytes, str, int]]:
        """Those of the wanted objects (digest, suffix, size) that are not there in their full size.

        Lists each folder once, which a network file system answers sooner than a question for each file.
        """
        folders: defaultdict[str, list[tuple[bytes, str, int]]] = defaultdict(list)
        for one in wanted:
            folders[one[0].hex()[:2]].append(one)
        return list(itertools.chain.from_iterable(map(self._missing_in, folders, folders.values())))

    def _missing_in(self, folder: str, wanted: list[tuple[bytes, str, int]]) -> list[tuple[bytes, str, int]]:
        names = {digest.hex()[2:] + suffix for digest, suffix, _ in wanted}
        sizes: dict[str, int] = {}
        try:
            with os.scandir(f"{self._root}/{folder}") as entries:
                for entry in entries:
                    if entry.name in names and entry.is_file():
                        sizes[entry.name] = entry.stat().st_size
        except OSError:
            return wanted
        return [one for one in wanted if sizes.get(one[0].hex()[2:] + one[1]) != one[2]]

    def set_aside(self, digest: bytes, suffix: str) -> Path | None:
        """Rename what stands in an object's place, to be looked at; None where nothing does.

        Raises:
            StoreError: It cannot be renamed.
        """
        name = self._name(digest, suffix)
        aside = next(new for new in _names_aside(name) if not os.path.lexists(new))
        try:
            os.rename(name, aside)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(
                f"the damaged object {name} cannot be set aside: {error.strerror}; remove it by hand",
                path=name,
            ) from error
        return Path(aside)

    def clean_up(self) -> int:
        """Remove temporary files of writers that are no more, and say how many; after a run was killed."""
        return _remove_strays([str(self._location), self._root, *(entry.path for entry in _entries(self._root))])


def _remove_strays(folders: Iterable[str]) -> int:
    count = 0
    for entry in itertools.chain.from_iterable(map(_entries, folders)):
        # Whoever wrote it may still give it its name, or be removed by somebody else.
        with contextlib.suppress(OSError):
            if entry.name.endswith(".tmp") and is_stray(entry.name, entry.stat().st_mtime):
                os.unlink(entry.path)
                count += 1
    return count


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _names_aside(name: str) -> Iterable[str]:
    return itertools.chain([f"{name}.damaged"], (f"{name}.{number}.damaged" for number in itertools.count(2)))


def _check(name: str, digest: bytes, data: memoryview) -> None:
    if xxh3_128_digest(data) != digest:
        raise _damaged(name, digest, "digest", "its content is not what was stored")


def _damaged(name: str, digest: bytes, reason: str, what: str) -> DamagedResultError:
    return DamagedResultError(
        f"the stored object {name} is damaged: {what}; run the pipeline again to compute the result anew",
        digest=digest.hex(),
        path=name,
        reason=reason,
        what=what,
    )


def _cannot_read(name: str, error: OSError) -> StoreError:
    return StoreError(f"the stored object {name} cannot be opened: {error.strerror}", path=name, code=error.errno)


_ADVICE = {
    errno.ENOSPC: "make room (or inodes: df -i) and run again",
    errno.EDQUOT: "your quota is used up: make room and run again",
    errno.EROFS: "the file system is read-only: choose another location",
    errno.EACCES: "you may not write there: choose another location, or ask its owner",
    errno.EPERM: "you may not write there: choose another location, or ask its owner",
    errno.ENOENT: "the location was removed while the pipeline ran",
    errno.ENOTDIR: "a file stands where a folder should be: move it away",
    errno.EFBIG: "a limit on the size of files is set (ulimit -f), or the file system has one",
    errno.EMFILE: "too many files are open (ulimit -n)",
}


def _cannot_store(name: str, size: int, error: OSError) -> StoreError:
    advice = _ADVICE.get(error.errno or 0, "earlier results are intact")
    return StoreError(
        f"a result of {size} bytes cannot be stored as {name}: {error.strerror or error}; {advice}",
        path=name,
        code=error.errno,
    )
