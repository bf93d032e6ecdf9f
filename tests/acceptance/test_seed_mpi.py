"""The founding text's script under ``mpirun``, from its first run to an edit, a revision and back."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import ezpyp
from tests.mpi import mpirun

from . import seed
from .tools import Bodies, header, query, snapshot, traced

pytestmark = pytest.mark.mpi

# Seven: more ranks than steps.
SIZES = [1, 2, 4, 7]


@dataclass(frozen=True, slots=True)
class Stage:
    """What one job wrote, which bodies ran in it, and what it left behind."""

    process: CompletedProcess[str]
    bodies: list[str]
    held: dict[str, object]

    def pairs(self) -> Counter[tuple[str, str]]:
        """The lines of steps, two by two as they were written, without the rank's number."""
        lines = [re.sub(r"MPI process \d\d", "MPI process 00", line) for line in self.process.stdout.splitlines()]
        starts = [number for number, line in enumerate(lines) if line.startswith("[MPI process")]
        return Counter((lines[number], lines[number + 1]) for number in starts)

    def answers(self) -> Counter[str]:
        """What the ranks print themselves after the run."""
        return Counter(re.findall(r"Pipeline result for gamma: [\d.]+", self.process.stdout))


@dataclass(frozen=True, slots=True)
class Story:
    """All jobs of the story at one number of ranks."""

    size: int
    location: Path
    first: Stage
    edited: Stage
    unchanged: Stage
    revised: Stage
    back: Stage


@pytest.fixture(scope="module", params=SIZES, ids="{} ranks".format)
def story(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Story:
    size: int = request.param
    folder = tmp_path_factory.mktemp(f"seed{size}")
    location, trace = folder / "pipeline_cache", Bodies(folder / "trace")

    def stage(*, power: int = 3, **env: str) -> Stage:
        script = seed.write(folder, location, power=power)
        process = mpirun(size, script, env=traced(trace.path, **env))
        return Stage(process, trace.take(), snapshot(location))

    return Story(
        size,
        location,
        first=stage(),
        edited=stage(power=4),
        unchanged=stage(),
        revised=stage(power=4, EZPYP_REVISE="1"),
        back=stage(),
    )


def test_first_run_prints_the_seed_s_pairs_of_lines_after_one_header(story: Story) -> None:
    stage = story.first

    assert stage.process.returncode == 0, stage.process.stderr
    start = f"Pipeline 'my_pipeline' @ {story.location}, revision 1: 3 steps, 0 cached, 3 to run"
    assert stage.process.stdout.splitlines()[0] == start
    assert stage.pairs() == Counter(zip(seed.LINES[::2], seed.LINES[1::2], strict=True))
    assert stage.answers() == {"Pipeline result for gamma: 1.125": story.size}


def test_first_run_prints_nothing_else(story: Story) -> None:
    stage = story.first

    assert len(stage.process.stdout.splitlines()) == 1 + 6 + story.size
    assert stage.process.stderr == ""


def test_first_run_runs_each_body_once_and_gamma_last(story: Story) -> None:
    assert sorted(story.first.bodies) == ["alpha", "beta", "gamma"]
    assert story.first.bodies[-1] == "gamma"


def test_rows_are_those_of_a_serial_run(story: Story) -> None:
    rows = query(story.location, "SELECT name, args, kwargs, phase, status FROM summary ORDER BY phase, name")

    assert rows == [
        ("alpha", "[3]", "{}", 0, 0),
        ("beta", "[2]", "{}", 0, 0),
        ("gamma", "[9, 8]", "{}", 1, 0),
    ]


def test_summary_is_written(story: Story) -> None:
    summary = story.first.held["pipeline.summary"]

    assert isinstance(summary, bytes)
    assert summary.decode().startswith(f"Pipeline Completed @ {story.location}\n")


def test_edited_script_is_one_conflict_for_the_whole_job(story: Story) -> None:
    stage = story.edited

    assert stage.process.returncode == 1
    # Rank 0 alone prints a traceback that every rank raises alike.
    assert stage.process.stderr.count("Traceback (most recent call last)") == 1
    assert stage.process.stderr.count("\nezpyp.errors.SchemaConflictError: ") == 1
    assert re.search(r"\bbeta\b[^\0]*?\b3 -> 4\b", stage.process.stderr)
    assert re.search(r"\bgamma\b[^\n]*(\n[^\n]*)?\bupstream\b", stage.process.stderr)


def test_edited_script_runs_and_writes_nothing(story: Story) -> None:
    assert story.edited.bodies == []
    assert story.edited.answers() == {}
    assert story.edited.held == story.first.held


def test_second_run_executes_no_body_even_after_a_conflict(story: Story) -> None:
    stage = story.unchanged

    assert stage.process.returncode == 0, stage.process.stderr
    assert stage.bodies == []
    assert header(stage.process.stdout)["cached"] == "3"
    assert stage.process.stdout.count("[CACHED]") == 3
    assert "[PASS]" not in stage.process.stdout
    assert stage.answers() == {"Pipeline result for gamma: 1.125": story.size}


def test_revision_runs_exactly_what_changed(story: Story) -> None:
    stage = story.revised

    assert stage.process.returncode == 0, stage.process.stderr
    assert stage.bodies == ["beta", "gamma"]
    assert stage.answers() == {"Pipeline result for gamma: 0.5625": story.size}


def test_old_script_runs_nothing_after_a_revision(story: Story) -> None:
    stage = story.back

    assert stage.process.returncode == 0, stage.process.stderr
    assert stage.bodies == []
    assert stage.answers() == {"Pipeline result for gamma: 1.125": story.size}
    assert ezpyp.open_cache(story.location).get_result("gamma", revision=2) == 0.5625
