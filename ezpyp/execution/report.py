"""What ``execute()`` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ezpyp.execution.messages import Failure

NAMED = 10
"""Failures that the text of a report names."""


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
        seconds: Wall time of the run, s, from the first look at the cache to the last commit.
        busy_seconds: Seconds of all bodies together.
        ranks: Number of ranks.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ezpyp import Pipeline
        >>> pipeline = Pipeline(mkdtemp(), "doc")
        >>> roots = pipeline.step(abs).map([-3, "x"])
        >>> report = pipeline.execute(output="none")
        >>> report  # doctest: +ELLIPSIS
        Report(run 1, revision 1: 2 steps, 1 done, 0 cached, 1 failed, 0 skipped in ... s, ... % busy;
            abs[x=x] failed with TypeError: bad operand type for abs(): 'str')
        >>> report.ok, report.failed, report.failures["abs[x=x]"].type_name
        (False, ('abs[x=x]',), 'TypeError')
        >>> 0 <= report.efficiency <= 1
        True
    """

    run: int
    revision: int
    total: int
    done: int
    cached: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    failures: Mapping[str, Failure] = field(hash=False)
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
            f"{self.cached} cached, {len(self.failed)} failed, {len(self.skipped)} skipped in {self.seconds:.3g} s"
            f"{self._busy()}{self._told()})"
        )

    def _busy(self) -> str:
        ranks = f" on {self.ranks} ranks" if self.ranks > 1 else ""
        return f"{ranks}, {100 * self.efficiency:.0f} % busy" if self.busy_seconds else ranks

    def _told(self) -> str:
        """The failures, as far as they fit a screen."""
        told = [
            f"\n    {name} failed with {failure.type_name}: {failure.message.partition(chr(10))[0]}"
            for name, failure in list(self.failures.items())[:NAMED]
        ]
        more = len(self.failures) - len(told)
        return ";" * bool(told) + "".join(told) + (f"\n    and {more} more" if more else "")
