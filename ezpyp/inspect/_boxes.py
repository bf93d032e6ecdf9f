"""The boxes of a graph: a step each, or a function where there are too many."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from ezpyp.inspect._edges import Edge, edges_of
from ezpyp.inspect._liveness import live_run, state
from ezpyp.inspect._reader import Reader
from ezpyp.inspect._rows import StepRow, View
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
Naming = Callable[[StepRow], str]

NAMINGS: dict[str, Naming] = {
    "step": lambda step: step.name,
    "phase": lambda step: f"{step.function} @ {step.phase}",
    "function": lambda step: step.function,
}


def boxes_of(reader: Reader, view: View, by: str | None) -> Boxes:
    """The boxes of a view, in order of phase.

    Args:
        reader: The open cache.
        view: Which steps.
        by: "step", "phase" (a function in a phase) or "function"; None for the finest that can be read.
    """
    steps, edges = list(reader.steps(view)), edges_of(reader, view)
    by = by or next((by for by, name in NAMINGS.items() if len(set(map(name, steps))) <= READABLE), "function")
    return _boxes(steps, edges, by, live_run(reader))


def _boxes(steps: list[StepRow], edges: list[Edge], by: str, live: int | None) -> Boxes:
    name_of, boxes, names = NAMINGS[by], Boxes(), dict[int, str]()
    for step in steps:
        names[step.step] = name = name_of(step)
        label = step.name if by == "step" else step.function
        box = boxes.setdefault(name, Box(label, step.phase))
        box.states[state(step, live)] += 1
        box.seconds += step.seconds or 0.0
    for edge in edges:
        if edge.step in names and edge.upstream in names:
            needs, name = boxes[names[edge.step]].needs, names[edge.upstream]
            needs[name] = needs.get(name, False) or edge.kind != "order"
    return boxes
