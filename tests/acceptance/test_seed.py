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


@pytest.fixture(scope="module")
def stages(story: Story) -> dict[str, Stage]:
    """The script launched six times: twice, edited, as it was, edited with a revision, and as it was."""
    return {
        "first": story.stage(),
        "second": story.stage(),
        "edited": story.stage(power=4),
        "unchanged": story.stage(),
        "revised": story.stage(power=4, EZPYP_REVISE="1"),
        "back": story.stage(),
    }


def test_first_run_prints_the_seed_s_lines_after_one_header_and_runs_each_body_once(
    story: Story, stages: dict[str, Stage]
) -> None:
    first = stages["first"]

    assert first.process.returncode == 0, first.process.stderr
    assert first.lines[0] == f"Pipeline 'my_pipeline' @ {story.location}, revision 1: 3 steps, 0 cached, 3 to run"
    assert first.lines[1:] == [*seed.LINES, RESULT_LINE]
    assert first.process.stderr == ""
    assert first.bodies == ["alpha", "beta", "gamma"]


def test_first_run_writes_the_seed_s_summary(story: Story, stages: dict[str, Stage]) -> None:
    title, columns, *rows = [line for line in stages["first"].summary.splitlines() if line.strip()]

    assert title == f"Pipeline Completed @ {story.location}"
    assert columns.split() == ["name", "args", "kwargs", "phase", "status", "result"]
    place = re.escape(str(story.location))
    for row, start in zip(rows, [r"alpha\s+\[3\]", r"beta\s+\[2\]", r"gamma\s+\[9, 8\]"], strict=True):
        phase = 1 if start.startswith("gamma") else 0
        assert re.fullmatch(rf"{start}\s+\{{\}}\s+{phase}\s+0\s+{place}/ezpyp\.sqlite#[0-9a-f]{{32}}\s*", row), row


def test_first_run_writes_the_seed_s_schema(stages: dict[str, Stage]) -> None:
    phases = json.loads(stages["first"].schema)

    assert list(phases) == ["0", "1"]
    steps = [*phases["0"], *phases["1"]]
    assert [step["name"] for step in steps] == [step["function_name"] for step in steps] == ["alpha", "beta", "gamma"]
    assert [step["args"] for step in steps] == ["[3]", "[2]", "[TMP for alpha, TMP for beta]"]
    assert {step["kwargs"] for step in steps} == {"{}"}
    assert steps[0]["depends_on"] == "[]"
    assert steps[2]["depends_on"] == "[Pickle Step Object 'alpha', Pickle Step Object 'beta']"
    assert all(re.fullmatch("[0-9a-f]{32}", step["key"]) for step in steps)
    assert len({step["key"] for step in steps}) == 3


def test_second_run_executes_no_body_and_prints_cached(stages: dict[str, Stage]) -> None:
    first, second = stages["first"], stages["second"]

    assert second.process.returncode == 0, second.process.stderr
    assert second.bodies == []
    assert header(second.process.stdout)["cached"] == "3"
    assert "[PASS]" not in second.process.stdout
    for name in ("alpha", "beta", "gamma"):
        assert sum("[CACHED]" in line and f"'{name}'" in line for line in second.lines) == 1
    assert second.lines[-1] == RESULT_LINE
    assert (second.schema, second.summary) == (first.schema, first.summary)


def test_edited_script_is_a_conflict_that_names_the_constant_and_the_upstream_and_writes_nothing(
    stages: dict[str, Stage],
) -> None:
    edited = stages["edited"]

    assert edited.process.returncode == 1
    for pattern in (
        "SchemaConflictError",
        r"\bbeta\b[^\0]*?\b3 -> 4\b",
        r"\bgamma\b[^\n]*(\n[^\n]*)?\bupstream\b",
        "revise",
        "EZPYP_REVISE",
    ):
        assert re.search(pattern, edited.process.stderr), edited.process.stderr
    assert edited.bodies == []
    assert "[PASS]" not in edited.process.stdout
    assert edited.held == stages["second"].held


def test_revision_runs_exactly_what_changed(stages: dict[str, Stage]) -> None:
    revised = stages["revised"]

    assert revised.process.returncode == 0, revised.process.stderr
    assert revised.bodies == ["beta", "gamma"]
    counts = header(revised.process.stdout)
    assert (counts["revision"], counts["cached"], counts["to_run"]) == ("2", "1", "2")
    assert revised.lines[-1] == "Pipeline result for gamma: 0.5625"


@pytest.mark.parametrize(("name", "revision"), [("unchanged", "1"), ("back", "3")])
def test_the_old_script_runs_nothing_after_a_conflict_or_a_revision(
    stages: dict[str, Stage], name: str, revision: str
) -> None:
    stage = stages[name]

    assert stage.process.returncode == 0, stage.process.stderr
    assert stage.bodies == []
    counts = header(stage.process.stdout)
    assert (counts["revision"], counts["to_run"]) == (revision, "0")
    assert stage.lines[-1] == RESULT_LINE


def test_results_load_without_the_script(story: Story, stages: dict[str, Stage]) -> None:
    revised = (9, 16, 0.5625)
    for name, stage in stages.items():
        assert (stage.alpha, stage.beta, stage.gamma) == (revised if name == "revised" else (9, 8, 1.125))
    cache = ezpyp.open_cache(story.location)
    assert cache.get_result("gamma", revision=1) == 1.125
    assert cache.get_result("gamma", revision=2) == 0.5625
