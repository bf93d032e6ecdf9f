"""No verb: what the last run left behind; ``runs``: all of them."""

import shlex
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import click

from ezpyp.inspect.command import example, problem, reads
from ezpyp.inspect.facts import Fact, Holder, holder, with_truth
from ezpyp.inspect.output import (
    COLOURS,
    TABLE,
    Column,
    commit,
    count,
    duration,
    entry,
    format_option,
    heading,
    moment,
    one_line,
    size,
    table_lines,
    terminal_width,
    title,
    typed,
    write_json,
    write_rows,
)
from ezpyp.inspect.verbs.du import index_size, tree_size
from ezpyp.store.reader import FROM_ROWS, Reader
from ezpyp.store.rows import RunView, Status, View
from ezpyp.store.schema_rows import ALL_PRESENT

SHOWN_FAILURES = 10
SHOWN_SLOWEST = 5
SHOWN_PHASES = 20
# Counting a million steps by phase takes 2.4 s; what their run wrote down takes nothing.
COUNTED = 100_000
# A status is looked up in one go, not joined: a third of the time.
STATUS = "(SELECT w.status FROM step_rows w WHERE w.step = s.id AND w.run <= :run ORDER BY w.run DESC LIMIT 1)"
COUNTS = (
    f"SELECT s.phase, coalesce({STATUS}, -1), count(*) FROM steps s WHERE {ALL_PRESENT} GROUP BY 1, 2 ORDER BY 1, 2"
)
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

# Each state with its sign in a bar; the counts stand in the order of BAR_SIGNS in the bar, of STATES above it.
BAR = 30
BAR_SIGNS = {"done": "█", "running": "▓", "killed": "▓", "pending": "·", "failed": "x", "skipped": "-"}
STATES = ("running", "killed", "pending", "done", "failed", "skipped")

RUN_COLUMNS = (
    Column("run", is_number=True),
    Column("revision", is_number=True),
    Column("status"),
    Column("started_at", moment, title="started"),
    Column("seconds", duration, is_number=True, title="took"),
    *(Column(name, is_number=True) for name in ("total", "cached", "done", "failed", "skipped", "ranks")),
    Column("host"),
    Column("command"),
)


@click.command(epilog=example("cache runs --format json"))
@format_option(*TABLE)
@reads
def runs(reader: Reader, form: str) -> None:
    """Every run: when, how long, how it ended.

    A run that is recorded as running while its process is gone was killed. JSON and CSV also have who ran it,
    where, with which Python, and the batch job.
    """
    held = holder(reader)
    rows = (with_truth(run, held)._asdict() for run in reader.runs())
    write_rows(rows, RUN_COLUMNS, form, fields=RunView._fields, empty="no run yet")


def overview(reader: Reader, form: str) -> None:
    """Print pipeline, last run, counts, failures, the slowest steps, size, and what to ask next."""
    held = holder(reader)
    facts = _facts(reader, held)
    if form == "json":
        write_json(facts)
    else:
        _print(facts, held)
    run = facts["run"]
    if facts["failures"] or (run is not None and run["status"] in ("killed", "failed", "interrupted")):
        problem()


def _facts(reader: Reader, held: Holder | None) -> Fact:
    last, view = reader.run(), reader.view()
    run = with_truth(last, held) if last else None
    phases = _phases(reader, view, run)
    steps = {state: sum(int(phase[state]) for phase in phases) for state in ("total", *STATES)}
    failures = _failures(reader, view) if steps["failed"] else []
    files, objects = tree_size(reader.location / "objects")
    return {
        "pipeline": reader.meta().get("pipeline_id"),
        "location": str(reader.location),
        "revision": view.revision,
        "run": run._asdict() if run else None,
        "holder": {name: getattr(held.owner, name) for name in ("host", "pid", "job", "since")}
        | {"heartbeat": held.heartbeat}
        if held and not held.is_dead
        else None,
        "steps": steps,
        "phases": phases,
        "failures": failures,
        "slowest": _slowest(reader, view, steps["total"]),
        "size": {"index": index_size(reader.location), "objects": objects, "files": files},
        "next": _next(reader.location, failures, steps) if run else None,
    }


def _phases(reader: Reader, view: View, run: RunView | None) -> list[Fact]:
    """How many steps of each phase are how: as a large run recorded it at its end, counted otherwise."""
    counts: dict[int, dict[int, int]] = {}
    if run is not None and run.revision == view.revision and run.total > COUNTED:
        counts = _counts_of_run(reader, run)
    if not counts:
        for phase, status, number in reader.ask(COUNTS, {"run": view.run, "revision": view.revision}):
            counts.setdefault(phase, {})[status] = number
    is_running = run is not None and run.status == "running"
    return [{"phase": phase, **_by_state(by_status, is_running=is_running)} for phase, by_status in counts.items()]


def _counts_of_run(reader: Reader, run: RunView) -> dict[int, dict[int, int]]:
    """What a run recorded when it ended; nothing while it goes on."""
    (text,) = reader.must("SELECT phases FROM runs WHERE run = ?", [run.run])
    with reader.translated():
        phases = reader.load(text).items()
        return {int(phase): {int(status): number for status, number in counts.items()} for phase, counts in phases}


def _by_state(by_status: Mapping[int, int], *, is_running: bool) -> dict[str, int]:
    found = {"total": sum(by_status.values()), "killed": 0}
    found |= {status.word: by_status.get(status, 0) for status in Status}
    if not is_running:
        # A step that was running when its run was killed is not running any more.
        found["killed"], found["running"] = found["running"], 0
    return found


def _failures(reader: Reader, view: View) -> list[Fact]:
    rows = reader.ask(FAILURES, {"run": view.run, "revision": view.revision})
    return [dict(zip(("name", "type", "message", "file", "line"), row, strict=True)) for row in rows]


def _slowest(reader: Reader, view: View, number: int) -> list[Fact]:
    slowest = SLOWEST.format(least=">= 0.01" if number > COUNTED else "IS NOT NULL")
    rows = reader.steps(view, slowest, order=("w.seconds DESC",), limit=SHOWN_SLOWEST, have_run=True)
    return [{"name": row.name, "seconds": row.seconds} for row in rows]


def _next(location: Path, failures: Sequence[Fact], steps: Mapping[str, int]) -> str:
    """What to type to see more of what went wrong."""
    killed = " --status killed" if steps["killed"] else ""
    verb = f"show {typed(failures[0]['name'])}" if failures else f"steps{killed}"
    return f"python -m ezpyp.inspect {shlex.quote(str(location))} {verb}"


def _print(facts: Fact, held: Holder | None) -> None:
    revision = f"revision {facts['revision']}" if facts["revision"] else "no schema yet"
    click.echo(one_line(f"Pipeline {facts['pipeline'] or '?'!r} @ {facts['location']}, {revision}"))
    _print_run(facts["run"], held if facts["holder"] else None)
    if facts["phases"]:
        _print_phases(facts["steps"], facts["phases"])
    if facts["failures"]:
        _print_failures(facts["failures"], facts["steps"]["failed"])
    if facts["slowest"]:
        heading("Slowest")
        cells = [[duration(step["seconds"]), one_line(step["name"])] for step in facts["slowest"]]
        _print_table(cells, [Column("took", is_number=True), Column("name")], has_heading=False)
    click.echo()
    space = facts["size"]
    objects = f"{count(space['files'], 'object file')} of {size(space['objects'])}"
    entry("size", f"index {size(space['index'])}, {objects}")
    entry("next", facts["next"] or ())


def _print_run(run: Fact | None, held: Holder | None) -> None:
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


def _print_phases(steps: Fact, phases: Sequence[Fact]) -> None:
    shown = [state for state in STATES if steps[state]]
    heading(f"{count(steps['total'], 'step')}: {', '.join(f'{steps[state]} {state}' for state in shown)}")
    names = ("phase", *shown)
    cells = [[*(str(phase[name]) for name in names), _bar(phase)] for phase in phases[:SHOWN_PHASES]]
    _print_table(cells, [*(Column(name, is_number=True) for name in names), Column("")])
    if len(phases) > SHOWN_PHASES:
        click.echo(f"  and {len(phases) - SHOWN_PHASES} more phases")


def _bar(phase: Fact) -> str:
    """A bar in which even one step of a state shows."""
    parts = []
    for state, sign in BAR_SIGNS.items():
        length = max(1, round(BAR * phase[state] / phase["total"])) if phase[state] else 0
        parts.append(click.style(sign * length, fg=COLOURS[state]) if terminal_width() else sign * length)
    return "".join(parts)


def _print_failures(failures: Sequence[Fact], number: int) -> None:
    heading("Failed")
    for failure in failures:
        first = (failure["message"] or "").partition("\n")[0]
        place = f" ({Path(failure['file']).name}:{failure['line']})" if failure["file"] else ""
        what = f"{failure['type']}: {first}{place}"
        click.echo(f"  {one_line(failure['name'])}  {one_line(what)}")
    if number > len(failures):
        click.echo(f"  and {number - len(failures)} more: steps --status failed")


def _print_table(cells: Iterable[list[str]], columns: Sequence[Column], *, has_heading: bool = True) -> None:
    for line in list(table_lines(list(cells), columns, room=None))[not has_heading :]:
        click.echo(f"  {line}")
