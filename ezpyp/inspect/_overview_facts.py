"""What the overview tells, ready for JSON."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from ezpyp.inspect._counts import Phase, phases, phases_of_run
from ezpyp.inspect._liveness import Holder, holder, with_truth
from ezpyp.inspect._reader import FROM_ROWS, Reader
from ezpyp.inspect._rows import Fact, Run, Status, View
from ezpyp.inspect._typed import typed
from ezpyp.inspect.du import tree_size

SHOWN_FAILURES = 10
SHOWN_SLOWEST = 5
# Counting a million steps by phase takes 2.4 s; what their run wrote down takes nothing.
COUNTED = 100_000
# The two conditions on the status are what the partial index asks for, in its own words.
FAILURES = f"""
SELECT q.name, e.type, e.message, e.file, e.line FROM
(SELECT s.name, s.phase, w.step, w.run FROM {FROM_ROWS} AND w.status <> 0 AND w.status = 1
    ORDER BY s.phase, s.id LIMIT {SHOWN_FAILURES}) q
LEFT JOIN errors e ON e.step = q.step AND e.run = q.run ORDER BY q.phase, q.step
"""
# Few of the slowest rows are outdated: asking of each of a million whether it is the newest takes 960 ms. Of many
# steps, only those of at least 10 ms are looked at: they have an index.
SLOWEST = "w.step IN (SELECT step FROM step_rows WHERE seconds {least} ORDER BY seconds DESC LIMIT 100)"


def overview_facts(reader: Reader) -> Fact:
    """Pipeline, last run, counts, failures, the slowest steps, size, and what to ask next."""
    held, last, view = holder(reader), reader.run(), reader.view()
    run = with_truth([last], held)[0] if last else None
    counted = _counted(reader, view, run)
    counts = [{"phase": phase.phase, **_by_state(phase, run)} for phase in counted]
    steps = {state: sum(int(phase[state]) for phase in counts) for state in _by_state(Phase(0), run)}
    failures = _failures(reader, view) if steps["failed"] else []
    return {
        "pipeline": reader.meta().get("pipeline_id"),
        "location": str(reader.location),
        "revision": view.revision,
        "run": asdict(run) if run else None,
        "holder": _holder(held) if held and not held.is_dead else None,
        "steps": steps,
        "phases": counts,
        "failures": failures,
        "slowest": _slowest(reader, view, steps["total"]),
        "size": _size(reader.location),
        "next": _next(reader.location, failures, steps) if run else None,
    }


def _counted(reader: Reader, view: View, run: Run | None) -> list[Phase]:
    """Counts by phase and status: as the run wrote them down where there are too many steps to count again."""
    counted: list[Phase] = []
    if run is not None and run.revision == view.revision and run.total > COUNTED:
        counted = phases_of_run(reader, run)
    return counted or phases(reader, view)


def _by_state(phase: Phase, run: Run | None) -> dict[str, int]:
    """A step that was running when its run was killed is not running any more."""
    found = {"total": phase.total, "killed": 0} | {status.word: phase.counts.get(status, 0) for status in Status}
    if run is None or run.status != "running":
        found["killed"], found["running"] = found["running"], 0
    return found


def _holder(held: Holder) -> Fact:
    owner = held.owner
    return {
        "host": owner.host, "pid": owner.pid, "job": owner.job, "since": owner.since, "heartbeat": held.heartbeat
    }  # fmt: skip


def _failures(reader: Reader, view: View) -> list[Fact]:
    rows = reader.ask(FAILURES, {"run": view.run, "revision": view.revision})
    return [dict(zip(("name", "type", "message", "file", "line"), row, strict=True)) for row in rows]


def _slowest(reader: Reader, view: View, number: int) -> list[Fact]:
    slowest = SLOWEST.format(least=">= 0.01" if number > COUNTED else "IS NOT NULL")
    rows = reader.steps(view, slowest, order=("w.seconds DESC",), limit=SHOWN_SLOWEST, have_run=True)
    return [{"name": row.name, "seconds": row.seconds} for row in rows]


def _size(location: Path) -> Fact:
    files, total = tree_size(location / "objects")
    index = sum(file.stat().st_size for file in location.glob("ezpyp.sqlite*"))
    return {"index": index, "objects": total, "files": files}


def _next(location: Path, failures: Sequence[Fact], steps: dict[str, int]) -> str:
    """What to type to see more of what went wrong."""
    verb = "steps"
    if failures:
        verb = f"show {typed(failures[0]['name'])}"
    elif steps["killed"]:
        verb = "steps --status killed"
    return f"python -m ezpyp.inspect {shlex.quote(str(location))} {verb}"
