"""Whose code counts how: the packages that a pipeline or a step names."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass

from ezpyp.errors import OptionError
from ezpyp.hashing import version_of


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
