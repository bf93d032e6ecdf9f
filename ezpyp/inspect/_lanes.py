"""What each rank did in a run: steps as bars in lanes."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from ezpyp.inspect._reader import Reader, Value
from ezpyp.inspect._rows import Run, Status

# A step that did not end has no seconds, and lasts as long as its run is known to have lasted.
COMPUTED = """
SELECT w.step, w.status, w.rank, coalesce(w.host, '') AS host, w.started_at - :start AS start,
    coalesce(w.seconds, max(0.0, :finish - w.started_at)) AS seconds
FROM step_rows w WHERE w.run = :run AND w.cached = 0 AND w.rank IS NOT NULL
    AND w.started_at IS NOT NULL AND (w.seconds IS NOT NULL OR w.status = :running)
"""
# A million bars cannot be seen: steps of one function that lie in one cell of time become one bar, which SQLite does
# in a tenth of the time that reading them would take. Without a cell (NULL / anything is NULL) each is its own.
SHORT = "cast(start / :cell AS int) = cast((start + seconds) / :cell AS int)"
BARS = f"""
WITH computed AS ({COMPUTED})
SELECT s.name, f.name, b.status, b.rank, b.host, b.start, b.seconds, b.finish, b.steps FROM (
    SELECT step, status, rank, host, start, seconds, start + seconds AS finish, 1 AS steps FROM computed
    WHERE ({SHORT}) IS NOT 1
UNION ALL
    SELECT c.step, c.status, c.rank, c.host, min(c.start), sum(c.seconds), max(c.start + c.seconds), count(*)
    FROM computed c CROSS JOIN steps s ON s.id = c.step WHERE {SHORT}
    GROUP BY c.rank, cast(c.start / :cell AS int), s.function, c.status
) b JOIN steps s ON s.id = b.step JOIN functions f ON f.id = s.function ORDER BY b.start
"""


@dataclass(frozen=True, slots=True)
class Bar:
    """One step on its rank, or several of one function that are too short to be told apart.

    Args:
        name: Of the step; of several, that of one of them.
        start: Seconds from the start of the run, as is ``finish``.
        seconds: In which the rank worked; of several steps less than from start to finish.
        steps: How many it stands for.
    """

    name: str
    function: str
    status: int
    rank: int
    host: str
    start: float
    seconds: float
    finish: float
    steps: int


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


def bars_of(reader: Reader, run: Run, finish: float, cell: float | None = None) -> Iterator[Bar]:
    """The steps that a run computed, in order of their start.

    Args:
        reader: The open cache.
        run: Which run.
        finish: The end of those that did not end, in seconds since 1970.
        cell: Seconds in which several short steps of one function become one bar; by default each step has its own.
    """
    values: dict[str, Value] = {"start": run.started_at, "finish": finish, "cell": cell}
    for row in reader.ask(BARS, values | {"run": run.run, "running": int(Status.RUNNING)}):
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
