"""The founding text's script, from its first run to an edit, a revision and back, in fresh processes."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import ezpyp

from . import seed
from .tools import Bodies, header, launch, snapshot, traced

RESULT_LINE = "Pipeline result for gamma: 1.125"


@dataclass(frozen=True, slots=True)
class Stage:
    """What one launch wrote and left behind."""

    process: CompletedProcess[str]
    bodies: list[str]
    held: dict[str, object]
    alpha: object
    beta: object
    gamma: object
    summary: str
    schema: str

    @property
    def lines(self) -> list[str]:
        """Lines of standard output."""
        return self.process.stdout.splitlines()


class Story:
    """The seed's script launched again and again at one location."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.location = folder / "pipeline_cache"
        self.trace = Bodies(folder / "trace")

    def stage(self, *, power: int = 3, **env: str) -> Stage:
        """Launch the script, with beta's power and an environment, and keep what there is to see."""
        script = seed.write(self.folder, self.location, power=power)
        process = launch(script, env=traced(self.trace.path, **env))
        cache = ezpyp.open_cache(self.location)
        return Stage(
            process,
            self.trace.take(),
            snapshot(self.location),
            *(cache.get_result(name) for name in ("alpha", "beta", "gamma")),
            summary=(self.location / "pipeline.summary").read_text(),
            schema=(self.location / "pipeline.schema").read_text(),
        )


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    return Story(tmp_path_factory.mktemp("seed"))


# Each stage needs the ones before it; pytest makes them once, in the order in which they ask for one another.
@pytest.fixture(scope="module")
def first(story: Story) -> Stage:
    return story.stage()


@pytest.fixture(scope="module")
def second(story: Story, first: Stage) -> Stage:
    return story.stage()


@pytest.fixture(scope="module")
def edited(story: Story, second: Stage) -> Stage:
    return story.stage(power=4)


@pytest.fixture(scope="module")
def unchanged(story: Story, edited: Stage) -> Stage:
    return story.stage()


@pytest.fixture(scope="module")
def revised(story: Story, unchanged: Stage) -> Stage:
    return story.stage(power=4, EZPYP_REVISE="1")


@pytest.fixture(scope="module")
def back(story: Story, revised: Stage) -> Stage:
    return story.stage()


def test_first_run_prints_the_seed_s_lines_after_one_header(story: Story, first: Stage) -> None:
    assert first.process.returncode == 0, first.process.stderr
    assert first.lines[0] == f"Pipeline 'my_pipeline' @ {story.location}, revision 1: 3 steps, 0 cached, 3 to run"
    assert first.lines[1:] == [*seed.LINES, RESULT_LINE]
    assert first.process.stderr == ""


def test_first_run_runs_each_body_once(first: Stage) -> None:
    assert first.bodies == ["alpha", "beta", "gamma"]


def test_first_run_writes_the_seed_s_summary(story: Story, first: Stage) -> None:
    title, columns, *rows = [line for line in first.summary.splitlines() if line.strip()]

    assert title == f"Pipeline Completed @ {story.location}"
    assert columns.split() == ["name", "args", "kwargs", "phase", "status", "result"]
    assert len(rows) == 3
    place = re.escape(str(story.location))
    for row, start in zip(rows, [r"alpha\s+\[3\]", r"beta\s+\[2\]", r"gamma\s+\[9, 8\]"], strict=True):
        phase = 1 if start.startswith("gamma") else 0
        assert re.fullmatch(rf"{start}\s+\{{\}}\s+{phase}\s+0\s+{place}/ezpyp\.sqlite#[0-9a-f]{{32}}\s*", row), row


def test_first_run_writes_the_seed_s_schema(story: Story, first: Stage) -> None:
    phases = json.loads(first.schema)

    assert list(phases) == ["0", "1"]
    alpha, beta = phases["0"]
    (gamma,) = phases["1"]
    assert [alpha["name"], beta["name"], gamma["name"]] == ["alpha", "beta", "gamma"]
    assert [alpha["args"], beta["args"], gamma["args"]] == ["[3]", "[2]", "[TMP for alpha, TMP for beta]"]
    assert [alpha["kwargs"], gamma["kwargs"]] == ["{}", "{}"]
    assert [alpha["function_name"], gamma["function_name"]] == ["alpha", "gamma"]
    assert alpha["depends_on"] == "[]"
    assert gamma["depends_on"] == "[Pickle Step Object 'alpha', Pickle Step Object 'beta']"
    assert all(re.fullmatch("[0-9a-f]{32}", step["key"]) for step in (alpha, beta, gamma))
    assert len({step["key"] for step in (alpha, beta, gamma)}) == 3


def test_results_load_without_the_script(first: Stage) -> None:
    assert (first.alpha, first.beta, first.gamma) == (9, 8, 1.125)


def test_second_run_executes_no_body_and_prints_cached(first: Stage, second: Stage) -> None:
    assert second.process.returncode == 0, second.process.stderr
    assert second.bodies == []
    assert header(second.process.stdout)["cached"] == "3"
    assert "[PASS]" not in second.process.stdout
    for name in ("alpha", "beta", "gamma"):
        assert sum("[CACHED]" in line and f"'{name}'" in line for line in second.lines) == 1
    assert second.lines[-1] == RESULT_LINE
    assert second.schema == first.schema


def test_second_run_writes_the_same_summary(first: Stage, second: Stage) -> None:
    assert second.summary == first.summary


def test_edited_script_is_a_conflict_that_names_the_constant_and_the_upstream(edited: Stage) -> None:
    assert edited.process.returncode == 1
    assert "SchemaConflictError" in edited.process.stderr
    assert re.search(r"\bbeta\b[^\0]*?\b3 -> 4\b", edited.process.stderr)
    assert re.search(r"\bgamma\b[^\n]*(\n[^\n]*)?\bupstream\b", edited.process.stderr)
    assert "revise" in edited.process.stderr
    assert "EZPYP_REVISE" in edited.process.stderr


def test_edited_script_runs_and_writes_nothing(second: Stage, edited: Stage) -> None:
    assert edited.bodies == []
    assert "[PASS]" not in edited.process.stdout
    assert edited.held == second.held
    assert (edited.alpha, edited.beta, edited.gamma) == (9, 8, 1.125)


def test_unchanged_script_is_still_cached_after_a_conflict(unchanged: Stage) -> None:
    assert unchanged.process.returncode == 0
    assert unchanged.bodies == []
    assert header(unchanged.process.stdout)["revision"] == "1"
    assert unchanged.lines[-1] == RESULT_LINE


def test_revision_runs_exactly_what_changed(revised: Stage) -> None:
    assert revised.process.returncode == 0, revised.process.stderr
    assert revised.bodies == ["beta", "gamma"]
    counts = header(revised.process.stdout)
    assert (counts["revision"], counts["cached"], counts["to_run"]) == ("2", "1", "2")
    assert revised.lines[-1] == "Pipeline result for gamma: 0.5625"
    assert (revised.alpha, revised.beta, revised.gamma) == (9, 16, 0.5625)


def test_old_script_runs_nothing_after_a_revision(back: Stage) -> None:
    assert back.process.returncode == 0, back.process.stderr
    assert back.bodies == []
    assert header(back.process.stdout)["to_run"] == "0"
    assert back.lines[-1] == RESULT_LINE
    assert (back.alpha, back.beta, back.gamma) == (9, 8, 1.125)


def test_every_revision_s_result_can_be_asked_for(story: Story, back: Stage) -> None:
    cache = ezpyp.open_cache(story.location)

    assert cache.get_result("gamma", revision=1) == 1.125
    assert cache.get_result("gamma", revision=2) == 0.5625
