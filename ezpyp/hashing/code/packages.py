"""Packages: whose code it is, and whose version counts.

The user's code counts by content, a library's by qualified name. One rule says whose a module is: it is the user's when
its file lies outside the standard library and outside every ``site-packages`` and ``dist-packages`` folder, or when it
has no file at all (a notebook, ``exec``, standard input), or when its distribution was installed from a folder or a
repository, as ``direct_url.json`` says (PEP 610). ``track`` and ``no_track`` decide otherwise for packages that they
name; ezpyp itself is never the user's.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from functools import cache
from importlib import import_module, util
from types import FunctionType, ModuleType

from ezpyp.errors import OptionError
from ezpyp.hashing.plain import digest, tag, text

_INSTALLED = ("site-packages", "dist-packages")
_OWN = __name__.partition(".")[0]
_MAIN = "__main__"
_EXTENSIONS = (".so", ".pyd", ".dylib")
_BUILT_IN = frozenset({"built-in", "frozen"})
_VERSION = tag("version")


class Ownership:
    """Decides for one function whose code it reads."""

    def __init__(self, track: tuple[str, ...] = (), no_track: tuple[str, ...] = ()) -> None:
        self.track = track
        self.no_track = no_track
        self._known: dict[str, bool] = {}

    def is_user_module(self, name: str) -> bool:
        """Tell whether the module called ``name`` is the user's."""
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._decide(name)
        return known

    def is_library(self, kind: type) -> bool:
        """Tell whether a class is a library's."""
        return not self.is_user_module(getattr(kind, "__module__", None) or "builtins")

    def owns_function(self, function: FunctionType) -> bool:
        """Tell whether the code of a function is the user's, wherever the function was put since."""
        name = function.__globals__.get("__name__")
        return not isinstance(name, str) or self.is_user_module(name)

    def owns(self, value: object) -> bool:
        """Tell whether a function, a class, or the class of an instance is the user's."""
        if isinstance(value, FunctionType):
            return self.owns_function(value)
        return not self.is_library(value if isinstance(value, type) else type(value))

    def extension_digest(self, name: str) -> bytes:
        """Return the digest of the file of a compiled module of the user's; nothing for other modules."""
        path = getattr(sys.modules.get(name), "__file__", None)
        if not isinstance(path, str) or not path.endswith(_EXTENSIONS) or not self.is_user_module(name):
            return b""
        return _content(path, os.stat(path).st_mtime_ns)

    def owns_spec(self, name: str, origin: str | None) -> bool:
        """Tell whether a module that is not loaded yet is the user's, by where it would be loaded from."""
        if _is_within(name, self.no_track):
            return False
        return _is_within(name, self.track) or (origin not in _BUILT_IN and is_user_file(origin or ""))

    def _decide(self, name: str) -> bool:
        if _is_within(name, self.no_track):
            return False
        if _is_within(name, self.track):
            return True
        if name.partition(".")[0] == _OWN:
            return False
        return is_user_module(name, sys.modules.get(name))


@cache
def _content(path: str, _mtime_ns: int) -> bytes:
    with open(path, "rb") as file:
        return digest(file.read())


def _is_within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(package + ".") for package in packages)


def is_user_module(name: str, module: ModuleType | None) -> bool:
    """Apply the rule to a module, loaded or not."""
    top = name.partition(".")[0]
    if top == _MAIN:
        return True
    if top in sys.stdlib_module_names or top in sys.builtin_module_names:
        # A user's file may be called like a module of the standard library; its place tells.
        path = getattr(module, "__file__", None)
        return path is not None and is_user_file(path)
    if module is None:  # as `numpy.rec` where code names `numpy.recarray`: it stands where its package does
        return is_user_file(_origin_of(top))
    path = _file_of(module)
    if path is not None:
        return is_user_file(path)
    origin = getattr(getattr(module, "__spec__", None), "origin", None)
    return origin not in _BUILT_IN


def _origin_of(package: str) -> str:
    """Where a package would be loaded from; the working folder where nowhere, as what `exec` made."""
    try:
        spec = util.find_spec(package)
    except (ImportError, ValueError):
        spec = None
    return (spec and spec.origin) or package


def _file_of(module: ModuleType) -> str | None:
    path = getattr(module, "__file__", None)
    if isinstance(path, str):
        return path
    # A namespace package has folders but no file.
    folders = list(getattr(module, "__path__", ()))
    return os.path.join(folders[0], "") if folders else None


@cache
def is_user_file(path: str) -> bool:
    """Apply the rule to a file.

    Example:
        >>> is_user_file(os.__file__)
        False
        >>> is_user_file("/home/me/study/script.py")
        True
    """
    parts = os.path.abspath(path).replace("\\", "/").split("/")
    for place, part in enumerate(parts):
        if part in _INSTALLED:
            if part is parts[-1]:
                return False  # the folder itself
            return _is_from_source("/".join(parts[: place + 1]), parts[place + 1])
    return not "/".join(parts).startswith(_standard_places())


@cache
def _standard_places() -> tuple[str, ...]:
    """Return the folders (and the zip file) of the standard library."""
    library = os.path.dirname(os.path.abspath(os.__file__))
    version = f"python{sys.version_info[0]}{sys.version_info[1]}.zip"
    places = {library, os.path.realpath(library), os.path.join(os.path.dirname(library), version)}
    # Another interpreter's library (a virtual environment's base) is found by its landmark module.
    places.update(os.path.join(prefix, "lib", os.path.basename(library)) for prefix in (sys.prefix, sys.base_prefix))
    return tuple(place.replace("\\", "/").rstrip("/") + ending for place in places for ending in ("/", ".zip"))


def _is_from_source(folder: str, entry: str) -> bool:
    return entry.partition(".")[0] in _from_source(folder)


@cache
def _from_source(folder: str) -> frozenset[str]:
    """Return the top-level names in ``folder`` that were installed from a folder or a repository."""
    names: set[str] = set()
    try:
        entries = [entry.path for entry in os.scandir(folder) if entry.name.endswith(".dist-info")]
    except OSError:
        return frozenset()
    for entry in entries:
        if _comes_from_source(entry):
            names.update(_top_level_names(entry))
    return frozenset(names)


def _comes_from_source(info: str) -> bool:
    try:
        with open(os.path.join(info, "direct_url.json"), encoding="utf-8") as file:
            origin = json.load(file)
    except (OSError, ValueError):
        return False
    return isinstance(origin, dict) and ("dir_info" in origin or "vcs_info" in origin)


def _top_level_names(info: str) -> set[str]:
    try:
        with open(os.path.join(info, "RECORD"), encoding="utf-8") as file:
            paths = [line.rpartition(",")[0].rpartition(",")[0].strip('"') for line in file]
    except OSError:
        return set()
    tops = {path.partition("/")[0] for path in paths if not path.startswith(("..", "/"))}
    return {top.partition(".")[0] for top in tops if not top.endswith((".dist-info", ".data", "__pycache__"))}


# What the user says of packages: whose code counts by content, whose version counts.


@dataclass(frozen=True, slots=True)
class Tracking:
    """How packages count in the identity of a function.

    Attributes:
        track: Libraries that count by content.
        no_track: Packages of the user's that count by name.
        track_versions: Libraries whose version always counts.
        versions_where_used: Libraries whose version counts where the code leads to them.
    """

    track: tuple[str, ...] = ()
    no_track: tuple[str, ...] = ()
    track_versions: tuple[str, ...] = ()
    versions_where_used: tuple[str, ...] = ()

    def with_own(self, own: Tracking) -> Tracking:
        """These settings of a pipeline with those of one step added, which win where they say the opposite."""
        return Tracking(
            _merged(self.track, own.track, own.no_track),
            _merged(self.no_track, own.no_track, own.track),
            _merged(self.track_versions, own.track_versions),
            _merged(self.versions_where_used, (), own.track_versions),
        )


BY_THE_RULE = Tracking()
"""Nothing is told: what is the user's counts by content, a library's by name."""


def _merged(inherited: tuple[str, ...], own: tuple[str, ...], against: tuple[str, ...] = ()) -> tuple[str, ...]:
    return tuple(sorted({*inherited, *own} - {*against} | {*own}))


# Versions of packages: what is installed says so, and only where it is asked for.


@cache
def version_of(package: str) -> str:
    """Return the version of a package, which is named as it is imported or as it is installed.

    Raises:
        OptionError: No such package is installed, or it says no version.
    """
    if package in sys.stdlib_module_names:
        raise OptionError(
            f"the version of {package!r} cannot be tracked: it is part of Python, whose version is in every key. "
            "Take it out of the tracked versions",
            package=package,
        )
    return _installed(package) or _imported(package)


def _installed(package: str) -> str:
    # importlib.metadata takes tens of milliseconds to import: only who tracks a version pays for it.
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package) or ""
    except (PackageNotFoundError, ValueError):
        found = {name: version(name) for name in _distributions().get(package, ())}
    return next(iter(found.values())) if len(found) == 1 else ", ".join(f"{name} {found[name]}" for name in found)


@cache
def _distributions() -> dict[str, list[str]]:
    """Return import name -> names of what is installed under it (sklearn: scikit-learn)."""
    from importlib.metadata import packages_distributions

    return {name: sorted(set(found)) for name, found in packages_distributions().items()}


def _imported(package: str) -> str:
    """Return what a module that nobody installed (a folder on the path) says of itself."""
    try:
        module = import_module(package)
    except Exception as error:
        raise OptionError(
            f"the version of {package!r} cannot be tracked: no such package is installed, and importing it gives "
            f"{type(error).__name__}: {error}. Install it, or correct its name in the tracked versions",
            package=package,
        ) from error
    version = getattr(module, "__version__", None)
    if not isinstance(version, str) or not version:
        raise OptionError(
            f"the version of {package!r} cannot be tracked: it has none, neither as installed nor as __version__. "
            "Take it out of the tracked versions, and count its code with track= or name its state with version=",
            package=package,
        )
    return version


@cache
def import_names(package: str) -> frozenset[str]:
    """Return the names under which a package is imported; its own, as a rule."""
    if package in sys.modules or _can_be_imported(package):
        return frozenset({package})
    wanted = _plain(package)
    return frozenset(name for name, found in _distributions().items() if wanted in map(_plain, found))


def _can_be_imported(package: str) -> bool:
    try:
        return util.find_spec(package) is not None
    except (ImportError, ValueError):
        return False


def _plain(name: str) -> str:
    """Return the name of a distribution as indexes compare them."""
    return name.lower().replace("_", "-").replace(".", "-")


def tracked(always: tuple[str, ...], where_used: tuple[str, ...], used: frozenset[str]) -> dict[str, str]:
    """Return package -> version of those that count in one function's digest, in the order of their names."""
    known = {name: version_of(name) for name in sorted({*_checked(always), *_checked(where_used)})}
    return {name: known[name] for name in known if name in always or not used.isdisjoint(import_names(name))}


def _checked(names: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise OptionError(f"tracked versions are a tuple of packages: ({names!r},), not {names!r}", package=names)
    return names


def versions_as_bytes(versions: dict[str, str]) -> bytes:
    """Return tracked versions as a stretch of a function's bytes; nothing where none is tracked."""
    return b"".join(_VERSION + text(name) + text(version) for name, version in versions.items())
