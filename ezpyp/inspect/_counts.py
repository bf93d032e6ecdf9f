"""Counts of steps by phase and status."""

from dataclasses import dataclass, field

from ezpyp.inspect._reader import ALL_PRESENT, Reader
from ezpyp.inspect._rows import Run, Status, View

# A status is looked up in one go, not joined: a third of the time.
STATUS = "(SELECT w.status FROM step_rows w WHERE w.step = s.id AND w.run <= :run ORDER BY w.run DESC LIMIT 1)"
COUNTS = (
    f"SELECT s.phase, coalesce({STATUS}, -1), count(*) FROM steps s WHERE {ALL_PRESENT} GROUP BY 1, 2 ORDER BY 1, 2"
)


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


def phases_of_run(reader: Reader, run: Run) -> list[Phase]:
    """What a large run wrote down with its last rows, any run when it ended; nothing where neither is so."""
    (text,) = reader.must("SELECT phases FROM runs WHERE run = ?", [run.run])
    with reader.translated():
        return [
            Phase(int(phase), {Status(int(status)): int(number) for status, number in counts.items()})
            for phase, counts in reader.load(text).items()
        ]
