"""The boxes of a graph: a step each, or a function where there are too many."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ezpyp.inspect._edges import edges_of
from ezpyp.inspect._liveness import live_run, state
from ezpyp.inspect._reader import ALL_PRESENT, FROM_STEPS, Columns, Reader, Value
from ezpyp.inspect._rows import Status, View
from ezpyp.inspect._text import count

# More boxes than these cannot be read; then one stands for a function in a phase, or for a whole function.
READABLE = 60
# What matters most first: it colours a box of several steps.
STATES = ("failed", "killed", "running", "skipped", "pending", "done")


@dataclass(slots=True)
class Box:
    """A step, or several.

    Args:
        label: Name of the step or function.
        phase: The lowest of its steps.
        states: How many of its steps are how, in words.
        seconds: That its steps took together.
        needs: Names of the boxes that it needs; the value says whether for a value or only for the order.
    """

    label: str
    phase: int
    states: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    needs: dict[str, bool] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """How many steps it stands for."""
        return sum(self.states.values())

    @property
    def word(self) -> str:
        """The state that matters most."""
        return next(word for word in STATES if self.states[word])

    @property
    def text(self) -> str:
        """Label with the number of steps, where there are several."""
        return self.label if self.total == 1 else f"{self.label} ({count(self.total, 'step')})"


Boxes = dict[str, Box]

BY = ("step", "phase", "function")
# A million steps are summed up by SQLite, as numbers; as rows they would take a minute and a gigabyte.
GROUPS = f"""
SELECT f.name, q.phase, q.status, q.is_live, q.steps, q.seconds FROM (
    SELECT s.function, s.phase, coalesce(w.status, -1) AS status, coalesce(w.run = :live, 0) AS is_live,
        count(*) AS steps, total(w.seconds) AS seconds, min(s.id) AS first FROM {FROM_STEPS} GROUP BY 1, 2, 3, 4
) q JOIN functions f ON f.id = q.function ORDER BY q.phase, q.first
"""
EDGES_OF_GROUPS = f"""
SELECT f.name, q.phase, g.name, q.above, q.for_value FROM (
    SELECT s.function, s.phase, u.function AS other, u.phase AS above, max(e.kind <> 'order') AS for_value
    FROM steps s JOIN step_edges e ON e.step = s.id JOIN steps u ON u.id = e.upstream
    WHERE {ALL_PRESENT} GROUP BY 1, 2, 3, 4
) q JOIN functions f ON f.id = q.function JOIN functions g ON g.id = q.other
"""


def boxes_of(reader: Reader, view: View, by: str | None) -> Boxes:
    """The boxes of a view, in order of phase.

    Args:
        reader: The open cache.
        view: Which steps.
        by: "step", "phase" (a function in a phase) or "function"; None for the finest that can be read.
    """
    if by == "step" or (by is None and _is_readable(reader, view)):
        return _steps(reader, view)
    values: dict[str, Value] = {"run": view.run, "revision": view.revision, "live": live_run(reader)}
    groups, edges = list(reader.ask(GROUPS, values)), list(reader.ask(EDGES_OF_GROUPS, {"revision": view.revision}))
    if by != "function":
        boxes = _groups(groups, edges, "{} @ {}".format)
        if by == "phase" or len(boxes) <= READABLE:
            return boxes
    return _groups(groups, edges, "{}".format)


def _is_readable(reader: Reader, view: View) -> bool:
    query = f"SELECT count(*) FROM (SELECT 1 FROM steps s WHERE {ALL_PRESENT} LIMIT {READABLE + 1})"
    (number,) = reader.must(query, {"revision": view.revision})
    return int(number) <= READABLE


def _steps(reader: Reader, view: View) -> Boxes:
    live, boxes, names = live_run(reader), Boxes(), dict[int, str]()
    for step in reader.steps(view):
        names[step.step] = step.name
        boxes[step.name] = Box(step.name, step.phase, Counter([state(step, live)]), step.seconds or 0.0)
    for edge in edges_of(reader, view):
        if edge.step in names and edge.upstream in names:
            needs, above = boxes[names[edge.step]].needs, names[edge.upstream]
            needs[above] = needs.get(above, False) or edge.kind != "order"
    return boxes


def _groups(groups: list[Columns], edges: list[Columns], name_of: Callable[[str, int], str]) -> Boxes:
    """Steps of a function in a phase, or of a function, as one box each."""
    boxes = Boxes()
    for function, phase, status, is_live, number, seconds in groups:
        box = boxes.setdefault(name_of(function, phase), Box(function, phase))
        word = "killed" if status == Status.RUNNING and not is_live else Status(status).word
        box.states[word] += number
        box.seconds += seconds
    for function, phase, above, above_phase, for_value in edges:
        needs, upstream = boxes[name_of(function, phase)].needs, name_of(above, above_phase)
        needs[upstream] = needs.get(upstream, False) or bool(for_value)
    return boxes
