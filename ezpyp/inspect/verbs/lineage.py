"""``lineage NAME``: what a step was made from, and what was made from it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import click

from ezpyp.inspect.command import example, reads
from ezpyp.inspect.facts import live_run, state
from ezpyp.inspect.find import find_step, name_words
from ezpyp.inspect.output import PAGE, format_option, one_line, write_json_rows
from ezpyp.store.reader import Reader
from ezpyp.store.rows import Edge, StepView, View
from ezpyp.store.schema_rows import PRESENT

SHOWN_CHILDREN = 12
DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Tree:
    """The neighbours of every step, in one direction."""

    arrow: str
    children: dict[int, list[Edge]]
    steps: dict[int, StepView]
    live: int | None

    def line(self, edge: Edge, other: int) -> str:
        """A step with how it stands and where the edge goes."""
        step = self.steps[other]
        where = "order only" if edge.kind == "order" else edge.slot
        return f"{self.arrow} {step.name}  ({state(step, self.live)}, {where})"


@click.command(epilog=example("cache lineage gamma --up"))
@name_words()
@click.option("--up", is_flag=True, help="Only what it was made from.")
@click.option("--down", is_flag=True, help="Only what was made from it.")
@format_option(*PAGE)
@reads
def lineage(reader: Reader, words: tuple[str, ...], up: bool, down: bool, form: str) -> None:
    """What a step was made from, and what was made from it.

    JSON has one row an edge: direction, depth, from, to, kind, slot.
    """
    found = find_step(reader, words, reader.view())
    trees = _trees(reader, found.view, found.step.step, up=up or not down, down=down or not up)
    if form == "json":
        write_json_rows(row for tree in trees for row in _rows(tree, found.step.step))
        return
    click.echo(f"{one_line(found.step.name)}  ({state(found.step, live_run(reader))})")
    for tree in trees:
        for line in _lines(tree, found.step.step, "", set()):
            click.echo(one_line(line))


def _trees(reader: Reader, view: View, step: int, *, up: bool, down: bool) -> list[Tree]:
    live = live_run(reader)
    asked = [("<-", _reached_up(reader, step))] if up else []
    asked += [("->", _reached_down(reader, view, step))] if down else []
    trees = []
    for arrow, edges in asked:
        children: dict[int, list[Edge]] = {}
        for edge in edges:
            children.setdefault(edge.step if arrow == "<-" else edge.upstream, []).append(edge)
        numbers = {step, *(number for edge in edges for number in (edge.step, edge.upstream))}
        where, values = "s.id IN (SELECT value FROM json_each(:numbers))", {"numbers": json.dumps(sorted(numbers))}
        trees.append(Tree(arrow, children, {row.step: row for row in reader.steps(view, where, dict(values))}, live))
    return trees


def _other(tree: Tree, edge: Edge) -> int:
    return edge.upstream if tree.arrow == "<-" else edge.step


def _lines(tree: Tree, step: int, indent: str, seen: set[int]) -> Iterator[str]:
    """The tree below a step, at most ``DEEPEST`` levels; a step that stands there already is not opened again."""
    edges = tree.children.get(step, [])
    for edge in edges[:SHOWN_CHILDREN]:
        other = _other(tree, edge)
        text = f"{indent}  {tree.line(edge, other)}"
        if other in seen:
            yield f"{text}  (see above)"
            continue
        yield text
        if tree.children.get(other):
            seen.add(other)
            if len(indent) == 2 * (DEEPEST - 1):
                yield f"{indent}    {tree.arrow} and so on (--format json has all)"
            else:
                yield from _lines(tree, other, indent + "  ", seen)
    if len(edges) > SHOWN_CHILDREN:
        yield f"{indent}  {tree.arrow} and {len(edges) - SHOWN_CHILDREN} more"


def _rows(tree: Tree, step: int) -> Iterator[dict[str, object]]:
    """Edges by distance, each once."""
    direction = "up" if tree.arrow == "<-" else "down"
    level, seen, depth = [step], {step}, 0
    while level:
        depth += 1
        edges = [edge for near in level for edge in tree.children.get(near, [])]
        level = []
        for edge in edges:
            ends = {"from": tree.steps[edge.upstream].name, "to": tree.steps[edge.step].name}
            yield {"direction": direction, "depth": depth, **ends, "kind": edge.kind, "slot": edge.slot}
            if (other := _other(tree, edge)) not in seen:
                seen.add(other)
                level.append(other)


# Upwards SQLite goes from edge to edge by itself: of a million steps, few are touched. Downwards there is no index,
# and its recursion would look at all edges again for each step of a chain (10,000 steps: minutes).
_UP = """
WITH RECURSIVE near(id) AS (VALUES (:step) UNION SELECT e.upstream FROM near JOIN step_edges e ON e.step = near.id)
SELECT e.step, e.upstream, e.kind, e.slot FROM near JOIN step_edges e ON e.step = near.id ORDER BY e.step, e.ordinal
"""
_DOWN = f"""
SELECT e.step, e.upstream, e.kind, e.slot FROM step_edges e JOIN steps s ON s.id = e.step
WHERE e.step IN (SELECT value FROM json_each(:steps)) AND {PRESENT} ORDER BY e.step, e.ordinal
"""


def _reached_up(reader: Reader, step: int) -> list[Edge]:
    """All edges above a step, to the steps without upstream."""
    return [Edge(*row) for row in reader.ask(_UP, {"step": step})]


def _reached_down(reader: Reader, view: View, step: int) -> list[Edge]:
    """All edges below a step that a view has."""
    below: dict[int, list[int]] = {}
    for lower, upper in reader.ask("SELECT step, upstream FROM step_edges"):
        below.setdefault(upper, []).append(lower)
    reached, level = {step}, {step}
    while level:
        level = {lower for upper in level for lower in below.get(upper, ())} - reached
        reached.update(level)
    rows = reader.ask(_DOWN, {"steps": json.dumps(sorted(reached)), "revision": view.revision})
    return [Edge(*row) for row in rows if row[1] in reached]
