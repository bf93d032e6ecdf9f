"""Under ``mpirun`` the rows, the results and the lines are those of a serial run, up to order and rank."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import ezpyp
from tests.mpi import mpirun, python

from .tools import query, traced

pytestmark = pytest.mark.mpi

SIZES = [1, 2, 4]

STUDY = """
import sys, time
from ezpyp import Pipeline, as_cloudpickle_step, as_pickle_step
from tests.acceptance.tools import ran

pipeline = Pipeline(sys.argv[1], "rows")

@as_pickle_step(pipeline)
def draw(seed):
    ran(f"draw {seed}")
    time.sleep(0.01)
    return bytes([seed]) * 40_000 if seed % 5 == 0 else seed

@as_pickle_step(pipeline)
def weigh(part, bias=0):
    if part == 7:
        raise ValueError("seven")
    return (len(part) if isinstance(part, bytes) else part) + bias

@as_cloudpickle_step(pipeline)
def total(parts, note="none"):
    return sum(parts)

@as_pickle_step(pipeline)
def below(part):
    return part

draws = draw.map(range(24))
weighed = [weigh(part) for part in draws]
good = total([part for seed, part in enumerate(weighed) if seed != 7], note="good")
bad = below(weighed[7])
lowest = below(bad)

pipeline.execute()
# Each rank asks alone, and only one of them at all.
if pipeline.rank == pipeline.size - 1:
    ran(f"alone {good.get_result()}")
more = weigh.map(draws[:3], [1, 2, 3])
pipeline.execute()
counts = f"{more.results()} {pipeline.get_status(bad)} {len(pipeline.steps)}"
ran(f"rank {pipeline.rank} of {pipeline.size} {counts}")
"""
BUSY = """
import sys, time
from ezpyp import Pipeline, as_pickle_step

pipeline = Pipeline(sys.argv[1], "busy")

@as_pickle_step(pipeline)
def nap(number):
    time.sleep(0.05)
    return number

nap.map(range(24))
pipeline.execute()
"""


@dataclass(frozen=True, slots=True)
class Job:
    """One run of the study."""

    size: int
    process: CompletedProcess[str]
    location: Path
    words: list[str]

    def rows(self) -> list[tuple[object, ...]]:
        """Give what the index says of every step but where and when it ran; results by their address."""
        found = query(
            self.location,
            "SELECT name, key, function, codec, phase, status, cached, args, kwargs, result, reason, params "
            "FROM current_steps ORDER BY name",
        )
        return [tuple(str(value).replace(str(self.location.parent), "HERE") for value in row) for row in found]

    def lines(self) -> list[str]:
        """Give the lines of the steps, two by two, sorted, without rank, location and times."""
        text = self.process.stdout.replace(str(self.location.parent), "HERE")
        text = re.sub(r"MPI process \d\d", "MPI process 00", text)
        return sorted(re.findall(r"^\[MPI process.*\n  ╰─> .*$", text, re.MULTILINE))


def job(folder: Path, size: int) -> Job:
    script = folder / "script.py"
    script.write_text(STUDY)
    location, trace = folder / "cache", folder / "trace"
    if size == 0:
        process = python(script, str(location), env=traced(trace))
    else:
        process = mpirun(size, script, str(location), env=traced(trace))
    return Job(max(size, 1), process, location, trace.read_text().splitlines())


@pytest.fixture(scope="module")
def serial(tmp_path_factory: pytest.TempPathFactory) -> Job:
    return job(tmp_path_factory.mktemp("serial"), 0)


@pytest.fixture(scope="module", params=SIZES, ids="{} ranks".format)
def parallel(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Job:
    return job(tmp_path_factory.mktemp("parallel"), request.param)


def test_it_ends_well(serial: Job, parallel: Job) -> None:
    assert serial.process.returncode == 0, serial.process.stderr
    assert parallel.process.returncode == 0, parallel.process.stderr


def test_rows_are_those_of_a_serial_run(serial: Job, parallel: Job) -> None:
    assert len(serial.rows()) == 24 + 24 + 1 + 2 + 3
    assert parallel.rows() == serial.rows()


def test_lines_are_those_of_a_serial_run(serial: Job, parallel: Job) -> None:
    assert len(serial.lines()) > 50
    assert parallel.lines() == serial.lines()


def test_headers_are_those_of_a_serial_run(serial: Job, parallel: Job) -> None:
    def headers(one: Job) -> list[str]:
        return [line.partition(", ")[2] for line in one.process.stdout.splitlines() if line.startswith("Pipeline '")]

    assert len(headers(serial)) == 2
    assert headers(parallel) == headers(serial)


def test_each_body_runs_once(parallel: Job) -> None:
    drawn = [word.split()[1] for word in parallel.words if word.startswith("draw")]

    assert sorted(drawn, key=int) == [str(seed) for seed in range(24)]


def test_any_rank_may_ask_alone(parallel: Job) -> None:
    expected = sum(40_000 if seed % 5 == 0 else seed for seed in range(24) if seed != 7)

    assert [word for word in parallel.words if word.startswith("alone")] == [f"alone {expected}"]


def test_every_rank_goes_on_with_the_same_outcome(parallel: Job) -> None:
    told = [word for word in parallel.words if word.startswith("rank")]

    size = parallel.size
    assert sorted(told) == [f"rank {rank} of {size} [40001, 3, 5] 2 54" for rank in range(size)]


def test_failures_are_recorded_with_the_user_s_line(parallel: Job) -> None:
    rows = query(parallel.location, "SELECT name, type, message, file, line FROM failures WHERE status = 1")

    ((name, kind, message, file, line),) = rows
    assert (name, kind, message) == ("weigh[seed=7]", "ValueError", "seven")
    assert str(file).endswith("script.py")
    assert STUDY.splitlines()[int(str(line)) - 1].strip() == 'raise ValueError("seven")'


def test_exports_are_those_of_a_serial_run(serial: Job, parallel: Job) -> None:
    def export(one: Job, name: str) -> str:
        return (one.location / name).read_text().replace(str(one.location.parent), "HERE")

    assert export(parallel, "pipeline.summary").split() == export(serial, "pipeline.summary").split()
    assert json.loads(export(parallel, "pipeline.schema")) == json.loads(export(serial, "pipeline.schema"))


def test_a_serial_process_reads_what_a_job_wrote(parallel: Job) -> None:
    cache = ezpyp.open_cache(parallel.location)

    assert cache.get_result("draw", seed=5) == bytes([5]) * 40_000
    assert cache.get_result("weigh[seed=8]") == 8


@pytest.mark.parametrize("size", [2, 4])
def test_all_ranks_share_the_steps(tmp_path: Path, size: int) -> None:
    script = tmp_path / "script.py"
    script.write_text(BUSY)

    ended = mpirun(size, script, str(tmp_path / "cache"))

    assert ended.returncode == 0, ended.stderr
    shares = dict(query(tmp_path / "cache", "SELECT rank, count(*) FROM current_steps GROUP BY rank"))  # type: ignore[arg-type]
    assert set(shares) == set(range(size))
    assert min(shares.values()) >= 24 // size // 3
    printed = re.findall(r"MPI process (\d\d)", ended.stdout)
    assert {int(rank): printed.count(rank) for rank in set(printed)} == shares
