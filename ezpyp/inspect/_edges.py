"""The dependencies of a view."""

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


# SQLite goes from edge to edge by itself: of a million steps, those that one step has to do with are few.
_UP = """
WITH RECURSIVE near(id) AS (VALUES (:step) UNION SELECT e.upstream FROM near JOIN step_edges e ON e.step = near.id)
SELECT e.step, e.upstream, e.kind, e.slot FROM near JOIN step_edges e ON e.step = near.id ORDER BY e.step, e.ordinal
"""
_BELOW = f"JOIN step_edges e ON e.upstream = near.id JOIN steps s ON s.id = e.step WHERE {PRESENT}"
_DOWN = f"""
WITH RECURSIVE near(id) AS (VALUES (:step) UNION SELECT e.step FROM near {_BELOW})
SELECT e.step, e.upstream, e.kind, e.slot FROM near {_BELOW} ORDER BY e.step, e.ordinal
"""


def reached_up(reader: Reader, step: int) -> list[Edge]:
    """All edges above a step, to the steps without upstream."""
    return [Edge(*row) for row in reader.ask(_UP, {"step": step})]


def reached_down(reader: Reader, view: View, step: int) -> list[Edge]:
    """All edges below a step that a view has."""
    return [Edge(*row) for row in reader.ask(_DOWN, {"step": step, "revision": view.revision})]
