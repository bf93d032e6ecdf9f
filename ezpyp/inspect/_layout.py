"""Where the boxes of a layered graph stand: columns from left to right, few crossings, nothing on top of another.

Phases are layers already, which leaves the easy half of Sugiyama's method (K. Sugiyama, S. Tagawa, M. Toda,
"Methods for visual understanding of hierarchical system structures", 1981): order within the layers, and heights.
The one pure-Python library that does it (grandalf) has had no release since 2023; what is needed here is this page.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import pairwise

SWEEPS = 8
BOX, LANE = 30.0, 10.0
GAP = 10.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Places in a graph of n nodes.

    Args:
        columns: The nodes of each column, from top to bottom.
        centres: Height of the middle of each node, shape (n,), from 0 down.
        paths: For each edge the heights at which it passes the columns between its ends.
        height: Of the whole picture.
    """

    columns: list[list[int]]
    centres: list[float]
    paths: list[list[float]]
    height: float


@dataclass(slots=True)
class _Graph:
    """The nodes, and a lane for each column that an edge only passes; edges join neighbouring columns."""

    layers: list[int]
    sizes: list[float]
    above: list[list[int]] = field(default_factory=list)
    below: list[list[int]] = field(default_factory=list)

    def add(self, layer: int, size: float) -> int:
        self.layers.append(layer)
        self.sizes.append(size)
        self.above.append([])
        self.below.append([])
        return len(self.layers) - 1

    def is_joined(self, node: int) -> bool:
        return bool(self.above[node] or self.below[node])

    def join(self, up: int, down: int) -> None:
        self.below[up].append(down)
        self.above[down].append(up)


def layered(layers: Sequence[int], edges: Sequence[tuple[int, int]]) -> Layout:
    """Lay a graph out.

    Args:
        layers: Column of each node, shape (n,), without an empty column.
        edges: Pairs of nodes, each to a later column.

    Example:
        >>> layout = layered([0, 0, 1], [(0, 2), (1, 2)])
        >>> layout.columns, layout.centres
        ([[0, 1], [2]], [15.0, 55.0, 35.0])
    """
    graph = _Graph([], [])
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
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        near = graph.above if forth else graph.below
        for column, before in _pairs(columns, forth=forth):
            place = {node: number / len(before) for number, node in enumerate(before)}
            own = {node: number / len(column) for number, node in enumerate(column)}
            means = {node: _mean([place[other] for other in near[node]], own[node]) for node in column}
            # What is joined to nothing goes below the rest.
            column.sort(key=lambda node: (not graph.is_joined(node), means[node]))


def _heights(graph: _Graph, columns: list[list[int]]) -> list[float]:
    """Move each node towards the middle of what it is joined to, as far as its column has room."""
    centres = [0.0] * len(graph.layers)
    for column in columns:
        _set_apart(graph, centres, column, [0.0] * len(column))
    for sweep in range(SWEEPS):
        forth = sweep % 2 == 0
        near = graph.above if forth else graph.below
        for column, _ in _pairs(columns, forth=forth):
            wanted = [_mean([centres[other] for other in near[node]], centres[node]) for node in column]
            for number, node in enumerate(column):
                if number and not graph.is_joined(node):
                    wanted[number] = wanted[number - 1] + BOX + GAP
            _set_apart(graph, centres, column, wanted)
    return centres


def _pairs(columns: list[list[int]], *, forth: bool) -> list[tuple[list[int], list[int]]]:
    """Each column with the one that was placed before it."""
    walk = columns if forth else columns[::-1]
    return list(zip(walk[1:], walk, strict=False))


def _set_apart(graph: _Graph, centres: list[float], column: list[int], wanted: list[float]) -> None:
    """Places near the wanted ones, in order and without overlap.

    Pushing everything down until nothing overlaps is one answer, pushing everything up another; the mean of two
    such answers overlaps nowhere either, and leans to neither side.
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
