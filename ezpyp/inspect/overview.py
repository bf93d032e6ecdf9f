"""No verb: what the last run left behind."""

from collections.abc import Sequence
from pathlib import Path

import click

from ezpyp.inspect._liveness import Holder, holder
from ezpyp.inspect._output import COLOURS, Column, table_lines, terminal_width, write_json
from ezpyp.inspect._overview_facts import overview_facts
from ezpyp.inspect._page import commit, entry, heading, title
from ezpyp.inspect._reader import Reader
from ezpyp.inspect._rows import Fact
from ezpyp.inspect._text import count, duration, moment, one_line, size
from ezpyp.inspect._verb import problem

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
