"""A file that counts by its content."""

import os

from ezpyp.hashing._file_memo import FILE_DIGESTS


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
        return self.path

    def __repr__(self) -> str:
        return f"File({self.path!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, File) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __ezpyp_digest__(self) -> bytes:
        return FILE_DIGESTS.digest(self.path, strict=self.strict)
