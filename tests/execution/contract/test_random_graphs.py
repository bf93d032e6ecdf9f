"""Whatever the graph, any number of ranks leaves the rows and results of a serial run.

Ranks are threads here, over the real communicator, loop, workers and index: ten runs a second.
"""

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ezpyp.execution.mpi.communicator import SerialCommunicator
from ezpyp.execution.mpi.ranks import RankCommunicator
from ezpyp.execution.mpi.work import work
from ezpyp.execution.run import RunOptions, Settings
from ezpyp.execution.worker import Worker
from ezpyp.graph.program import Program
from ezpyp.pipeline.session import Root
from tests.acceptance.tools import query
from tests.execution.local_ranks import run_ranks
from tests.graph.programs import Study

Graph = list[tuple[tuple[int, ...], bool]]
"""Upstreams of each step, and whether its body raises."""
CHAIN: Graph = [((number - 1,) if number else (), False) for number in range(10_000)]
FAN: Graph = [((0,) if number else (), False) for number in range(10_000)]


@st.composite
def graphs(draw: st.DrawFn) -> Graph:
    count = draw(st.integers(1, 40))
    ups = [draw(st.lists(st.integers(0, n - 1), max_size=3, unique=True)) if n else [] for n in range(count)]
    return [(tuple(up), draw(st.integers(0, 9)) == 0) for up in ups]


def summed(number: int, *parts: object) -> object:
    return number + sum(len(part) if isinstance(part, bytes) else part for part in parts)  # type: ignore[misc]


def blob(number: int, *parts: object) -> object:
    return bytes([number % 251]) * 20_000


def raised(number: int, *parts: object) -> object:
    raise ValueError(f"step {number}")


def program_of(graph: Graph) -> Program:
    study = Study()
    functions = {code: study.function(code.__name__, code) for code in (summed, blob, raised)}
    steps: list[object] = []
    for number, (ups, fails) in enumerate(graph):
        function = functions[raised if fails else blob if number % 7 == 3 and number < 100 else summed]
        steps.append(function(number, *(steps[up] for up in ups)))
    return study.freeze()


def rows(graph: Graph, size: int, *, barrier: bool = False) -> list[tuple[object, ...]]:
    """Run a graph on so many ranks in a new location; what the index says of each step."""
    folder = Path(tempfile.mkdtemp(prefix="ezpyp-graphs-"))
    program = program_of(graph)

    def main(communicator: RankCommunicator | SerialCommunicator) -> object:
        if communicator.rank:
            return work(communicator, Worker(program, folder, communicator.rank, "host"))
        settings = Settings(folder, "study")
        root = Root(settings)
        try:
            return root.run(program, communicator, RunOptions(settings, output="none", progress=False, barrier=barrier))
        finally:
            root.close()

    def rank(communicator: RankCommunicator) -> object:
        communicator.introduce()
        return main(communicator)

    outcomes = [main(SerialCommunicator())] if size == 1 else run_ranks(size, rank)
    assert not [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    found = query(folder, "SELECT name, key, phase, status, cached, args, kwargs, reason, result FROM current_steps")
    found += query(folder, "SELECT name, type, message FROM failures")
    shutil.rmtree(folder)
    return sorted(tuple(str(value).replace(str(folder), "HERE") for value in row) for row in found)


@pytest.fixture(autouse=True)
def _ranks_are_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """They share the standard streams."""
    monkeypatch.setenv("EZPYP_CAPTURE", "0")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(graph=graphs(), size=st.sampled_from([2, 3, 4, 7]), barrier=st.booleans())
def test_a_random_graph_gives_the_rows_of_a_serial_run(graph: Graph, size: int, barrier: bool) -> None:
    assert rows(graph, size, barrier=barrier) == rows(graph, 1)


@pytest.mark.parametrize("graph", [CHAIN, FAN], ids=["chain", "fan"])
def test_ten_thousand_steps_give_the_rows_of_a_serial_run(graph: Graph) -> None:
    assert rows(graph, 3) == rows(graph, 1)
