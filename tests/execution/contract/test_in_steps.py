"""What a step does to itself fails that step, and the job goes on: the same at any number of ranks.

One job for each number of ranks does all of it; the tests look at what it left.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.acceptance.tools import query
from tests.mpi import mpirun, python

STUDY = Path(__file__).with_name("study.py")
LIMIT_S = 60


@dataclass(frozen=True, slots=True)
class Job:
    """One run of the study."""

    size: int
    process: CompletedProcess[str]
    location: Path

    def rows(self, columns: str, source: str) -> list[tuple[object, ...]]:
        """Give rows of a view, sorted, with the location's folder left out."""
        found = query(self.location, f"SELECT {columns} FROM {source}")
        return sorted(tuple(str(value).replace(str(self.location.parent), "HERE") for value in row) for row in found)

    def said(self) -> list[dict[str, object]]:
        """Give what each rank printed at its end, in order of rank."""
        lines = [json.loads(line) for line in self.process.stdout.splitlines() if line.startswith('{"rank"')]
        return sorted(lines, key=lambda line: line["rank"])  # type: ignore[no-any-return]


def job(folder: Path, size: int, threads: str = "multiple") -> Job:
    location = folder / "cache"
    started = python if size == 0 else lambda *args, **more: mpirun(size, *args, **more)
    env = {"MPI4PY_RC_THREAD_LEVEL": threads}
    return Job(max(size, 1), started(STUDY, str(location), timeout=LIMIT_S, env=env), location)


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return job(tmp_path_factory.mktemp("serial"), 0)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((0, "multiple"), id="serial"),
        *(pytest.param((size, "multiple"), id=f"{size} ranks", marks=pytest.mark.mpi) for size in (2, 4)),
        # MPI that only the first thread of a process may call: no coordinator beside rank 0's own bodies.
        pytest.param((2, "funneled"), id="2 ranks, funneled", marks=pytest.mark.mpi),
    ],
)
def any_size(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, serial: Job) -> Job:
    size, threads = request.param
    return job(tmp_path_factory.mktemp("job"), size, threads) if size else serial


def test_the_job_goes_on_and_ends_well(any_size: Job) -> None:
    assert any_size.process.returncode == 0, any_size.process.stderr
    assert "Traceback" not in any_size.process.stderr


def test_every_rank_goes_on_with_the_same_results(any_size: Job, serial: Job) -> None:
    said = any_size.said()

    assert [line.pop("rank") for line in said] == list(range(any_size.size))
    expected = {**serial.said()[0], "size": any_size.size}
    del expected["rank"]
    assert said == [expected] * any_size.size


def test_each_failure_is_recorded_with_its_own_step(any_size: Job) -> None:
    statement = "SELECT type, message FROM failures WHERE status = 1 AND name LIKE 'strange%'"
    found = query(any_size.location, statement)
    kinds = Counter(str(kind).rpartition(".")[2] for kind, _ in found)

    assert kinds == {
        "ValueError": 1, "SystemExit": 2, "GeneratorExit": 1, "CancelledError": 1, "Odd": 1, "Local": 1,
        "RecursionError": 1, "UnstorableResultError": 2, "InitializationError": 1, "StepFailedError": 1,
    }  # fmt: skip
    assert sorted(message for kind, message in found if kind == "SystemExit") == ["0", "3"]


@pytest.mark.parametrize(
    ("source", "columns"),
    [
        ("current_steps", "name, key, function, codec, phase, status, cached, args, kwargs, result, reason, params"),
        ("failures", "name, status, type, message, file, line"),
    ],
)
def test_rows_are_those_of_a_serial_run(any_size: Job, serial: Job, source: str, columns: str) -> None:
    assert len(serial.rows(columns, source)) > (500 if source == "current_steps" else 10)
    assert any_size.rows(columns, source) == serial.rows(columns, source)


def test_no_step_ran_twice(any_size: Job) -> None:
    ran = query(any_size.location, "SELECT step, count(*) FROM step_rows WHERE run = 1 AND status >= 0 GROUP BY step")

    assert {count for _, count in ran} == {1}
