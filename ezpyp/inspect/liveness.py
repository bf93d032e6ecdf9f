"""Whether a run that is recorded as running still runs."""

import json
import time
from dataclasses import dataclass, replace

from ezpyp.store.lock import Owner
from ezpyp.store.reader import Reader, Value
from ezpyp.store.rows import RunView, Status, StepView

# A step's row with status -2 is written so long after its start.
ANNOUNCED_S = 1.0
LAST_ROW = """
SELECT max(started_at + coalesce(seconds, (status = :running) * :announced)) FROM step_rows WHERE run = :run
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the location."""

    owner: Owner
    heartbeat: float | None
    is_dead: bool

    def __str__(self) -> str:
        if self.is_dead:
            return f"{self.owner}, which is gone"
        if self.heartbeat is None:
            return str(self.owner)
        return f"{self.owner}, last heard of {max(0, round(time.time() - self.heartbeat))} s ago"


def holder(reader: Reader) -> Holder | None:
    """Who holds the location, or None when nobody does (or what is written there means nothing)."""
    row = reader.one("SELECT owner, heartbeat FROM holder")
    if row is None or row[0] is None:
        return None
    try:
        owner = Owner(**json.loads(row[0]))
        return Holder(owner, row[1], owner.is_dead(row[1]))
    except (TypeError, ValueError):
        return None


def with_truth(runs: list[RunView], holder: Holder | None) -> list[RunView]:
    """The runs, with status ``killed`` for those that are recorded as running and are not.

    Nobody can write down that a run was killed: a run is alive only while its own process holds the location.
    """
    return [
        replace(run, status="killed") if run.status == "running" and not _is_alive(run, holder) else run for run in runs
    ]


def end_of(reader: Reader, run: RunView, holder: Holder | None) -> float:
    """Until when a run is known to have gone on, in seconds since 1970.

    Args:
        reader: The open cache.
        run: With the truth about its status.
        holder: Who holds the location.

    Returns:
        Its end; now, while it runs; of one that was killed the last thing that was heard of it, be it a row or a
        heartbeat: it may have lived on for some seconds, but nobody knows.
    """
    if run.seconds is not None:
        return run.started_at + run.seconds
    if run.status == "running":
        return max(run.started_at, time.time())
    values: dict[str, Value] = {"run": run.run, "running": int(Status.RUNNING), "announced": ANNOUNCED_S}
    (last,) = reader.must(LAST_ROW, values)
    heartbeat = holder.heartbeat if holder is not None and _holds(run, holder) else None
    return max(run.started_at, last or 0.0, heartbeat or 0.0)


def live_run(reader: Reader) -> int | None:
    """The run that goes on right now."""
    last = reader.run()
    return last.run if last and with_truth([last], holder(reader))[0].status == "running" else None


def state(step: StepView, live: int | None) -> str:
    """The status as a word."""
    return word_of(step.status, step.run, live)


def word_of(status: int, run: int | None, live: int | None) -> str:
    """A status as a word; a step that was running when its run was killed is not running any more."""
    return "killed" if status == Status.RUNNING and run != live else Status(status).word


def _is_alive(run: RunView, holder: Holder | None) -> bool:
    return holder is not None and not holder.is_dead and _holds(run, holder)


def _holds(run: RunView, holder: Holder) -> bool:
    return (run.host, run.pid) == (holder.owner.host, holder.owner.pid)
