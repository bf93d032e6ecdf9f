"""The dependencies of a view."""

import json
from dataclasses import dataclass

from ezpyp.inspect._reader import PRESENT, Reader
from ezpyp.inspect._rows import View


@dataclass(frozen=True, slots=True)
class Edge:
    """A step needs another: its value at a slot, or only that it is done (kind ``order``)."""

    step: int
    upstream: int
    kind: str
    slot: str


def edges_of(reader: Reader, view: View) -> list[Edge]:
    """All edges between steps of a view.

    A step that is in a revision has all its upstreams there: one key holds the others.
    """
    rows = reader.ask(
        "SELECT e.step, e.upstream, e.kind, e.slot FROM steps s JOIN step_edges e ON e.step = s.id"
        f" WHERE {PRESENT} ORDER BY e.step, e.ordinal",
        {"revision": view.revision},
    )
    return [Edge(*row) for row in rows]


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


def reached_up(reader: Reader, step: int) -> list[Edge]:
    """All edges above a step, to the steps without upstream."""
    return [Edge(*row) for row in reader.ask(_UP, {"step": step})]


def reached_down(reader: Reader, view: View, step: int) -> list[Edge]:
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
