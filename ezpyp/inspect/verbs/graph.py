"""``graph``: steps and what they need, as text or as a picture."""

import json
from collections.abc import Iterable, Iterator
from html import escape

import click

from ezpyp.inspect.command import example, reads
from ezpyp.inspect.output import count, fitted, format_option, one_line, write_json
from ezpyp.inspect.svg.graph import BY, Box, Boxes, boxes_of, picture
from ezpyp.inspect.svg.picture import FILLS
from ezpyp.store.reader import Reader
from ezpyp.store.rows import View

# Mermaid takes a label for HTML, or for Markdown between backticks, and writes a character by its number as "#60;".
MERMAID = {ord(sign): f"#{ord(sign)};" for sign in '"#&<>`\\'}


@click.command(epilog=example("cache graph --format svg > graph.svg"))
@format_option("text", "mermaid", "dot", "svg", "json")
@click.option("--by", type=click.Choice(BY), help="A box for each step, function in a phase, or function.")
@click.option("--revision", type=int, help="Of this revision of the schema.")
@reads
def graph(reader: Reader, form: str, by: str | None, revision: int | None) -> None:
    """What needs what, coloured by status.

    Without --by, the finest of them that gives at most 60 boxes. No other program is needed for svg; mermaid
    and dot are sources of pictures.
    """
    view = reader.view(revision=revision)
    boxes = boxes_of(reader, view, by)
    if form == "json":
        write_json([_facts(name, box) for name, box in boxes.items()])
        return
    sources = {"text": _text, "mermaid": _mermaid, "dot": _dot}
    for line in _svg(reader, view, boxes) if form == "svg" else sources[form](boxes):
        click.echo(line)


def _facts(name: str, box: Box) -> dict[str, object]:
    needs = list(box.needs)
    return {"name": name, "phase": box.phase, "steps": dict(box.states), "seconds": box.seconds, "needs": needs}


def _svg(reader: Reader, view: View, boxes: Boxes) -> Iterable[str]:
    total = sum(box.total for box in boxes.values())
    pipeline = reader.meta().get("pipeline_id", "?")
    return picture(boxes, one_line(f"{pipeline}: {count(total, 'step')}, revision {view.revision}"))


def _text(boxes: Boxes) -> Iterator[str]:
    phase = None
    for box in boxes.values():
        if box.phase != phase:
            phase = box.phase
            yield f"phase {phase}"
        needs = f"  <- {', '.join(boxes[name].text for name in box.needs)}" if box.needs else ""
        yield from fitted(one_line(f"  {box.text}  ({_states(box)}){needs}"))


def _states(box: Box) -> str:
    if box.total == 1:
        return box.word
    return ", ".join(f"{number} {word}" for word, number in sorted(box.states.items()))


def _mermaid(boxes: Boxes) -> Iterator[str]:
    numbers = {name: f"s{number}" for number, name in enumerate(boxes)}
    yield "graph LR"
    for name, box in boxes.items():
        label = one_line(box.text).translate(MERMAID)
        yield f'  {numbers[name]}["{label}"]:::{box.word}'
        for above, for_value in box.needs.items():
            yield f"  {numbers[above]} {'-->' if for_value else '-.->'} {numbers[name]}"
    for word, (fill, edge) in FILLS.items():
        yield f"  classDef {word} fill:{fill},stroke:{edge},color:#24292f"


def _dot(boxes: Boxes) -> Iterator[str]:
    numbers = {name: f"s{number}" for number, name in enumerate(boxes)}
    yield "digraph pipeline {"
    yield '  rankdir=LR; node [shape=box, style="rounded,filled", fontname="sans-serif"];'
    for name, box in boxes.items():
        label = json.dumps(escape(one_line(box.text), quote=False), ensure_ascii=False)
        fill, edge = FILLS[box.word]
        yield f'  {numbers[name]} [label={label}, fillcolor="{fill}", color="{edge}"];'
        for above, for_value in box.needs.items():
            yield f"  {numbers[above]} -> {numbers[name]}{'' if for_value else ' [style=dashed]'};"
    yield "}"
