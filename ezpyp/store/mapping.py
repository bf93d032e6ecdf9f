"""The bytes of a file as memory of the caller's own."""

import contextlib
import mmap
import os
import resource
import sys

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
