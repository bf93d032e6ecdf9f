"""No verb: what the last run left behind."""

import shlex
from pathlib import Path

import click

from ezpyp.inspect._counts import Phase, phases, phases_of_run, totals
from ezpyp.inspect._liveness import Holder, holder, with_truth
from ezpyp.inspect._output import COLOURS, Column, table_lines, terminal_width
from ezpyp.inspect._page import commit, entry, heading, title
from ezpyp.inspect._reader import FROM_ROWS, Reader
from ezpyp.inspect._rows import Run, Status, View
from ezpyp.inspect._text import count, duration, moment, one_line, size
from ezpyp.inspect._verb import problem
from ezpyp.inspect.du import tree_size

SHOWN_FAILURES = 10
SHOWN_PHASES = 20
SHOWN_SLOWEST = 5
BAR = 30
BAR_SIGNS = {
    Status.DONE: "█", Status.RUNNING: "▓", Status.PENDING: "·", Status.FAILED: "x", Status.SKIPPED: "-",
}  # fmt: skip
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


def overview(reader: Reader) -> None:
    """Print pipeline, last run, counts, failures, the slowest steps, size, and what to ask next."""
    held = holder(reader)
    last = reader.run()
    run = with_truth([last], held)[0] if last else None
    view = reader.view()
    _pipeline(reader, view)
    _run(run, held)
    counted = _steps(reader, view, run)
    failures = _failures(reader, view, totals(counted).get(Status.FAILED, 0))
    _slowest(reader, view, sum(phase.total for phase in counted))
    _size(reader.location)
    _next(reader.location, failures, run)
    if failures or (run is not None and run.status in ("killed", "failed", "interrupted")):
        problem()


def _pipeline(reader: Reader, view: View) -> None:
    pipeline = reader.meta().get("pipeline_id", "?")
    revision = f"revision {view.revision}" if view.revision else "no schema yet"
    click.echo(one_line(f"Pipeline {pipeline!r} @ {reader.location}, {revision}"))


def _run(run: Run | None, held: Holder | None) -> None:
    if run is None:
        click.echo("never run" + (f"; held by {held}" if held and not held.is_dead else ""))
        return
    title(f"Run {run.run}", run.status, f"{_took(run)} on {_where(run)}, revision {run.revision}")
    if run.status == "killed":
        by = f"process {run.pid} on {run.host}"
        entry("killed", f"{by} is gone; what had finished is kept, run the script again to go on")
    elif held is not None and not held.is_dead:
        entry("held by", str(held))
    entry("started", moment(run.started_at))
    entry("command", run.command or ())
    entry("code", commit(run.git_commit, run.git_dirty))
    entry("by", " ".join(part for part in (run.user, run.job and f"in job {run.job}") if part))


def _took(run: Run) -> str:
    return f" in {duration(run.seconds)}" if run.seconds is not None else ""


def _where(run: Run) -> str:
    return f"{count(run.ranks, 'rank')} of {run.host}"


def _steps(reader: Reader, view: View, run: Run | None) -> list[Phase]:
    """Counts by phase and status: as the run wrote them down where there are too many steps to count again."""
    counted: list[Phase] = []
    if run is not None and run.revision == view.revision and run.total > COUNTED:
        counted = phases_of_run(reader, run)
    counted = counted or phases(reader, view)
    if counted:
        words = _words(run)
        heading(_sum(totals(counted), words))
        _phases(counted, words)
    return counted


def _words(run: Run | None) -> dict[Status, str]:
    """A step that was running when its run was killed is not running any more."""
    words = {status: status.word for status in Status}
    if run is not None and run.status != "running":
        words[Status.RUNNING] = "killed"
    return words


def _sum(everything: dict[Status, int], words: dict[Status, str]) -> str:
    parts = ", ".join(f"{number} {words[status]}" for status, number in everything.items())
    return f"{count(sum(everything.values()), 'step')}: {parts}"


def _phases(counted: list[Phase], words: dict[Status, str]) -> None:
    shown = list(totals(counted))
    columns = [
        Column("phase", is_number=True),
        *(Column(words[s], is_number=True) for s in shown),
        Column(""),
    ]
    cells = [
        [str(phase.phase), *(str(phase.counts.get(status, 0)) for status in shown), _bar(phase)]
        for phase in counted[:SHOWN_PHASES]
    ]
    for line in table_lines(cells, columns, room=None):
        click.echo(f"  {line}")
    if len(counted) > SHOWN_PHASES:
        click.echo(f"  and {len(counted) - SHOWN_PHASES} more phases")


def _bar(phase: Phase) -> str:
    """A bar in which even one step of a status shows."""
    parts = []
    for status, sign in BAR_SIGNS.items():
        number = phase.counts.get(status, 0)
        length = max(1, round(BAR * number / phase.total)) if number else 0
        parts.append(click.style(sign * length, fg=COLOURS[status.word]) if terminal_width() else sign * length)
    return "".join(parts)


def _failures(reader: Reader, view: View, number: int) -> list[str]:
    if not number:
        return []
    rows = list(reader.ask(FAILURES, {"run": view.run, "revision": view.revision}))
    heading("Failed")
    for name, kind, message, file, line in rows:
        first = (message or "").partition("\n")[0]
        place = f" ({Path(file).name}:{line})" if file else ""
        click.echo(f"  {one_line(name)}  {one_line(f'{kind}: {first}{place}')}")
    if number > len(rows):
        click.echo(f"  and {number - len(rows)} more: steps --status failed")
    return [row[0] for row in rows]


def _slowest(reader: Reader, view: View, number: int) -> None:
    slowest = SLOWEST.format(least=">= 0.01" if number > COUNTED else "IS NOT NULL")
    rows = list(reader.steps(view, slowest, order=("w.seconds DESC",), limit=SHOWN_SLOWEST, have_run=True))
    if not rows:
        return
    heading("Slowest")
    columns = [Column("took", is_number=True), Column("name")]
    for line in list(table_lines([[duration(row.seconds), one_line(row.name)] for row in rows], columns, None))[1:]:
        click.echo(f"  {line}")


def _size(location: Path) -> None:
    index = sum(file.stat().st_size for file in location.glob("ezpyp.sqlite*"))
    files, total = tree_size(location / "objects")
    click.echo()
    entry("size", f"index {size(index)}, {count(files, 'object file')} of {size(total)}")


def _next(location: Path, failures: list[str], run: Run | None) -> None:
    if run is None:
        return
    verb = f"show {shlex.quote(failures[0])}" if failures else "steps"
    entry("next", f"python -m ezpyp.inspect {shlex.quote(str(location))} {verb}")
