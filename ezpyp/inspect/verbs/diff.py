"""``diff REV1 REV2``: what changed between two revisions, grouped by cause."""

from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import click

from ezpyp.explain.step_diff import Cause, Changed
from ezpyp.inspect.causes import Differ, by_cause
from ezpyp.inspect.command import example, reads
from ezpyp.inspect.output import PAGE, count, format_option, heading, one_line, write_json
from ezpyp.store.reader import Reader
from ezpyp.store.schema_rows import ALL_PRESENT

SHOWN_NAMES = 5


@dataclass(slots=True)
class RevisionDifference:
    """Steps that came, went, and changed; the latter with their causes, and with the upstreams that changed."""

    added: list[str]
    removed: list[str]
    changed: dict[str, list[Cause]] = field(default_factory=dict)
    followed: dict[str, list[Changed]] = field(default_factory=dict)


@click.command(epilog=example("cache diff 1 2"))
@click.argument("revisions", metavar="[REV1 [REV2]]", nargs=-1, type=int)
@format_option(*PAGE)
@reads
def diff(reader: Reader, revisions: tuple[int, ...], form: str) -> None:
    """What changed between two revisions, by cause.

    By default the newest and the one before; with one number, that one and the newest.
    """
    if len(revisions) > 2:
        raise click.UsageError("give at most two revisions")
    newest = reader.view().revision
    first, second = (*revisions, newest)[:2] if revisions else (max(newest - 1, 0), newest)
    for number in (first, second):
        if number:
            reader.view(revision=number)
    found = compare(reader, first, second)
    if form == "json":
        changed = {name: [asdict(cause) for cause in causes] for name, causes in found.changed.items()}
        ends = {"from": first, "to": second}
        write_json(ends | {"added": found.added, "removed": found.removed, "changed": changed})
    else:
        _print(found, first, second)


def compare(reader: Reader, first: int, second: int) -> RevisionDifference:
    """The difference of two revisions; revision 0 has no steps."""
    before, after = _steps(reader, first), _steps(reader, second)
    differ = Differ(reader)
    found = RevisionDifference([n for n in after if n not in before], [n for n in before if n not in after])
    of_functions: dict[tuple[int, int], list[Cause]] = {}
    for name, new in after.items():
        old = before.get(name, new)
        if old.id == new.id:
            continue
        # Of a sweep whose function alone was edited one step says it for all: 0.1 ms for each of 100,000 would be 10 s.
        functions = (old.function, new.function) if old.rest == new.rest and not (old.edges or new.edges) else None
        if functions in of_functions:
            found.changed[name], found.followed[name] = of_functions[functions], []
            continue
        pair = differ.recorded(old.id), differ.recorded(new.id)
        found.changed[name], found.followed[name] = differ.causes(*pair), differ.followed(*pair)
        if functions and all(cause.kind != "unknown" for cause in found.changed[name]):  # that names the step
            of_functions[functions] = found.changed[name]
    return found


class _Step(NamedTuple):
    """A step of a revision; `rest` is what its key holds besides its function and its upstreams."""

    id: int
    function: int
    edges: int
    rest: tuple[str, ...]


def _steps(reader: Reader, revision: int) -> dict[str, _Step]:
    query = (
        "SELECT s.name, s.id, s.function, EXISTS (SELECT 1 FROM step_edges e WHERE e.step = s.id), s.codec, s.params,"
        f" s.settings FROM steps s WHERE {ALL_PRESENT} ORDER BY s.phase, s.id"
    )
    rows = reader.ask(query, {"revision": revision})
    return {name: _Step(step, function, edges, tuple(rest)) for name, step, function, edges, *rest in rows}


def _print(found: RevisionDifference, first: int, second: int) -> None:
    click.echo(
        f"Revision {first} -> {second}: {len(found.added)} added, {len(found.removed)} left out, "
        f"{len(found.changed)} changed"
    )
    for text, names in by_cause(found.changed, found.followed):
        more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
        click.echo(one_line(f"  {text}: {count(len(names), 'step')}: {', '.join(names[:SHOWN_NAMES])}{more}"))
    for label, names in (("Added", found.added), ("Left out", found.removed)):
        if names:
            heading(f"{label}: {count(len(names), 'step')}")
            for name in names[: 4 * SHOWN_NAMES]:
                click.echo(f"  {one_line(name)}")
            if len(names) > 4 * SHOWN_NAMES:
                click.echo(f"  and {len(names) - 4 * SHOWN_NAMES} more (--format json has all)")
