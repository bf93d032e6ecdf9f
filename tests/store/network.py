"""A network file system as ezpyp sees it: known by its mount, without hard links, names that show late."""

import errno
import os
from collections.abc import Callable

import pytest

from ezpyp.store import files as _filesystem
from ezpyp.store import files as _new_file
from ezpyp.store import index as _index
from ezpyp.store import objects as _objects
from ezpyp.store.connection import open_for_writing

MOUNTS = "1 0 0:1 / / rw - nfs4 server:/export rw"
REFUSALS = 1
"""So often a new name is asked for in vain; counted, not timed, since tests set the waits between their tries."""
LINK = os.link


class Network:
    """Stands for the module ``os`` where objects are written and read.

    Args:
        monkeypatch: Takes everything back.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._folders: dict[str, int] = {}
        self._files: dict[str, int] = {}
        monkeypatch.setattr(_filesystem, "_mount_table", lambda: MOUNTS)
        monkeypatch.setattr(_index, "open_for_writing", _shared(open_for_writing))
        for module in (_new_file, _objects):
            monkeypatch.setattr(module, "os", self)

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def link(self, source: str, target: str) -> None:
        if os.link is not LINK:
            os.link(source, target)  # a test has plans of its own
            return
        _refuse_late(self._folders, os.path.dirname(target))
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), target)

    def open(self, name: str, flags: int, *more: int) -> int:
        _refuse_late(self._folders, os.path.dirname(name))
        if not flags & os.O_CREAT:
            _refuse_late(self._files, name)
        return os.open(name, flags, *more)

    def mkdir(self, name: str, mode: int) -> None:
        os.mkdir(name, mode)
        self._folders[name] = REFUSALS

    def rename(self, source: str, target: str) -> None:
        _refuse_late(self._folders, os.path.dirname(target))
        os.rename(source, target)
        self._files[target] = REFUSALS


def _shared(opener: Callable[..., object]) -> Callable[..., object]:
    return lambda location, **options: opener(location, **(options | {"shared": True}))


def _refuse_late(names: dict[str, int], name: str) -> None:
    if names.get(name, 0):
        names[name] -= 1
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
