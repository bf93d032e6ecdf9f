"""What a running body reads beside its arguments: files and folders by an audit hook, variables of the environment."""

from __future__ import annotations

import importlib
import os
import stat
import sys
from collections.abc import Iterator
from functools import cache
from types import FrameType
from typing import Any

from ezpyp.hashing.code.packages import is_user_file
from ezpyp.hashing.files import FILE_DIGESTS, stamp_of
from ezpyp.steps.function import RUNNING
from ezpyp.store.results import UNKNOWN, observe
from ezpyp.store.rows import Observation

_EVENTS = frozenset({"open", "os.listdir", "os.scandir", "os.mkdir", "os.rename", "sqlite3.connect"})
# Who reads source files to import them or to show a line in a message: code counts by what it is, not by its file.
_IMPORTING = ("<frozen importlib", "<frozen zipimport", os.path.dirname(importlib.__file__))
_SHOWING = tuple(f"{os.sep}{name}.py" for name in ("linecache", "tokenize", "pkgutil"))
_WRITES = os.O_WRONLY | os.O_RDWR


class ReadObserver:
    """Notes what bodies read, while one runs; one for the process, since an audit hook stays for ever.

    What counts: files of the user's that were there before the body, and those that it looked for and were not; by
    their content when the body has ended. What the body itself wrote first does not count, nor do the interpreter's
    files, installed libraries' and those that they keep in hidden folders of the home.
    """

    def __init__(self) -> None:
        self._is_installed = False
        self._own = ""
        self._folder = ""
        self.clear()

    def clear(self) -> None:
        """A body begins: what another one left behind, because it failed, is none of its own."""
        self.is_clear = True
        self.copying: tuple[int, int] | None = None
        self._read: dict[tuple[str, str], bytes] = {}
        self._written: set[str] = set()
        self._made: tuple[str, ...] = ()
        self._variables: set[str] = set()
        FILE_DIGESTS.passed.clear()
        FILE_DIGESTS.listed.clear()

    def start(self, location: str) -> None:
        """A run begins: its cache is not observed, and relative paths mean this working folder."""
        if not self._is_installed:
            sys.addaudithook(self._hear)
            os.environ.__class__ = _ObservedEnviron
            self._is_installed = True
        self._own = os.path.join(os.path.abspath(location), "")
        self._folder = _working_folder()

    def seen(self) -> tuple[Observation, ...]:
        """What the body that has ended read; afterwards nothing is remembered."""
        found = [self._as_read(kind, path, stamp) for (kind, path), stamp in self._read.items()]
        found += [observe("variable", name) for name in sorted(self._variables)]
        self.clear()
        return tuple(found)

    def _as_read(self, kind: str, path: str, stamp: bytes) -> Observation:
        if kind == "folder":
            return Observation(kind, path, stamp, b"")
        now = observe(kind, path)
        try:
            is_same = stamp_of(os.stat(path)) == stamp
        except OSError:
            return now
        return now if is_same or os.path.abspath(path) in self._written else now._replace(digest=UNKNOWN, stamp=b"")

    def _hear(self, event: str, args: tuple[Any, ...]) -> None:
        if not RUNNING.depth or event not in _EVENTS:
            return
        self.is_clear = False
        if event == "open":
            self._opened(args[0], args[2])
        elif event == "os.mkdir":
            self._mkdir(args[0])
        elif event == "os.rename":
            self._renamed(args[0], args[1])
        elif event == "sqlite3.connect":
            self._opened(args[0], os.O_RDWR | os.O_CREAT)
        elif not _is_machinery(sys._getframe(1)):
            self._listed("." if args[0] is None else args[0])

    def _opened(self, path: object, flags: int) -> None:
        name = self._name_of(path)
        whole = "" if name is None else os.path.abspath(name)
        if name is None or whole in self._written or not self._counts(whole):
            return
        try:
            found = os.stat(name)
        except (OSError, ValueError):
            found = None
        is_new = found is None and flags & os.O_CREAT
        if not is_new and not flags & (os.O_WRONLY | os.O_TRUNC) and ("file", name) not in self._read:
            self._note(name, found)
        if flags & _WRITES:
            self._written.add(whole)

    def _note(self, name: str, found: os.stat_result | None) -> None:
        is_made = os.path.abspath(name).startswith(self._made or "\0")
        if not is_made and (found is None or stat.S_ISREG(found.st_mode)) and not _is_machinery(sys._getframe(3)):
            self._read["file", name] = stamp_of(found) if found else b""

    def _listed(self, path: object) -> None:
        name = self._name_of(path)
        if name is None or ("folder", name) in self._read:
            return
        if os.path.join(name, "").startswith(tuple(FILE_DIGESTS.listed)):
            return
        whole = os.path.abspath(name)
        if self._counts(whole) and not os.path.join(whole, "").startswith(self._made or "\0"):
            self._read["folder", name] = b""  # now: listing it is an event too
            self._read["folder", name] = observe("folder", name).digest

    def _mkdir(self, path: object) -> None:
        name = self._name_of(path)
        if name is not None and not os.path.lexists(name):
            self._made += (os.path.join(os.path.abspath(name), ""),)

    def _renamed(self, source: object, target: object) -> None:
        old, new = self._name_of(source), self._name_of(target)
        if old is not None and new is not None and os.path.abspath(old) in self._written:
            self._written.add(os.path.abspath(new))

    def _name_of(self, path: object) -> str | None:
        """A path as it will be found again; None for an open file, and for a File, which counts by itself."""
        if not isinstance(path, (str, bytes)) or not path:
            return None
        name = os.fsdecode(path)
        if {name, os.path.normpath(name)} & FILE_DIGESTS.passed or "\0" in name or name == ":memory:":
            return None
        name = os.path.normpath(name)
        return name if os.path.isabs(name) or _working_folder() == self._folder else os.path.abspath(name)

    def _counts(self, whole: str) -> bool:
        is_not_the_users = whole.startswith((self._own, *_places())) or "__pycache__" in whole
        return not is_not_the_users and is_user_file(whole)

    def read_variable(self, name: str, frame: FrameType) -> None:
        """The environment was asked for a variable; that counts where the user's own code asks."""
        asking = _asking(frame)
        file = asking.f_code.co_filename
        if self.copying != (id(asking), asking.f_lasti) and not file.startswith("<frozen") and is_user_file(file):
            self._variables.add(name)
            self.is_clear = False

    def copy_variables(self, frame: FrameType) -> None:
        """What the same instruction reads now is a copy of the whole, mostly for a child process: it asks for none."""
        asking = _asking(frame)
        self.copying, self.is_clear = (id(asking), asking.f_lasti), False


OBSERVER = ReadObserver()


class _ObservedEnviron(os._Environ):  # type: ignore[type-arg]  # of texts or of bytes
    """`os.environ`, which has no audit event of its own."""

    __module__, __qualname__ = os._Environ.__module__, os._Environ.__qualname__  # it is hashed as what it was

    def __getitem__(self, key: str) -> str:
        if RUNNING.depth:
            OBSERVER.read_variable(key, sys._getframe(1))
        return super().__getitem__(key)  # type: ignore[no-any-return]  # as above

    def __iter__(self) -> Iterator[str]:
        if RUNNING.depth:
            OBSERVER.copy_variables(sys._getframe(1))
        return iter(list(super().__iter__()))


def _asking(frame: FrameType) -> FrameType:
    """Who asks `os.environ`, past the methods that a mapping has from the standard library."""
    while frame.f_code.co_filename in ("<frozen os>", "<frozen _collections_abc>") and frame.f_back is not None:
        frame = frame.f_back
    return frame


def _is_machinery(frame: FrameType) -> bool:
    return frame.f_code.co_filename.startswith(_IMPORTING) or frame.f_code.co_filename.endswith(_SHOWING)


def _working_folder() -> str:
    try:
        return os.getcwd()
    except OSError:
        return ""  # it was removed


@cache
def _places() -> tuple[str, ...]:
    """Folders of the system, of the interpreter, and the hidden ones of the home, where libraries keep their own."""
    home = os.path.expanduser("~")
    prefixes = {sys.prefix, sys.base_prefix, sys.exec_prefix}
    own = [os.path.join(prefix, name, "") for prefix in prefixes for name in ("bin", "etc", "include", "lib", "share")]
    system = ("/proc/", "/sys/", "/dev/", "/etc/", "/usr/", "/var/lib/", "/var/cache/", "/Library/", "/System/")
    return (*own, *system, os.path.join(home, "."), os.path.join(home, "Library", ""))
