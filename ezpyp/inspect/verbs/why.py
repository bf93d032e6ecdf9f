"""``why NAME``: what made a step run, or why it did not."""

from collections.abc import Sequence
from dataclasses import asdict
from difflib import unified_diff
from typing import Any

import click

from ezpyp.explain.function_diff import changed_sources
from ezpyp.explain.step_diff import Cause
from ezpyp.inspect.causes import Differ, Known, chain
from ezpyp.inspect.command import example, reads
from ezpyp.inspect.find import find_step, name_words
from ezpyp.inspect.output import code, heading, write_json
from ezpyp.inspect.text import one_line
from ezpyp.inspect.verdict import Verdict, verdict
from ezpyp.store.reader import Reader
from ezpyp.store.rows import StepView


@click.command(epilog=example("cache why gamma"))
@name_words()
@click.option("--run", type=int, help="As it stood after this run.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Text or JSON.")
@reads
def command(reader: Reader, words: tuple[str, ...], run: int | None, form: str) -> None:
    """What made a step run, or fail, or be cached.

    For a step that ran: what differs from the last time it was known. For a cached one: which run made the
    result. For a failed or skipped one: the cause up the chain.
    """
    view = reader.view(run=run)
    step = find_step(reader, words, view).step
    differ = Differ(reader)
    found = verdict(reader, step)
    new = differ.recorded(step.step)
    old = differ.recorded(found.compared_with) if found.compared_with else None
    then, now = _moments(reader, step, found.compared_with, view.run)
    beside = differ.circumstances(old or new, then, new, now)
    if form == "json":
        causes = differ.causes(old, new) if old else []
        write_json(_facts(found, causes, beside, differ.not_tracked(new)))
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


def _facts(
    found: Verdict, causes: Sequence[Cause], beside: Sequence[Cause], not_tracked: tuple[str, ...]
) -> dict[str, Any]:
    return {
        **asdict(found),
        "causes": [asdict(cause) for cause in causes],
        "circumstances": [asdict(cause) for cause in beside],
        "not_tracked": list(not_tracked),
    }


def _print_sources(differ: Differ, old: Known, new: Known) -> None:
    """The recorded sources of what changed, as a diff: the function's own, its helpers', its classes'."""
    before, after = differ.identity(old.function), differ.identity(new.function)
    for name, was, now in changed_sources(before, after) if before and after else ():
        lines = unified_diff(was.splitlines(), now.splitlines(), "before", "now", lineterm="")
        heading(f"Recorded source of {name}")
        code("\n".join(lines), "diff")
