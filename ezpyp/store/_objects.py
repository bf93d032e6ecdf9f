"""Objects: results as files named by the digest of their bytes."""
import mmap
import os
from pathlib import Path

from xxhash import xxh3_128_digest

from ezpyp.errors import DamagedResultError
from ezpyp.store._encoded import Encoded

INLINE_LIMIT = 16 * 1024


class ObjectStore:
    """First version: replaced within the hour."""

    def __init__(self, location: Path, *, durable: bool = False) -> None:
        self._root = os.path.join(location, "objects")
        self.durable = durable

    def path(self, digest: bytes, suffix: str) -> Path:
        name = digest.hex()
        return Path(self._root, name[:2], name[2:] + suffix)

    def publish(self, encoded: Encoded) -> Path:
        path = self.path(encoded.digest, encoded.suffix)
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = path.with_name(f".{path.name}.{os.getpid()}.{os.urandom(4).hex()}.tmp")
        fd = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o444)
        with open(fd, "wb") as file:
            for piece in encoded.pieces:
                file.write(piece)
        try:
            os.link(temp, path)
        except FileExistsError:
            pass
        finally:
            os.unlink(temp)
        return path

    def open(self, digest: bytes, suffix: str, size: int, *, verify: bool = True) -> memoryview:
        path = self.path(digest, suffix)
        try:
            with path.open("rb") as file:
                view = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))
        except (OSError, ValueError) as error:
            raise DamagedResultError(f"the object {path} cannot be read: {error}", digest=digest.hex()) from error
        if len(view) != size or (verify and xxh3_128_digest(view) != digest):
            raise DamagedResultError(f"the object {path} is damaged", digest=digest.hex())
        return view
