"""What the user says of packages: whose code counts by content, whose version counts."""

from __future__ import annotations

from dataclasses import dataclass


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
