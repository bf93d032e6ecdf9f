"""Values, damages and refusals for the tests of objects."""

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import numpy as np

from ezpyp.store.codecs.encoded import Encoded
from ezpyp.store.objects import ObjectStore

ROOT = Path(__file__).parents[3]
SMALL = [1, "x"]
MEDIUM = bytes(range(256)) * 4000
LARGE = np.arange(700_000, dtype="f8")
VALUES = {"small": SMALL, "medium": MEDIUM, "large": LARGE}


def refuse(code: int) -> Callable[..., None]:
    def refused(*arguments: object, **options: object) -> None:
        raise OSError(code, os.strerror(code))

    return refused


class Late:
    """New folders that others see only after a while: the first calls inside one fail."""

    def __init__(self, call: Callable[..., object]) -> None:
        self.call, self.refusals = call, 2

    def __call__(self, *arguments: object) -> object:
        if self.refusals:
            self.refusals -= 1
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return self.call(*arguments)


def content(encoded: Encoded) -> bytes:
    return b"".join(encoded.pieces)


def opened(store: ObjectStore, encoded: Encoded, *, verify: bool | None = None) -> memoryview:
    return store.open(encoded.digest, encoded.suffix, encoded.size, verify=verify)


def path_of(store: ObjectStore, encoded: Encoded) -> Path:
    return store.path(encoded.digest, encoded.suffix)


def files(location: Path) -> list[Path]:
    return sorted(path for path in location.rglob("*") if path.is_file())


def truncate(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, path.stat().st_size // 2)


def empty(path: Path) -> None:
    path.chmod(0o644)
    os.truncate(path, 0)


def flip(path: Path) -> None:
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def append(path: Path) -> None:
    path.chmod(0o644)
    with path.open("ab") as file:
        file.write(b"x")


def garbage(path: Path) -> None:
    path.chmod(0o644)
    path.write_bytes(os.urandom(path.stat().st_size))


def into_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def into_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def into_socket(path: Path) -> None:
    path.unlink()
    os.mknod(path, stat.S_IFSOCK | 0o600)


def into_dangling_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


def into_link_to_itself(path: Path) -> None:
    path.unlink()
    path.symlink_to(path.name)
