"""What each rank did in a run: steps as bars in lanes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ezpyp.inspect._reader import FUNCTION, Reader, Value
from ezpyp.inspect._rows import Run, Status

# The last question stands for a step that runs still: it has no seconds, and lasts until now.
BARS = f"""
SELECT s.name, {FUNCTION}, w.status, w.rank, coalesce(w.host, ''), w.started_at - :start,
    coalesce(w.seconds, max(0.0, :now - w.started_at))
FROM step_rows w JOIN steps s ON s.id = w.step WHERE w.run = :run AND w.cached = 0 AND w.rank IS NOT NULL
    AND w.started_at IS NOT NULL AND (w.seconds IS NOT NULL OR w.status = :running) ORDER BY w.started_at
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One step on its rank; ``start`` counts from the start of the run."""

    name: str
    function: str
    status: int
    rank: int
    host: str
    start: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Lane:
    """What one rank did, or several ranks that are shown as one."""

    ranks: tuple[int, ...]
    host: str
    bars: tuple[Bar, ...] = ()

    @property
    def busy(self) -> float:
        """Seconds in which one of its ranks worked, on average."""
        return sum(bar.seconds for bar in self.bars) / len(self.ranks)

    @property
    def label(self) -> str:
        """Which ranks, and where."""
        first, last = self.ranks[0], self.ranks[-1]
        return f"rank {first} {self.host}" if first == last else f"ranks {first}-{last}"


def bars_of(reader: Reader, run: Run, now: float) -> Iterator[Bar]:
    """The steps that a run computed, in order of their start; ``now`` is the end of those that run still."""
    values: dict[str, Value] = {"start": run.started_at, "now": now, "run": run.run, "running": int(Status.RUNNING)}
    for row in reader.ask(BARS, values):
        yield Bar(*row)


def lanes_of(run: Run, bars: Iterable[Bar]) -> list[Lane]:
    """One lane a rank, also for a rank that did nothing: idle time is what one looks for."""
    found: dict[int, list[Bar]] = {rank: [] for rank in range(run.ranks)}
    for bar in bars:
        found.setdefault(bar.rank, []).append(bar)
    hosts = {rank: found[rank][0].host if found[rank] else run.host or "" for rank in found}
    return [Lane((rank,), hosts[rank], tuple(found[rank])) for rank in sorted(found)]


def merged(lanes: Sequence[Lane], most: int) -> list[Lane]:
    """At most so many lanes: neighbours become one where there are more."""
    size = -(-len(lanes) // most)
    groups = [lanes[start : start + size] for start in range(0, len(lanes), size)] if size > 1 else [[x] for x in lanes]
    return [
        Lane(
            tuple(rank for lane in group for rank in lane.ranks),
            group[0].host,
            tuple(bar for lane in group for bar in lane.bars),
        )
        for group in groups
    ]


def efficiency(lanes: Sequence[Lane], wall: float) -> float:
    """The share of all ranks' time in which they worked; 1 when no rank was ever idle."""
    ranks = sum(len(lane.ranks) for lane in lanes)
    return sum(lane.busy * len(lane.ranks) for lane in lanes) / (wall * ranks) if wall and ranks else 0.0
