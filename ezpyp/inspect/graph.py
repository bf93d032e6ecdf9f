"""``graph``: steps and what they need, as text or as a picture's source."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import click

from ezpyp.inspect._edges import edges_of
from ezpyp.inspect._output import write_json
from ezpyp.inspect._reader import Reader
from ezpyp.inspect._rows import Status, View
from ezpyp.inspect._text import count, one_line
from ezpyp.inspect._verb import reads

# More boxes than these cannot be read; then one box stands for a function in a phase.
READABLE = 60
FORMS = ("text", "mermaid", "dot", "json")
FILL = {
    "done": "#d5f0d5",
    "failed": "#f5c6c6",
    "skipped": "#f5e8b8",
    "pending": "#e8e8f4",
    "running": "#c9e6f5",
}


@dataclass(slots=True)
class Node:
    """A step, or all steps of a function in a phase."""

    label: str
    phase: int
    statuses: Counter[Status] = field(default_factory=Counter)
    above: dict[str, None] = field(default_factory=dict)

    @property
    def word(self) -> str:
        """The status that matters most."""
        worst = (Status.FAILED, Status.RUNNING, Status.SKIPPED, Status.PENDING, Status.DONE)
        return next(status.word for status in worst if self.statuses[status])

    @property
    def text(self) -> str:
        """Label with the number of steps, where there are several."""
        total = sum(self.statuses.values())
        return self.label if total == 1 else f"{self.label} ({count(total, 'step')})"


Nodes = dict[str, Node]


@click.command(epilog="Example: python -m ezpyp.inspect cache graph --format mermaid")
@click.option("--format", "form", type=click.Choice(FORMS), default="text", show_default=True, help="What to write.")
@click.option("--by", type=click.Choice(["step", "function"]), help="A box a step, or a function in a phase.")
@click.option("--revision", type=int, help="Of this revision of the schema.")
@reads
def command(reader: Reader, form: str, by: str | None, revision: int | None) -> None:
    """What needs what, coloured by status.

    Up to 60 steps have a box each; more are grouped by function and phase, unless --by says otherwise.
    """
    view = reader.view(revision=revision)
    nodes = _nodes(reader, view, by)
    if form == "json":
        write_json([_facts(name, node) for name, node in nodes.items()])
        return
    writers = {"text": _text, "mermaid": _mermaid, "dot": _dot}
    for line in writers[form](nodes):
        click.echo(line)


def _nodes(reader: Reader, view: View, by: str | None) -> Nodes:
    steps = list(reader.steps(view))
    grouped = by == "function" or (by is None and len(steps) > READABLE)
    nodes: Nodes = {}
    names: dict[int, str] = {}
    for step in steps:
        names[step.step] = name = f"{step.function} @ {step.phase}" if grouped else step.name
        node = nodes.setdefault(name, Node(step.function if grouped else step.name, step.phase))
        node.statuses[step.status] += 1
    for edge in edges_of(reader, view):
        if edge.step in names and edge.upstream in names:
            nodes[names[edge.step]].above[names[edge.upstream]] = None
    return nodes


def _facts(name: str, node: Node) -> dict[str, object]:
    statuses = {status.word: number for status, number in node.statuses.items()}
    return {"name": name, "phase": node.phase, "steps": statuses, "needs": list(node.above)}


def _text(nodes: Nodes) -> Iterator[str]:
    phase = None
    for node in nodes.values():
        if node.phase != phase:
            phase = node.phase
            yield f"phase {phase}"
        needs = f"  <- {', '.join(nodes[name].text for name in node.above)}" if node.above else ""
        yield one_line(f"  {node.text}  ({_statuses(node)}){needs}")


def _statuses(node: Node) -> str:
    if sum(node.statuses.values()) == 1:
        return node.word
    return ", ".join(f"{number} {status.word}" for status, number in sorted(node.statuses.items()))


def _mermaid(nodes: Nodes) -> Iterator[str]:
    numbers = {name: f"s{number}" for number, name in enumerate(nodes)}
    yield "graph TD"
    for name, node in nodes.items():
        # Mermaid reads "#quot;" as a quotation mark; a bare one would end the label.
        label = one_line(node.text).replace('"', "#quot;")
        yield f'  {numbers[name]}["{label}"]:::{node.word}'
        for above in node.above:
            yield f"  {numbers[above]} --> {numbers[name]}"
    for word, colour in FILL.items():
        yield f"  classDef {word} fill:{colour},stroke:#555,color:#222"


def _dot(nodes: Nodes) -> Iterator[str]:
    numbers = {name: f"s{number}" for number, name in enumerate(nodes)}
    yield "digraph pipeline {"
    yield '  node [shape=box, style="rounded,filled", fontname="sans-serif"];'
    for name, node in nodes.items():
        label = json.dumps(one_line(node.text), ensure_ascii=False)
        yield f'  {numbers[name]} [label={label}, fillcolor="{FILL[node.word]}"];'
        for above in node.above:
            yield f"  {numbers[above]} -> {numbers[name]};"
    yield "}"
