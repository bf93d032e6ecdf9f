"""Phases, transitive reduction of ``depends_on``, and graphs large and random."""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ezpyp import Pipeline, Step, as_pickle_step


@dataclass(frozen=True, slots=True)
class Graph:
    """A graph whose nodes depend on earlier nodes only, by value or by order."""

    values: Sequence[Sequence[int]]
    orders: Sequence[Sequence[int]]

    @classmethod
    def random(cls, seed: int, size: int = 30) -> "Graph":
        """Draw a graph; the same for the same seed."""
        draw = random.Random(seed)

        def below(node: int) -> list[int]:
            return draw.sample(range(node), draw.randint(0, min(node, 3)))

        return cls([below(node) for node in range(size)], [below(node) for node in range(size)])

    def phases(self) -> list[int]:
        """Give the longest chain below each node, the plain way."""
        found: list[int] = []
        for value, order in zip(self.values, self.orders, strict=True):
            found.append(max((found[up] + 1 for up in [*value, *order]), default=0))
        return found

    def ancestors(self) -> list[set[int]]:
        """Give everything below each node, the plain way."""
        found: list[set[int]] = []
        for value, order in zip(self.values, self.orders, strict=True):
            found.append({*value, *order}.union(*(found[up] for up in [*value, *order])))
        return found

    def reduced(self) -> "Graph":
        """Leave out every order edge that another edge of its node implies."""
        ancestors = self.ancestors()
        orders = [
            [up for up in order if up not in value and not any(up in ancestors[other] for other in {*value, *order})]
            for value, order in zip(self.values, self.orders, strict=True)
        ]
        return Graph(self.values, orders)

    def closed(self) -> "Graph":
        """Add every order edge that is implied."""
        return Graph(self.values, [sorted(below, reverse=True) for below in self.ancestors()])

    def declare(self, location: Path) -> tuple[Pipeline, list[Step]]:
        """Declare the graph and freeze it; give the pipeline, and one step a node, in order."""

        def body(*parts: int) -> int:
            return 1 + sum(parts)

        pipeline = Pipeline(location, "graph")
        steps: list[Step] = []
        for node, (value, order) in enumerate(zip(self.values, self.orders, strict=True)):
            decorate = as_pickle_step(pipeline, depends_on=[steps[up] for up in order], name=f"node{node}")
            steps.append(decorate(body)(*[steps[up] for up in value]))
        pipeline.initialize_schema()
        return pipeline, steps


@pytest.mark.parametrize("seed", range(5))
def test_a_phase_is_the_longest_chain_below(tmp_path: Path, seed: int) -> None:
    graph = Graph.random(seed)

    _, steps = graph.declare(tmp_path / "cache")

    assert [step.phase for step in steps] == graph.phases()


@pytest.mark.parametrize("seed", range(5))
def test_lists_that_mean_the_same_after_reduction_give_the_same_keys(tmp_path: Path, seed: int) -> None:
    graph = Graph.random(seed)

    given = [step.key for step in graph.declare(tmp_path / "given")[1]]
    reduced = [step.key for step in graph.reduced().declare(tmp_path / "reduced")[1]]
    closed = [step.key for step in graph.closed().declare(tmp_path / "closed")[1]]

    assert given == reduced == closed


@pytest.mark.parametrize("seed", range(5))
def test_a_dependency_that_reduction_keeps_counts(tmp_path: Path, seed: int) -> None:
    graph = Graph.random(seed).reduced()
    node = max(node for node, order in enumerate(graph.orders) if order)
    fewer = Graph(graph.values, [[] if at == node else order for at, order in enumerate(graph.orders)])

    _, before = graph.declare(tmp_path / "before")
    _, after = fewer.declare(tmp_path / "after")

    assert before[node].key != after[node].key
    assert [step.key for step in before[:node]] == [step.key for step in after[:node]]


@pytest.mark.parametrize("edge", ["value", "order"])
def test_a_chain_of_ten_thousand_declares_and_freezes(location: Path, edge: str) -> None:
    pipeline = Pipeline(location, "chain")

    def follow(x: object = None) -> object:
        return x

    by_value = as_pickle_step(pipeline, name="link")(follow)
    step = by_value(0)
    for number in range(1, 10_000):
        if edge == "value":
            step = by_value(step)
        else:
            step = as_pickle_step(pipeline, depends_on=[step], name=f"link{number}")(follow)()
    pipeline.initialize_schema()

    assert step.phase == 9_999
    assert len(pipeline.phases) == 10_000
    assert len({one.name for one in pipeline.steps}) == 10_000


def test_a_diamond_of_many_layers_declares_and_freezes(location: Path) -> None:
    """Forty layers of pairs have 2 to the 40 paths; anything but linear never ends."""
    pipeline = Pipeline(location, "diamond")

    @as_pickle_step(pipeline)
    def pair(left: object, right: object, side: int) -> object:
        return side

    left, right = pair(0, 0, 0), pair(0, 0, 1)
    for _ in range(40):
        left, right = pair(left, right, 0), pair(left, right, 1)
    pipeline.initialize_schema()

    assert left.phase == right.phase == 40


def test_a_fan_of_ten_thousand_freezes(location: Path) -> None:
    pipeline = Pipeline(location, "fan")

    @as_pickle_step(pipeline)
    def one(x: int) -> int:
        return x

    @as_pickle_step(pipeline)
    def total(parts: list[int]) -> int:
        return sum(parts)

    step = total(one.map(range(10_000)))
    pipeline.initialize_schema()

    assert step.phase == 1
    assert [len(phase) for phase in pipeline.phases] == [10_000, 1]


@pytest.mark.parametrize("seed", range(3))
def test_random_graphs_compute_what_the_plain_way_does(tmp_path: Path, seed: int) -> None:
    graph = Graph.random(seed)
    expected: list[int] = []
    for value in graph.values:
        expected.append(1 + sum(expected[up] for up in value))

    pipeline, steps = graph.declare(tmp_path / "cache")
    pipeline.execute()

    assert [step.get_result() for step in steps] == expected
