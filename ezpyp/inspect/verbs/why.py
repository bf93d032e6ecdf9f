"""``why NAME``: what made a step run, or why it did not."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from difflib import unified_diff

import click

from ezpyp.explain.function_diff import changed_sources
from ezpyp.inspect.causes import Differ, Known, chain
from ezpyp.inspect.command import example, reads
from ezpyp.inspect.facts import blamed_chain, error_of, live_run, state
from ezpyp.inspect.find import find_step, name_words
from ezpyp.inspect.output import PAGE, code, format_option, heading, one_line, write_json
from ezpyp.store.reader import Reader
from ezpyp.store.rows import Status, StepView

# Why a step runs again that stood so in a run before.
AGAIN: dict[int, str] = {
    Status.FAILED: "it failed in run {}",
    Status.SKIPPED: "it was skipped in run {}",
    Status.RUNNING: "run {} ended while it was running",
}
# States of a step that did not end, and how a sentence on it begins.
UNENDED = {"running": "is running in run {}", "killed": "was killed with run {}; it ran"}


@dataclass(frozen=True, slots=True)
class StepVerdict:
    """Why a step stands as it does, as a word and a sentence.

    ``compared_with`` is the step of that name that was known before, where the key is another one.
    """

    name: str
    run: int | None
    kind: str
    text: str
    compared_with: int | None = None


@click.command(epilog=example("cache why gamma"))
@name_words()
@click.option("--run", type=int, help="As it stood after this run.")
@format_option(*PAGE)
@reads
def why(reader: Reader, words: tuple[str, ...], run: int | None, form: str) -> None:
    """What made a step run, or fail, or be cached.

    For a step that ran: what differs from the last time it was known. For a cached one: which run made the
    result. For a failed or skipped one: the cause up the chain.
    """
    view = reader.view(run=run)
    step = find_step(reader, words, view).step
    differ = Differ(reader)
    found = _verdict(reader, step)
    new = differ.recorded(step.step)
    old = differ.recorded(found.compared_with) if found.compared_with else None
    then, now = _moments(reader, step, found.compared_with, view.run)
    beside = differ.circumstances(old or new, then, new, now)
    if form == "json":
        parts = {"causes": differ.causes(old, new) if old else [], "circumstances": beside}
        lists = {name: [asdict(cause) for cause in causes] for name, causes in parts.items()}
        write_json(asdict(found) | lists | {"not_tracked": list(differ.not_tracked(new))})
        return
    click.echo(one_line(f"{step.name}: {found.text}"))
    for line in chain(differ, old, new) if old else ():
        click.echo(one_line(line))
    if old:
        _print_sources(differ, old, new)
    _listed("Changed as well, but in no key", [cause.text for cause in beside])
    _listed("Not tracked: a change in these is not seen", differ.not_tracked(new))


def _moments(reader: Reader, step: StepView, compared_with: int | None, run: int) -> tuple[int, int]:
    """The runs between which things around a step may have changed: when it was known or computed last, and now."""
    if compared_with is not None:
        now = step.run or run
        query = "SELECT max(run) FROM step_rows WHERE step = ? AND run <= ?"
        return reader.number(query, [compared_with, now]), now
    return reader.number("SELECT run FROM results WHERE id = ?", [step.result_id]) or run, run


def _listed(title: str, lines: Sequence[str]) -> None:
    if lines:
        heading(title)
    for line in lines:
        click.echo(f"  {one_line(line)}")


def _print_sources(differ: Differ, old: Known, new: Known) -> None:
    """The recorded sources of what changed, as a diff: the function's own, its helpers', its classes'."""
    before, after = differ.identity(old.function), differ.identity(new.function)
    for name, was, now in changed_sources(before, after) if before and after else ():
        lines = unified_diff(was.splitlines(), now.splitlines(), "before", "now", lineterm="")
        heading(f"Recorded source of {name}")
        code("\n".join(lines), "diff")


def _verdict(reader: Reader, step: StepView) -> StepVerdict:
    """Why a step stands as it does."""
    earlier = _earlier(reader, step)
    if step.status is Status.SKIPPED:
        return StepVerdict(step.name, step.run, "skipped", _blamed(reader, step))
    if step.status is Status.FAILED:
        return StepVerdict(step.name, step.run, "failed", _failure(reader, step), earlier)
    if step.status is Status.PENDING:
        since = "since it was last known:" if earlier else "nothing of that name ever did"
        return StepVerdict(step.name, None, "pending", f"has not run yet; {since}", earlier)
    if step.cached:
        return _cached(reader, step, earlier)
    return _ran(reader, step, earlier)


def _earlier(reader: Reader, step: StepView) -> int | None:
    """The step of the same name and another key that was known last before this one."""
    until = step.run if step.run is not None else reader.view().run + 1
    found = reader.number(
        "SELECT s.id FROM steps s JOIN step_rows w ON w.step = s.id"
        " WHERE s.name = ? AND s.id <> ? AND w.run < ? ORDER BY w.run DESC, w.status = 0 DESC",
        [step.name, step.step, until],
    )
    return found or None


def _ran(reader: Reader, step: StepView, earlier: int | None) -> StepVerdict:
    unended = state(step, live_run(reader)) if step.status is Status.RUNNING else None
    ran = (UNENDED[unended] if unended else "ran in run {}").format(step.run)
    before = reader.one(
        "SELECT run, status, result FROM step_rows WHERE step = ? AND run < ? ORDER BY run DESC",
        [step.step, step.run],
    )
    if before is not None:
        because = f"{ran}, again: {_again(reader, step, before)}"
        return StepVerdict(step.name, step.run, unended or "again", because)
    if earlier is None:
        return StepVerdict(step.name, step.run, unended or "new", f"{ran}: nothing of that name was known before")
    return StepVerdict(step.name, step.run, unended or "changed", f"{ran}, because since it was last known:", earlier)


def _again(reader: Reader, step: StepView, before: tuple[int, int, int | None]) -> str:
    """Why a step ran although its key had a row."""
    run, status, result = before
    if status in AGAIN:
        return AGAIN[status].format(run)
    damage = reader.one("SELECT reason FROM damages WHERE result = ?", [result])
    if damage:
        return f"its result of run {run} was damaged ({damage[0]})"
    settings = reader.load(reader.must("SELECT settings FROM steps WHERE id = ?", [step.step])[0])
    if settings.get("cache") is False:
        return "cache=False, so it runs in every run"
    return step.reason or f"the values of its upstreams are not those of run {run}"


def _cached(reader: Reader, step: StepView, earlier: int | None) -> StepVerdict:
    run, origin, made_in = reader.must(
        "SELECT r.run, r.origin, o.run FROM results r LEFT JOIN results o ON o.id = r.origin WHERE r.id = ?",
        [step.result_id],
    )
    if origin is None:
        return StepVerdict(step.name, step.run, "cached", f"was cached: run {run} made the result, with the same key")
    text = (
        f"did not run in run {run}: its key is new, but its inputs have the values that run {made_in} had "
        "(early cutoff); since it was last known:"
    )
    return StepVerdict(step.name, step.run, "cutoff", text, earlier)


def _failure(reader: Reader, step: StepView) -> str:
    error = error_of(reader, step)
    if error is None:
        return f"failed in run {step.run}; no error was recorded"
    place = f" ({error['file']}:{error['line']})" if error["file"] else ""
    return f"failed in run {step.run}: {error['type']}: {error['message']}{place}"


def _blamed(reader: Reader, step: StepView) -> str:
    """From a skipped step up to the one that failed."""
    chain = blamed_chain(reader, step)
    skipped = f"was skipped in run {step.run}, because {' <- '.join(chain) or 'something it needs'} failed"
    failed = reader.step(reader.view(run=step.run), "s.name = :name", {"name": chain[-1]}) if chain else None
    return f"{skipped}; {failed.name} {_failure(reader, failed)}" if failed else skipped
