"""Versions of packages: what is installed says so, and only where it is asked for."""

import sys
from functools import cache
from importlib import import_module, util

from ezpyp.errors import OptionError
from ezpyp.hashing.framing import tag, text

_VERSION = tag("version")


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
    """Return package -> version of those that count in one function's digest, in the order of their names.

    Args:
        always: Packages whose version counts.
        where_used: Packages whose version counts where the function's code leads to them.
        used: Import names of the libraries that the code leads to.
    """
    known = {name: version_of(name) for name in sorted({*_checked(always), *_checked(where_used)})}
    return {name: known[name] for name in known if name in always or not used.isdisjoint(import_names(name))}


def _checked(names: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(names, str):
        raise OptionError(f"tracked versions are a tuple of packages: ({names!r},), not {names!r}", package=names)
    return names


def versions_as_bytes(versions: dict[str, str]) -> bytes:
    """Return tracked versions as a stretch of a function's bytes; nothing where none is tracked."""
    return b"".join(_VERSION + text(name) + text(version) for name, version in versions.items())
