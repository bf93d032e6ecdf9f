"""A new file that appears under its name whole, or not at all."""

import errno
import itertools
import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from ezpyp.store.codecs.protocol import Buffer

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
        # May raise too: NFS tells of a full disk only here.
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
        return False  # taken; or swept by somebody who took this process for dead
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
        return  # renamed, or swept; and what cannot be removed must not hide the error that led here


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
    (
        pid,
        *_,
    ) = name[1:].split(".", 1)
    is_here = name.endswith(f".{os.uname().nodename}.tmp")
    if is_here and pid.isdigit() and not _is_alive(int(pid)):
        return True
    # Nobody writes to one file for an hour without its time moving on.
    return time.time() - modified_s > _HOUR_S


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return True
    # A killed rank may stay a zombie for ever where process 1 reaps nothing.
    return state not in "ZX"
