"""A file that counts by its content."""

import os
from mmap import ACCESS_READ, mmap

from ezpyp.hashing._framing import digest


class File(os.PathLike[str]):
    """The path of a file, as an argument or result that counts by content instead of by name.

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
        return file_digest(self.path)


def file_digest(path: str) -> bytes:
    """Return the digest of a file's content."""
    with open(path, "rb") as file:
        if not os.fstat(file.fileno()).st_size:
            return digest(b"")
        with mmap(file.fileno(), 0, access=ACCESS_READ) as content:
            return digest(content)
