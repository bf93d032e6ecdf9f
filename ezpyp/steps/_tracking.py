"""The packages that the options of a pipeline or a step name."""

from __future__ import annotations

import sys
from collections.abc import Iterable

from ezpyp.errors import OptionError
from ezpyp.hashing import Tracking, version_of


def names_of(option: str, names: Iterable[str]) -> tuple[str, ...]:
    """The names that an option was given, one string counting as one name; sorted, each once.

    Raises:
        OptionError: Something among them is no name.
    """
    try:
        found = (names,) if isinstance(names, str) else tuple(names)
    except TypeError:
        found = (names,)  # type: ignore[assignment]  # no iterable, and refused below
    if not all(isinstance(name, str) and name for name in found):
        raise OptionError(f"{option} takes names, not {names!r}")
    return tuple(sorted(set(found)))


def tracking_of(
    track: Iterable[str] = (),
    no_track: Iterable[str] = (),
    track_versions: Iterable[str] = (),
    versions_where_used: Iterable[str] = (),
) -> Tracking:
    """The settings that options say.

    Raises:
        OptionError: An option names something that is not installed: counting for nothing, it would go unnoticed.
    """
    return Tracking(
        _packages_of("track", track),
        _packages_of("no_track", no_track),
        _with_versions(track_versions),
        _with_versions(versions_where_used),
    )


def _packages_of(option: str, names: Iterable[str]) -> tuple[str, ...]:
    packages = names_of(option, names)
    missing = [name for name in packages if not _is_there(name.partition(".")[0])]
    if missing:
        raise OptionError(
            f"{option}= names {', '.join(map(repr, missing))}, which cannot be imported here: "
            "write the name as in `import NAME`, or install the package"
        )
    return packages


def _is_there(module: str) -> bool:
    if module in sys.modules:
        return True
    from importlib.util import find_spec

    try:
        return find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _with_versions(names: Iterable[str]) -> tuple[str, ...]:
    packages = names_of("track_versions", names)
    for package in packages:
        version_of(package)  # an error here, not when hours of declarations are frozen
    return packages
