"""Counts of steps by phase and status."""

from dataclasses import dataclass, field

from ezpyp.inspect._reader import FROM_STEPS, Reader
from ezpyp.inspect._rows import Run, Status, View

COUNTS = f"SELECT s.phase, coalesce(w.status, -1), count(*) FROM {FROM_STEPS} GROUP BY 1, 2 ORDER BY 1, 2"


@dataclass(slots=True)
class Phase:
    """One phase: how many steps are how."""

    phase: int
    counts: dict[Status, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All its steps."""
        return sum(self.counts.values())


def phases(reader: Reader, view: View) -> list[Phase]:
    """The phases of a view, lowest first."""
    found: dict[int, Phase] = {}
    for phase, status, number in reader.ask(COUNTS, {"run": view.run, "revision": view.revision}):
        found.setdefault(phase, Phase(phase)).counts[Status(status)] = number
    return list(found.values())


def totals_of_run(run: Run) -> dict[Status, int] | None:
    """The counts that the run itself wrote down when it ended; None while it has not."""
    if run.failed is None or run.skipped is None:
        return None
    done = run.total - run.failed - run.skipped
    counted = {Status.DONE: done, Status.FAILED: run.failed, Status.SKIPPED: run.skipped}
    return {status: number for status, number in counted.items() if number}


def totals(phases: list[Phase]) -> dict[Status, int]:
    """All phases together, in the order of their numbers."""
    return {
        status: number for status in sorted(Status) if (number := sum(phase.counts.get(status, 0) for phase in phases))
    }
