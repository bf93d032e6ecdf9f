"""No verb: what the last run left behind."""

import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from ezpyp.inspect.command import problem
from ezpyp.inspect.liveness import Holder, holder, with_truth
from ezpyp.inspect.output import COLOURS, Column, commit, entry, heading, table_lines, terminal_width, title, write_json
from ezpyp.inspect.queries import Fact, Phase, phases, phases_of_run
from ezpyp.inspect.text import count, duration, moment, one_line, size, typed
from ezpyp.inspect.verbs.du import tree_size
from ezpyp.store.reader import FROM_ROWS, Reader
from ezpyp.store.rows import Run, Status, View

# What the overview tells, ready for JSON.

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
    failures = _overview_facts_failures(reader, view) if steps["failed"] else []
    return {
        "pipeline": reader.meta().get("pipeline_id"),
        "location": str(reader.location),
        "revision": view.revision,
        "run": asdict(run) if run else None,
        "holder": _holder(held) if held and not held.is_dead else None,
        "steps": steps,
        "phases": counts,
        "failures": failures,
        "slowest": _overview_facts_slowest(reader, view, steps["total"]),
        "size": _overview_facts_size(reader.location),
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


def _overview_facts_failures(reader: Reader, view: View) -> list[Fact]:
    rows = reader.ask(FAILURES, {"run": view.run, "revision": view.revision})
    return [dict(zip(("name", "type", "message", "file", "line"), row, strict=True)) for row in rows]


def _overview_facts_slowest(reader: Reader, view: View, number: int) -> list[Fact]:
    slowest = SLOWEST.format(least=">= 0.01" if number > COUNTED else "IS NOT NULL")
    rows = reader.steps(view, slowest, order=("w.seconds DESC",), limit=SHOWN_SLOWEST, have_run=True)
    return [{"name": row.name, "seconds": row.seconds} for row in rows]


def _overview_facts_size(location: Path) -> Fact:
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


SHOWN_PHASES = 20
BAR = 30
BAR_SIGNS = {"done": "█", "running": "▓", "killed": "▓", "pending": "·", "failed": "x", "skipped": "-"}
# In the order of their numbers.
STATES = ("running", "killed", "pending", "done", "failed", "skipped")


def overview(reader: Reader, form: str) -> None:
    """Print pipeline, last run, counts, failures, the slowest steps, size, and what to ask next."""
    facts = overview_facts(reader)
    if form == "json":
        write_json(facts)
    else:
        _print(facts, holder(reader))
    run = facts["run"]
    if facts["failures"] or (run is not None and run["status"] in ("killed", "failed", "interrupted")):
        problem()


def _print(facts: Fact, held: Holder | None) -> None:
    revision = f"revision {facts['revision']}" if facts["revision"] else "no schema yet"
    click.echo(one_line(f"Pipeline {facts['pipeline'] or '?'!r} @ {facts['location']}, {revision}"))
    _run(facts["run"], held if facts["holder"] else None)
    _steps(facts["steps"], facts["phases"])
    _failures(facts["failures"], facts["steps"]["failed"])
    _slowest(facts["slowest"])
    _size(facts["size"])
    entry("next", facts["next"] or ())


def _run(run: Fact | None, held: Holder | None) -> None:
    if run is None:
        click.echo("never run" + (f"; held by {held}" if held else ""))
        return
    took = f" in {duration(run['seconds'])}" if run["seconds"] is not None else ""
    where = f"{count(run['ranks'], 'rank')} of {run['host']}"
    title(f"Run {run['run']}", run["status"], f"{took} on {where}, revision {run['revision']}")
    if run["status"] == "killed":
        by = f"process {run['pid']} on {run['host']}"
        entry("killed", f"{by} is gone; what had finished is kept, run the script again to go on")
    elif held:
        entry("held by", str(held))
    entry("started", moment(run["started_at"]))
    entry("command", run["command"] or ())
    entry("code", commit(run["git_commit"], run["git_dirty"]))
    entry("by", " ".join(part for part in (run["user"], run["job"] and f"in job {run['job']}") if part))


def _steps(steps: Fact, phases: Sequence[Fact]) -> None:
    if not phases:
        return
    shown = [state for state in STATES if steps[state]]
    heading(f"{count(steps['total'], 'step')}: {', '.join(f'{steps[state]} {state}' for state in shown)}")
    columns = [Column("phase", is_number=True), *(Column(state, is_number=True) for state in shown), Column("")]
    cells = [
        [str(phase["phase"]), *(str(phase[state]) for state in shown), _bar(phase)] for phase in phases[:SHOWN_PHASES]
    ]
    for line in table_lines(cells, columns, room=None):
        click.echo(f"  {line}")
    if len(phases) > SHOWN_PHASES:
        click.echo(f"  and {len(phases) - SHOWN_PHASES} more phases")


def _bar(phase: Fact) -> str:
    """A bar in which even one step of a state shows."""
    parts = []
    for state, sign in BAR_SIGNS.items():
        length = max(1, round(BAR * phase[state] / phase["total"])) if phase[state] else 0
        parts.append(click.style(sign * length, fg=COLOURS[state]) if terminal_width() else sign * length)
    return "".join(parts)


def _failures(failures: Sequence[Fact], number: int) -> None:
    if not failures:
        return
    heading("Failed")
    for failure in failures:
        first = (failure["message"] or "").partition("\n")[0]
        place = f" ({Path(failure['file']).name}:{failure['line']})" if failure["file"] else ""
        said = f"{failure['type']}: {first}{place}"
        click.echo(f"  {one_line(failure['name'])}  {one_line(said)}")
    if number > len(failures):
        click.echo(f"  and {number - len(failures)} more: steps --status failed")


def _slowest(slowest: Sequence[Fact]) -> None:
    if not slowest:
        return
    heading("Slowest")
    columns = [Column("took", is_number=True), Column("name")]
    cells = [[duration(step["seconds"]), one_line(step["name"])] for step in slowest]
    for line in list(table_lines(cells, columns, None))[1:]:
        click.echo(f"  {line}")


def _size(bytes_of: Fact) -> None:
    click.echo()
    objects = f"{count(bytes_of['files'], 'object file')} of {size(bytes_of['objects'])}"
    entry("size", f"index {size(bytes_of['index'])}, {objects}")
