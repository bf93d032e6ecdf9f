"""Files as the store writes and reads them, on local and on network file systems."""

import contextlib
import errno
import itertools
import mmap
import os
import resource
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from ezpyp.store.codecs.protocol import Buffer
from ezpyp.store.lock import process_start

# Which kind of file system a folder is on.

_LOCAL = frozenset(
    """
    aufs bcachefs btrfs ecryptfs erofs exfat ext2 ext3 ext4 f2fs fuseblk hfsplus iso9660 jfs nilfs2
    ntfs ntfs3 overlay ramfs reiserfs rootfs squashfs tmpfs ubifs vfat xfs zfs
    """.split()
)


class FileSystem(NamedTuple):
    """The file system that a folder is on.

    Attributes:
        kind: Its type as the system names it, such as ``ext4`` or ``nfs4``, or ``unknown``.
        is_network: Whether other hosts may write to it; also where that is not known.
    """

    kind: str
    is_network: bool


def filesystem_of(path: Path, *, mounts: str | None = None) -> FileSystem:
    r"""Find out what a folder, which need not exist yet, is on.

    By the mount table and not by statfs, whose number for the kind Python cannot ask for without ctypes (4 to
    13 ms to import).

    Args:
        path: The folder.
        mounts: The mount table in the format of ``/proc/self/mountinfo``; the system's own by default.

    Example:
        >>> table = "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n2 1 0:9 / /home rw - nfs4 server:/home rw"
        >>> filesystem_of(Path("/home/ada/cache"), mounts=table)
        FileSystem(kind='nfs4', is_network=True)
    """
    real = os.path.realpath(path)
    table = _mount_table() if mounts is None else mounts
    best, kind = "", "unknown"
    for point, name in _mounts(table):
        inside = real == point or real.startswith(point.rstrip("/") + "/")
        # Not shorter: of two mounts on one folder the later hides the earlier.
        if inside and len(point) >= len(best):
            best, kind = point, name
    is_local = kind in _LOCAL or (kind == "unknown" and sys.platform == "darwin")
    return FileSystem(kind, is_network=not is_local)


def _mount_table() -> str:
    try:
        return Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return ""


def _mounts(table: str) -> Iterator[tuple[str, str]]:
    """Mount point and type, line by line (proc_pid_mountinfo(5))."""
    for line in table.splitlines():
        left, _, right = line.partition(" - ")
        yield _unescaped(left.split(" ")[4]), right.split(" ")[0]


def _unescaped(point: str) -> str:
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        point = point.replace(code, character)
    return point


# A new file that appears under its name whole, or not at all.

# Waits for a folder or file that another host has just made; a network file system shows it within seconds.
LATE_S = (0.0, 0.01, 0.05, 0.2, 0.5, 1.0)
# errno of file systems without hard links (FUSE, CIFS, some Lustre and container mounts).
_NO_LINKS = frozenset(
    {
        errno.EPERM,
        errno.ENOTSUP,
        errno.EOPNOTSUPP,
        errno.ENOSYS,
        errno.EXDEV,
        errno.EMLINK,
        errno.EINVAL,
        errno.EACCES,
    }
)
# One system call writes at most 2 GiB on Linux; and Python sees a Ctrl-C only between two calls.
_BATCH_BYTES = 64 * 1024 * 1024
_BATCH_PIECES = 1000
_HOUR_S = 3600.0
_counter = itertools.count()


def write_new(
    folder: str,
    pieces: Iterable[Buffer],
    target: Callable[[], str],
    *,
    reserve: int = 0,
    durable: bool = False,
) -> bool:
    """Make a file that appears under its name whole, read-only, or not at all.

    Args:
        folder: Where it is written under a temporary name; on the target's file system.
        pieces: The bytes, in order.
        target: Tells the name; asked when the bytes are written.
        reserve: Bytes to take from the file system beforehand, where it is quick to do so.
        durable: Whether the file shall outlive a loss of power from now on.

    Returns:
        Whether it is there, and ours; False where something else has that name, and was left as it is.

    Raises:
        OSError: The file system refuses; nothing of the attempt is left.
    """
    temporary = f"{folder}/{temporary_name()}"
    descriptor = _create(temporary, durable)
    try:
        _fill(descriptor, pieces, reserve, durable)
        return _name(temporary, target(), durable)
    finally:
        _remove(temporary)


def temporary_name() -> str:
    """A name for a file that is not whole yet; `is_stray` tells what became of its writer."""
    # Random too: containers of one host name may count their processes alike.
    return f".{os.getpid()}.{next(_counter)}.{os.urandom(4).hex()}.{os.uname().nodename}.tmp"


def _create(name: str, durable: bool) -> int:
    """A new file, open for writing; its folder is made where there is none."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
    for delay_s in LATE_S:
        try:
            return os.open(name, flags, 0o444)
        except FileNotFoundError:
            _wait(delay_s)
            make_folder(os.path.dirname(name), durable)
    return os.open(name, flags, 0o444)


def make_folder(path: str, durable: bool) -> None:
    """Make one folder, never the one above it: a location that was removed stays so."""
    try:
        # Never writable by all, whatever the umask says: ezpyp would not trust its own folder then.
        os.mkdir(path, 0o775)
    except (FileExistsError, FileNotFoundError):
        return  # whoever asked tries again, and says what is wrong if that fails too
    if durable:
        sync_folder(os.path.dirname(path))


def _wait(delay_s: float) -> None:
    if delay_s:  # sleep(0) takes 80 us
        time.sleep(delay_s)


def _fill(descriptor: int, pieces: Iterable[Buffer], reserve: int, durable: bool) -> None:
    try:
        if reserve:
            os.posix_fallocate(descriptor, 0, reserve)
        for batch in _batches(pieces):
            _write_all(descriptor, batch)
        if durable:
            os.fsync(descriptor)
    finally:
        # May raise too: NFS reports a full disk only here.
        os.close(descriptor)


def _batches(pieces: Iterable[Buffer]) -> Iterator[list[memoryview]]:
    """The pieces in portions for one system call, large ones cut."""
    batch: list[memoryview] = []
    room = _BATCH_BYTES
    for piece in pieces:
        view = memoryview(piece)
        while view:
            batch.append(view[:room])
            view = view[room:]
            room -= len(batch[-1])
            if not room or len(batch) == _BATCH_PIECES:
                yield batch
                batch, room = [], _BATCH_BYTES
    if batch:
        yield batch


def _write_all(descriptor: int, batch: Sequence[memoryview]) -> None:
    while batch:
        written = os.writev(descriptor, batch)
        batch = list(_rest(batch, written))


def _rest(batch: Sequence[memoryview], written: int) -> Iterator[memoryview]:
    for view in batch:
        if written < len(view):
            yield view[written:]
        written = max(0, written - len(view))


def _name(temporary: str, target: str, durable: bool) -> bool:
    """Give a finished file its name, unless that is taken."""
    for delay_s in LATE_S:
        try:
            os.link(temporary, target)
        except OSError as error:
            is_ours = _after_refusal(temporary, target, error)
            if is_ours is not None:
                return is_ours
            _wait(delay_s)
            make_folder(os.path.dirname(target), durable)
        else:
            break
    else:
        os.link(temporary, target)
    if durable:
        sync_folder(os.path.dirname(target))
    return True


def _after_refusal(temporary: str, target: str, error: OSError) -> bool | None:
    """Whether the file has its name all the same; None where that is to be tried again."""
    links = _links(temporary)
    if links == 2:
        return True  # an answer was lost on the way: NFS asked twice, and the first time it worked
    if error.errno == errno.EEXIST or not links:
        return False  # taken; or removed by somebody who took this process for dead
    if error.errno in _NO_LINKS:
        return _rename(temporary, target)
    if error.errno == errno.ENOENT:
        return None  # the folder is new, or late
    raise error


def _links(name: str) -> int:
    try:
        return os.stat(name).st_nlink
    except OSError:
        return 0


def _rename(temporary: str, target: str) -> bool | None:
    # Two writers may pass this test at once; their content is the same, or the name would not be.
    if os.path.lexists(target):
        return False
    try:
        os.rename(temporary, target)
    except FileNotFoundError:
        return None
    return True


def _remove(name: str) -> None:
    try:
        os.unlink(name)
    except OSError:
        return  # renamed, or removed; and what cannot be removed must not hide the error that led here


def sync_folder(path: str) -> None:
    """Make sure that the names in a folder outlive a loss of power."""
    descriptor = _open_folder(path)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some network file systems cannot, and need not: names are on the server at once.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EROFS):
            raise
    finally:
        os.close(descriptor)


def _open_folder(path: str) -> int:
    for delay_s in LATE_S:
        try:
            return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            _wait(delay_s)
    return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def is_stray(name: str, modified_s: float) -> bool:
    """Whether a temporary file was left by a writer that is no more.

    Args:
        name: Its file name.
        modified_s: When it was last written to, seconds since 1970.
    """
    if not (name.startswith(".") and name.endswith(".tmp")):
        return False
    pid = name[1:].partition(".")[0]
    is_here = name.endswith(f".{os.uname().nodename}.tmp")
    if is_here and pid.isdigit() and process_start(int(pid)) is None:
        return True
    # Nobody writes to one file for an hour without its time moving on.
    return time.time() - modified_s > _HOUR_S


# The bytes of a file as memory of the caller's own.

# Below, a copy is as quick as a mapping, and takes no descriptor and none of a process's 65,530 mappings.
MAP_BYTES = 1024 * 1024


def read_private(descriptor: int, size: int, *, may_map: bool = True) -> memoryview:
    """The bytes of an open file: a private copy-on-write mapping, or a copy.

    Args:
        descriptor: The file; may be closed afterwards.
        size: Number of bytes to read.
        may_map: False on a network file system: where the file changes or goes away there, a mapping changes
            under the reader, or kills the process with SIGBUS, while a read raises.

    Raises:
        OSError: The file cannot be read, or ends before ``size``.
    """
    if may_map and size >= MAP_BYTES and not _is_scarce(descriptor):
        # Too many mappings, or a file system without them: then a copy.
        with contextlib.suppress(OSError, ValueError):
            return memoryview(_mapping(descriptor, size))
    data = memoryview(bytearray(size))
    _read_all(descriptor, data)
    return data


def _mapping(descriptor: int, size: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY, trackfd=False)
    return mmap.mmap(descriptor, size, access=mmap.ACCESS_COPY)


def _is_scarce(descriptor: int) -> bool:
    """Whether half of the descriptors are in use: before 3.13 a mapping keeps one."""
    if sys.version_info >= (3, 13):
        return False
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        # The lowest free number, so it tells how many are in use. The number of `descriptor` does not: it is
        # closed and given again, while the mappings keep theirs.
        probe = os.dup(descriptor)
    except OSError:
        return True
    os.close(probe)
    return limit != resource.RLIM_INFINITY and probe > limit // 2


def _read_all(descriptor: int, data: memoryview) -> None:
    start = 0
    while start < len(data):
        # At most 2 GiB a call on Linux; and Python sees a Ctrl-C only between two calls.
        count = os.readv(descriptor, [data[start : start + 64 * 1024 * 1024]])
        if not count:
            raise OSError(f"the file ends after {start} bytes")
        start += count
