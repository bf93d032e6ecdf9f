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
        "SELECT e.step, e.upstream, e.kind, e.slot FROM steps s JOIN edges e ON e.step = s.id"
        f" WHERE {PRESENT} ORDER BY e.step, e.ordinal",
        {"revision": view.revision},
    )
    return [Edge(*row) for row in rows]
