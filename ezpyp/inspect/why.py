"""``why NAME``: what made a step run, or why it did not."""

from collections.abc import Iterator
from dataclasses import asdict
from difflib import unified_diff
from typing import Any

import click

from ezpyp.inspect._causes import Cause, Differ, Recorded
from ezpyp.inspect._facts import unpacked
from ezpyp.inspect._find import find_step, name_words
from ezpyp.inspect._output import write_json
from ezpyp.inspect._page import code, heading
from ezpyp.inspect._reader import Reader
from ezpyp.inspect._text import one_line
from ezpyp.inspect._verb import reads
from ezpyp.inspect._verdict import Verdict, verdict

DEEPEST = 20
SHOWN_CAUSES = 12


@click.command(epilog="Example: python -m ezpyp.inspect cache why gamma")
@name_words()
@click.option("--run", type=int, help="As it stood after this run.")
@click.option("--format", "form", type=click.Choice(["text", "json"]), default="text", help="Text or JSON.")
@reads
def command(reader: Reader, words: tuple[str, ...], run: int | None, form: str) -> None:
    """What made a step run, or fail, or be cached.

    For a step that ran: what differs from the last time it was known. For a cached one: which run made the
    result. For a failed or skipped one: the cause up the chain.
    """
    step = find_step(reader, words, reader.view(run=run)).step
    differ = Differ(reader)
    found = verdict(reader, step)
    new = differ.recorded(step.step)
    old = differ.recorded(found.compared_with) if found.compared_with else None
    causes = differ.causes(old, new) if old else []
    not_tracked = differ.not_tracked(new)
    if form == "json":
        write_json(_facts(found, causes, not_tracked))
        return
    click.echo(one_line(f"{step.name}: {found.text}"))
    for line in _lines(differ, old, new, "  ", {step.step}):
        click.echo(one_line(line))
    if old:
        _print_sources(reader, old, new)
    if not_tracked:
        heading("Not tracked: a change in these is not seen")
        for entry in not_tracked:
            click.echo(f"  {one_line(entry)}")


def _facts(found: Verdict, causes: list[Cause], not_tracked: tuple[str, ...]) -> dict[str, Any]:
    return {**asdict(found), "causes": [asdict(cause) for cause in causes], "not_tracked": list(not_tracked)}


def _lines(differ: Differ, old: Recorded | None, new: Recorded, indent: str, seen: set[int]) -> Iterator[str]:
    """The causes, and below each upstream that changed its own, down to the root."""
    if old is None or len(indent) > 2 * DEEPEST:
        return
    causes = differ.causes(old, new)
    for cause in causes[:SHOWN_CAUSES]:
        yield f"{indent}{cause.text}"
        below = _same_upstream(cause, old, new) if cause.kind == "upstream" else None
        if below is not None and below[1] not in seen:
            seen.add(below[1])
            then, now = map(differ.recorded, below)
            yield from _lines(differ, then, now, indent + "  ", seen)
    if len(causes) > SHOWN_CAUSES:
        yield f"{indent}and {len(causes) - SHOWN_CAUSES} more (--format json has all)"


def _same_upstream(cause: Cause, old: Recorded, new: Recorded) -> tuple[int, int] | None:
    """An upstream that kept its place and its name, but not its key: what it was and what it is."""
    for slot, steps in new.upstream.items():
        before, now = old.upstream.get(slot, {}).get(cause.name), steps.get(cause.name)
        if before and now and before.key != now.key:
            return before.step, now.step
    return None


def _print_sources(reader: Reader, old: Recorded, new: Recorded) -> None:
    """The two recorded sources, as a diff; nothing where one was not recorded."""
    if old.function == new.function:
        return
    sources = [_source(reader, old.function), _source(reader, new.function)]
    if sources[0] and sources[1]:
        lines = unified_diff(sources[0].splitlines(), sources[1].splitlines(), "before", "now", lineterm="")
        if text := "\n".join(lines):
            heading("Recorded sources")
            code(text, "diff")


def _source(reader: Reader, function: int) -> str | None:
    (data,) = reader.must("SELECT source FROM functions WHERE id = ?", [function])
    return unpacked(data)
