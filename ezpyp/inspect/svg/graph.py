"""The graph as a picture: a column a phase, boxes coloured by status."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, pairwise

from ezpyp.inspect.facts import live_run
from ezpyp.inspect.output import count, duration, one_line
from ezpyp.inspect.svg.picture import FAINT, FILLS, SIGNS, Picture, elided, text_width
from ezpyp.store.reader import FROM_STEPS, Columns, Reader, Value
from ezpyp.store.rows import Status, View
from ezpyp.store.schema_rows import ALL_PRESENT, PRESENT

# More boxes than these cannot be read; then one stands for a function in a phase, or for a whole function.
READABLE = 60
# What matters most first: it colours a box of several steps.
STATES = ("failed", "killed", "running", "skipped", "pending", "done")


@dataclass(slots=True)
class Box:
    """A step or several: the lowest phase, how many are in each state, and the boxes that it needs.

    The value of a need says whether it is for a value, or only for the order.
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
# Steps and the edges between them: their name, phase, status, whether that is of the run that goes on, number, seconds.
STEPS = f"""
SELECT s.name, s.phase, coalesce(w.status, -1), coalesce(w.run = :live, 0), 1, total(w.seconds)
FROM {FROM_STEPS} GROUP BY s.id ORDER BY s.phase, s.id
"""
# A step that is in a revision has all its upstreams there: one key holds the others.
EDGES = f"""
SELECT s.name, s.phase, u.name, u.phase, e.kind <> 'order'
FROM steps s JOIN step_edges e ON e.step = s.id JOIN steps u ON u.id = e.upstream
WHERE {PRESENT} ORDER BY e.step, e.ordinal
"""
# The same of functions. A million steps are summed up by SQLite, as numbers; as rows they would take a minute and a
# gigabyte.
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
    """The boxes of a view in order of phase: steps, functions in a phase or functions, by default the finest."""
    values: dict[str, Value] = {"run": view.run, "revision": view.revision, "live": live_run(reader)}

    def asked(steps: str, edges: str) -> tuple[list[Columns], list[Columns]]:
        return list(reader.ask(steps, values)), list(reader.ask(edges, {"revision": view.revision}))

    if by == "step" or (by is None and _is_readable(reader, view)):
        return _boxes(*asked(STEPS, EDGES), "{}".format)
    groups = asked(GROUPS, EDGES_OF_GROUPS)
    boxes = _boxes(*groups, "{} @ {}".format)
    return boxes if by == "phase" or (by is None and len(boxes) <= READABLE) else _boxes(*groups, "{}".format)


def _is_readable(reader: Reader, view: View) -> bool:
    query = f"SELECT count(*) FROM (SELECT 1 FROM steps s WHERE {ALL_PRESENT} LIMIT {READABLE + 1})"
    (number,) = reader.must(query, {"revision": view.revision})
    return int(number) <= READABLE


def _boxes(steps: list[Columns], edges: list[Columns], name_of: Callable[[str, int], str]) -> Boxes:
    boxes = Boxes()
    for label, phase, status, is_live, number, seconds in steps:
        box = boxes.setdefault(name_of(label, phase), Box(label, phase))
        box.states["killed" if status == Status.RUNNING and not is_live else Status(status).word] += number
        box.seconds += seconds
    for label, phase, above, above_phase, for_value in edges:
        needs, upstream = boxes[name_of(label, phase)].needs, name_of(above, above_phase)
        needs[upstream] = needs.get(upstream, False) or bool(for_value)
    return boxes


SWEEPS = 8
BOX, LANE = 30.0, 10.0
GAP = 10.0


Pair = tuple[list[int], list[int]]


@dataclass(frozen=True, slots=True)
class Layout:
    """Places in a graph: the nodes of each column from top to bottom, the height of each node's middle from 0 down.

    ``paths`` has for each edge the heights at which it passes the columns between its ends.
    """

    columns: list[list[int]]
    centres: list[float]
    paths: list[list[float]]
    height: float


@dataclass(slots=True)
class _Graph:
    """The nodes, and a lane for each column that an edge only passes; edges join neighbouring columns."""

    layers: list[int] = field(default_factory=list)
    sizes: list[float] = field(default_factory=list)
    above: list[list[int]] = field(default_factory=list)
    below: list[list[int]] = field(default_factory=list)

    def add(self, layer: int, size: float) -> int:
        self.layers.append(layer)
        self.sizes.append(size)
        self.above.append([])
        self.below.append([])
        return len(self.layers) - 1

    def join(self, up: int, down: int) -> None:
        self.below[up].append(down)
        self.above[down].append(up)


def layered(layers: Sequence[int], edges: Sequence[tuple[int, int]]) -> Layout:
    """Lay a graph out, in a column for each layer."""
    graph = _Graph()
    for layer in layers:
        graph.add(layer, BOX)
    lanes = _lanes(graph, edges)
    columns: list[list[int]] = [[] for _ in range(max(layers, default=-1) + 1)]
    for node, layer in enumerate(graph.layers):
        columns[layer].append(node)
    _order(graph, columns)
    centres = _heights(graph, columns)
    top = min((centre - BOX / 2 for centre in centres), default=0.0)
    centres = [centre - top for centre in centres]
    boxes = [[node for node in column if node < len(layers)] for column in columns]
    paths = [[centres[lane] for lane in path] for path in lanes]
    return Layout(boxes, centres[: len(layers)], paths, max((c + BOX / 2 for c in centres), default=0.0))


def _lanes(graph: _Graph, edges: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Give edges that pass columns a lane in each; edges from one node share them."""
    trunks: dict[int, list[int]] = {}
    paths = []
    for up, down in edges:
        trunk = trunks.setdefault(up, [])
        passed = graph.layers[down] - graph.layers[up] - 1
        while len(trunk) < passed:
            lane = graph.add(graph.layers[up] + len(trunk) + 1, LANE)
            graph.join(trunk[-1] if trunk else up, lane)
            trunk.append(lane)
        graph.join(trunk[passed - 1] if passed else up, down)
        paths.append(trunk[:passed])
    return paths


def _order(graph: _Graph, columns: list[list[int]]) -> None:
    """Sort each column by the mean place of what its nodes are joined to, forth and back."""
    for near, pairs in _sweeps(graph, columns):
        for column, before in pairs:
            place = {node: number / len(before) for number, node in enumerate(before)}
            own = {node: number / len(column) for number, node in enumerate(column)}
            means = {node: _mean([place[other] for other in near[node]], own[node]) for node in column}
            column.sort(key=means.__getitem__)


def _heights(graph: _Graph, columns: list[list[int]]) -> list[float]:
    """Move each node towards the middle of what it is joined to, as far as its column has room."""
    centres = [0.0] * len(graph.layers)
    for column in columns:
        _set_apart(graph, centres, column, [0.0] * len(column))
    for near, pairs in _sweeps(graph, columns):
        for column, _ in pairs:
            wanted = [_mean([centres[other] for other in near[node]], centres[node]) for node in column]
            _set_apart(graph, centres, column, wanted)
    return centres


def _sweeps(graph: _Graph, columns: list[list[int]]) -> Iterator[tuple[list[list[int]], Iterable[Pair]]]:
    """Forth and back: what the nodes are joined to on that side, and each column with the one placed before it."""
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        walk = columns if forth else columns[::-1]
        yield graph.above if forth else graph.below, zip(walk[1:], walk, strict=False)


def _set_apart(graph: _Graph, centres: list[float], column: list[int], wanted: list[float]) -> None:
    """Places near the wanted ones, in order and without overlap.

    Pushing everything down until nothing overlaps is one solution, pushing everything up another; the mean of two
    solutions overlaps nowhere either, and leans to neither side.
    """
    distances = [(graph.sizes[a] + graph.sizes[b]) / 2 + GAP for a, b in pairwise(column)]
    down, up = list(wanted), list(wanted)
    for number, distance in enumerate(distances, 1):
        down[number] = max(down[number], down[number - 1] + distance)
    for number in range(len(distances) - 1, -1, -1):
        up[number] = min(up[number], up[number + 1] - distances[number])
    for node, low, high in zip(column, down, up, strict=True):
        centres[node] = (low + high) / 2


def _mean(values: list[float], otherwise: float) -> float:
    return sum(values) / len(values) if values else otherwise


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
    """The lines of an SVG file; a box that needs itself or something later is marked, and has no arrow."""
    columns = {phase: number for number, phase in enumerate(sorted({box.phase for box in boxes.values()}))}
    nodes = list(boxes.values())
    edges, backward = _edges(boxes)
    texts = [_texts(box, is_backward=number in backward) for number, box in enumerate(nodes)]
    frame = _frame(layered([columns[box.phase] for box in nodes], [(up, down) for up, down, _ in edges]), texts)
    drawn = Picture()
    for edge, path in zip(edges, frame.layout.paths, strict=True):
        _draw_edge(drawn, frame, [columns[nodes[end].phase] for end in edge[:2]], edge, path)
    for phase, column in columns.items():
        drawn.write(frame.lefts[column], TOP - 14, f"phase {phase}", size=11, fill=FAINT)
        for node in frame.layout.columns[column]:
            _draw_box(drawn, (frame.lefts[column], frame.height(node)), frame.widths[column], texts[node], nodes[node])
    drawn.write(MARGIN, 26, title, size=14, style='font-weight="bold"')
    right = max((frame.right(column) for column in columns.values()), default=0.0)
    wide = max(right, MARGIN + text_width(title, 14), _draw_legend(drawn, nodes, backward))
    return drawn.file(wide + MARGIN, TOP + frame.layout.height + MARGIN, title)


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
    drawn.write(x + PADDING, y, left, tip=tip)
    drawn.write(x + wide - PADDING, y, right, size=10, fill=FAINT, style='text-anchor="end"')


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
    """The states that occur with their numbers, and the signs that need an explanation; where the row ends."""
    totals = {word: sum(box.states[word] for box in nodes) for word in STATES[::-1]}
    signs = {word: f"{SIGNS[word]} " if word in SIGNS else "" for word in totals}
    entries = [(FILLS[word][0], f"{signs[word]}{word} {number}") for word, number in totals.items() if number]
    x = drawn.legend(MARGIN, 50, entries)
    notes = ["dashed: order only"] * any(False in box.needs.values() for box in nodes)
    notes += ["↻ needs steps of its own function, or of a later one"] * bool(backward)
    for note in notes:
        drawn.write(x, 50, note, size=11, fill=FAINT)
        x += text_width(note, 11) + 18
    return x
