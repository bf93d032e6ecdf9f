"""A file that counts by its content."""

import os
import stat
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path

from xxhash import xxh3_128

from ezpyp.hashing.plain import count, digest

# Digests of files, remembered by what the file system says of them, so that an unchanged file is read once.

Source = Callable[[], Mapping[bytes, bytes]]
"""Gives digests by stamp that an earlier process remembered; asked once, when a file is digested for the first time."""

RACY_NS = 2_000_000_000
_TRIES = 5
# Read, never mapped: a file that is cut off while it is mapped would kill the process.
_PIECE_BYTES = 1 << 20


class FileDigests:
    """Remembers digests of files.

    Args:
        clock_ns: Gives the time of day, ns.

    Attributes:
        met: Content digest of each file that was asked for, by its path as given, since somebody cleared it.
        passed: Paths that code was given by a `File` or `Folder`, which count by themselves.
        listed: The folders among them, each with a separator at its end.
    """

    def __init__(self, clock_ns: Callable[[], int] = time.time_ns) -> None:
        self._clock_ns = clock_ns
        self.met: dict[str, bytes] = {}
        self.passed: set[str] = set()
        self.listed: set[str] = set()
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
        if now_ns - max(found.st_mtime_ns, found.st_ctime_ns) > RACY_NS:
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
        raise OSError(f"{os.path.abspath(path)} is a folder: pass an ezpyp.Folder")
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


class File(os.PathLike[str]):
    """The path of a file, as an argument or result that counts by content instead of by name.

    A step gets it as it is, and opens it: ``open(file)``, ``Path(file)``. Unchanged files (device, inode, size, both
    times) are not read again, neither in this process nor in a later one.

    Args:
        path: Path of an existing file.
        strict: Read it each time, even where size and times say that it did not change; default: False.

    Example:
        >>> import os
        >>> os.fspath(File("data.csv"))
        'data.csv'
    """

    __slots__ = ("path", "strict")

    def __init__(self, path: str | os.PathLike[str], *, strict: bool = False) -> None:
        self.path = os.fspath(path)
        self.strict = strict

    def __fspath__(self) -> str:
        FILE_DIGESTS.passed.add(self.path)
        return self.path

    def __repr__(self) -> str:
        return f"File({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __ezpyp_digest__(self) -> bytes:
        return FILE_DIGESTS.digest(self.path, strict=self.strict)


class Folder(os.PathLike[str]):
    """The path of a folder, as an argument or result that counts by the names in it and the contents of its files.

    A step gets it as it is. Iterated, it gives the paths of its files in the order of their names.

    Args:
        path: Path of an existing folder.
        pattern: Which files count, as for `pathlib.Path.glob`; all of them, at any depth, by default.
        strict: As for `File`.

    Example:
        >>> from pathlib import Path
        >>> Path("data").mkdir()
        >>> Path("data/a.csv").touch()
        >>> [os.fspath(path) for path in Folder("data", pattern="*.csv")]
        ['data/a.csv']
    """

    __slots__ = ("path", "pattern", "strict")

    def __init__(self, path: str | os.PathLike[str], pattern: str = "**/*", *, strict: bool = False) -> None:
        self.path = os.fspath(path)
        self.pattern = pattern
        self.strict = strict

    def __fspath__(self) -> str:
        iter(self)
        return self.path

    def __iter__(self) -> Iterator[str]:
        FILE_DIGESTS.passed.add(self.path)
        FILE_DIGESTS.listed.add(os.path.join(self.path, ""))
        root = Path(self.path)
        if not root.is_dir():
            raise OSError(f"there is no folder {os.path.abspath(self.path)}")
        files = sorted(str(path) for path in root.glob(self.pattern) if path.is_file())
        FILE_DIGESTS.passed.update(files)
        return iter(files)

    def __repr__(self) -> str:
        return f"Folder({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Folder) and (other.path, other.pattern) == (self.path, self.pattern)

    def __hash__(self) -> int:
        return hash((self.path, self.pattern))

    def __ezpyp_digest__(self) -> list[tuple[str, bytes]]:
        return [
            (Path(file).relative_to(self.path).as_posix(), FILE_DIGESTS.digest(file, strict=self.strict))
            for file in self
        ]


# Whether a result names files: then their content may change although the result does not.

# Few names are asked for one by one; many are looked up in listings of their folders.
_FEW = 32
_LONGEST = 4096

# A result that bears such a name is most likely written by the step, wherever that is.
_ENDINGS = (
    "arrow avro bam bed bz2 ckpt csv dat db feather fits gz h5 hdf hdf5 ipc jpeg jpg json jsonl log mat nc nc4 ndjson "
    "npy npz onnx orc parquet pdf pickle pkl png pt pth safetensors sqlite svg tar tif tiff toml tsv txt vtk vtu xls "
    "xlsx xml xyz xz yaml yml zarr zip zst"
)
_DATA_FILES = frozenset(_ENDINGS.split())
_LONGEST_ENDING = 12
_LONGEST_NAME = 256


class Anything:
    """Stands for texts that are not looked at one by one: any of them may name a file."""


def name_existing_files(parts: Collection[object]) -> bool:
    """Tell whether a Path is among ``parts``, or a text that names something that exists or ends as data files do.

    ``open(folder / "t.csv")`` finds what no look from the working folder does.
    """
    names: set[str] = set()
    for part in parts:
        if type(part) is not str and not isinstance(part, str | bytes):
            return True
        if 0 < len(part) < _LONGEST:
            name = part if isinstance(part, str) else os.fsdecode(part)
            if "." in name[-_LONGEST_ENDING:] and _is_data_file(name):
                return True
            names.add(name)
    if len(names) <= _FEW:
        return any(map(os.path.lexists, names))
    return _any_listed(names)


def _is_data_file(name: str) -> bool:
    ending = name.rpartition(".")[2]
    return ending.lower() in _DATA_FILES and len(name) < _LONGEST_NAME and not any(map(str.isspace, name))


def _any_listed(names: Collection[str]) -> bool:
    listings: dict[str, frozenset[str]] = {}
    for name in names:
        folder, last = os.path.split(name)
        if folder not in listings:
            listings[folder] = _listing(folder)
        if last in listings[folder] or (not last and os.path.lexists(name)):
            return True
    return False


def _listing(folder: str) -> frozenset[str]:
    try:
        return frozenset((*os.listdir(folder or "."), ".", ".."))
    except (OSError, ValueError):
        return frozenset()
