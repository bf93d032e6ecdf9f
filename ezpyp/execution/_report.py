"""What ``execute()`` returns."""

from __future__ import annotations

from dataclasses import dataclass

from ezpyp.execution._outcome import Failure


@dataclass(frozen=True, slots=True)
class Report:
    """How a run went; the same on every rank.

    Attributes:
        run: Number of the run, as ``ezpyp.inspect`` shows it.
        revision: Revision of the schema that ran.
        total: Steps of the pipeline.
        done: Steps whose body ran and gave a result.
        cached: Steps found in the cache.
        failed: Names of the steps that raised.
        skipped: Names of the steps that were skipped, because something that they need failed.
        failures: Name of a failed step -> type, message, place and traceback.
        seconds: Wall time of the run, s.
        busy_seconds: Seconds of all bodies together.
        ranks: Number of ranks.

    Example:
        >>> report = Report(1, 1, 4, 3, 0, ("b",), (), {}, 2.0, 3.0, 2)
        >>> report.ok, report.efficiency
        (False, 0.75)
        >>> report
        Report(run 1, revision 1: 4 steps, 3 done, 0 cached, 1 failed, 0 skipped in 2 s)
    """

    run: int
    revision: int
    total: int
    done: int
    cached: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    failures: dict[str, Failure]
    seconds: float
    busy_seconds: float
    ranks: int

    @property
    def ok(self) -> bool:
        """Whether every step has its result."""
        return not self.failed and not self.skipped

    @property
    def efficiency(self) -> float:
        """Busy time over ranks times wall time, 0 to 1."""
        return self.busy_seconds / (self.ranks * self.seconds) if self.seconds else 0.0

    def __repr__(self) -> str:
        return (
            f"Report(run {self.run}, revision {self.revision}: {self.total} steps, {self.done} done, "
            f"{self.cached} cached, {len(self.failed)} failed, {len(self.skipped)} skipped in {self.seconds:.3g} s)"
        )
