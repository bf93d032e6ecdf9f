"""Which kind of file system a folder is on."""

import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_LOCAL = frozenset(
    """
    aufs bcachefs btrfs ecryptfs erofs exfat ext2 ext3 ext4 f2fs fuseblk hfsplus iso9660 jfs nilfs2
    ntfs ntfs3 overlay ramfs reiserfs rootfs squashfs tmpfs ubifs vfat xfs zfs
    """.split()  # noqa: SIM905 - thirty names in quotes and commas are harder to read
)


@dataclass(frozen=True, slots=True)
class FileSystem:
    """The file system that a folder is on.

    Attributes:
        kind: Its type as the system names it, such as ``ext4`` or ``nfs4``, or ``unknown``.
        is_network: Whether other hosts may write to it; also where that cannot be told.
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
