"""The graph as a picture: a column a phase, boxes coloured by status."""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate

from ezpyp.inspect._boxes import STATES, Box, Boxes
from ezpyp.inspect._layout import BOX, Layout, layered
from ezpyp.inspect._palette import FILLS, SIGNS
from ezpyp.inspect._svg import FAINT, Picture, elided, text_width
from ezpyp.inspect._text import duration, one_line

MARGIN, TOP, BETWEEN, PADDING = 24.0, 104.0, 64.0, 12.0
LONGEST_NAME = 40
STROKE = "#9aa4af"


@dataclass(frozen=True, slots=True)
class Frame:
    """Where everything stands: a column's left side and width, a node's height."""

    layout: Layout
    lefts: list[float]
    widths: list[float]

    def right(self, column: int) -> float:
        """Where a column ends."""
        return self.lefts[column] + self.widths[column]

    def height(self, node: int) -> float:
        """The middle of a box."""
        return TOP + self.layout.centres[node]


def picture(boxes: Boxes, title: str) -> Iterable[str]:
    """The lines of an SVG file.

    Args:
        boxes: In order of phase; what needs itself or something later is marked, and has no arrow.
        title: What stands above.
    """
    columns = {phase: number for number, phase in enumerate(sorted({box.phase for box in boxes.values()}))}
    nodes = list(boxes.values())
    edges, backward = _edges(boxes)
    texts = [_texts(box, is_backward=number in backward) for number, box in enumerate(nodes)]
    frame = _frame(layered([columns[box.phase] for box in nodes], [(up, down) for up, down, _ in edges]), texts)
    drawn = Picture()
    for edge, path in zip(edges, frame.layout.paths, strict=True):
        _draw_edge(drawn, frame, [columns[nodes[end].phase] for end in edge[:2]], edge, path)
    for phase, column in columns.items():
        drawn.words(frame.lefts[column], TOP - 14, f"phase {phase}", size=11, fill=FAINT)
        for node in frame.layout.columns[column]:
            _draw_box(drawn, (frame.lefts[column], frame.height(node)), frame.widths[column], texts[node], nodes[node])
    drawn.words(MARGIN, 26, title, size=14, style='font-weight="bold"')
    right = max((frame.right(column) for column in columns.values()), default=0.0)
    wide = max(right, MARGIN + text_width(title, 14), _draw_legend(drawn, nodes, backward))
    return drawn.text(wide + MARGIN, TOP + frame.layout.height + MARGIN, title)


def _frame(layout: Layout, texts: list[tuple[str, str]]) -> Frame:
    """Columns as wide as their widest box, side by side."""
    widths = [max(_width(*texts[node]) for node in column) for column in layout.columns]
    return Frame(layout, list(accumulate((wide + BETWEEN for wide in widths), initial=MARGIN)), widths)


def _edges(boxes: Boxes) -> tuple[list[tuple[int, int, bool]], set[int]]:
    """Arrows to later columns as (from, to, for a value), and the boxes with an arrow that would go back.

    Several steps of a function may need each other; then its box needs itself, or two boxes each other.
    """
    numbers = {name: number for number, name in enumerate(boxes)}
    forward, backward = [], set()
    for name, box in boxes.items():
        for above, for_value in box.needs.items():
            if boxes[above].phase < box.phase:
                forward.append((numbers[above], numbers[name], for_value))
            else:
                backward.add(numbers[name])
    return forward, backward


def _texts(box: Box, *, is_backward: bool) -> tuple[str, str]:
    """Left and right in a box: its name, and how many steps took how long."""
    sign = SIGNS.get(box.word)
    name = elided(one_line(box.label), LONGEST_NAME)
    number = f"\N{MULTIPLICATION SIGN}{box.total}" if box.total > 1 else ""
    took = duration(box.seconds) if box.seconds else ""
    facts = " · ".join(part for part in (number, "↻" if is_backward else "", took) if part)
    return (f"{sign} {name}" if sign else name), facts


def _width(left: str, right: str) -> float:
    return text_width(left) + (text_width(right, 10) + 14 if right else 0) + 2 * PADDING


def _draw_box(drawn: Picture, place: tuple[float, float], wide: float, texts: tuple[str, str], box: Box) -> None:
    x, y = place
    fill, edge = FILLS[box.word]
    left, right = texts
    tip = f"{box.text}: {', '.join(f'{number} {word}' for word, number in box.states.items())}"
    drawn.box(x, y - BOX / 2, (wide, BOX), fill, style=f'rx="5" stroke="{edge}"', tip=tip)
    drawn.words(x + PADDING, y, left, tip=tip)
    drawn.words(x + wide - PADDING, y, right, size=10, fill=FAINT, style='text-anchor="end"')
    if len(box.states) > 1:
        _draw_shares(drawn, (x + 5, y + BOX / 2 - 4), wide - 10, box)


def _draw_shares(drawn: Picture, place: tuple[float, float], wide: float, box: Box) -> None:
    """A bar of the states of several steps; even one of a thousand can be seen."""
    x, y = place
    shares = {word: max(3.0, wide * box.states[word] / box.total) for word in STATES[::-1] if box.states[word]}
    scale = wide / sum(shares.values())
    for word, share in shares.items():
        drawn.box(x, y, (share * scale, 3), FILLS[word][1])
        x += share * scale


def _draw_edge(
    drawn: Picture, frame: Frame, columns: list[int], edge: tuple[int, int, bool], path: list[float]
) -> None:
    """From the right side of a box to the left side of another, straight through the columns between."""
    up, down, for_value = edge
    x, y = frame.right(columns[0]), frame.height(up)
    line = f"M{x:.1f},{y:.1f}"
    for column, centre in zip(range(columns[0] + 1, columns[1]), path, strict=True):
        line += _curve(x, y, frame.lefts[column], TOP + centre) + f" H{frame.right(column):.1f}"
        x, y = frame.right(column), TOP + centre
    end, tip = frame.lefts[columns[1]], frame.height(down)
    line += _curve(x, y, end, tip)
    drawn.line(line, stroke=STROKE, style="" if for_value else 'stroke-dasharray="4 3"')
    drawn.line(f"M{end - 6:.1f},{tip - 3:.1f} L{end:.1f},{tip:.1f} L{end - 6:.1f},{tip + 3:.1f}", stroke=STROKE)


def _curve(x: float, y: float, to_x: float, to_y: float) -> str:
    middle = (x + to_x) / 2
    return f" C{middle:.1f},{y:.1f} {middle:.1f},{to_y:.1f} {to_x:.1f},{to_y:.1f}"


def _draw_legend(drawn: Picture, nodes: list[Box], backward: set[int]) -> float:
    """The states that occur with their numbers, and the signs that need words; where the row ends."""
    totals = {word: sum(box.states[word] for box in nodes) for word in STATES[::-1]}
    signs = {word: f"{SIGNS[word]} " if word in SIGNS else "" for word in totals}
    entries = [(FILLS[word][0], f"{signs[word]}{word} {number}") for word, number in totals.items() if number]
    x = drawn.legend(MARGIN, 50, entries)
    notes = ["dashed: order only"] * any(False in box.needs.values() for box in nodes)
    notes += ["↻ needs steps of its own function, or of a later one"] * bool(backward)
    for note in notes:
        drawn.words(x, 50, note, size=11, fill=FAINT)
        x += text_width(note, 11) + 18
    return x
