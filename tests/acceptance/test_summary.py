"""The exports: pipeline.summary agrees with the view of its name, and pipeline.schema is JSON by phase."""

import json
import re
from pathlib import Path

import pytest

from ezpyp import Pipeline

from .tools import declared, edit, executed, query

STUDY = """
@as_pickle_step(pipeline)
def alpha(x, scale=1):
    return [x * scale] * x

@as_pickle_step(pipeline)
def broken(x):
    raise ValueError(x)

@as_pickle_step(pipeline)
def gamma(a, b=0, *, label="none"):
    return len(a)

@as_pickle_step(pipeline)
def large(size):
    return bytes(size)

gamma(alpha(2), label="two words")
gamma(alpha(3, scale=2), large(100_000))
gamma(alpha(5), broken(1))
gamma(alpha(2000), b={"k": alpha(3, scale=2)})
"""
# One call of the study stands there twice on purpose.
pytestmark = pytest.mark.filterwarnings("ignore:.*are one step:UserWarning")

COLUMNS = ["name", "args", "kwargs", "phase", "status", "result"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    return executed(tmp_path_factory.mktemp("summary") / "cache", STUDY)


def rows_of_text(summary: str) -> list[str]:
    """Give the lines below title and columns, blanks run together."""
    lines = [" ".join(line.split()) for line in summary.splitlines() if line.strip()]
    assert lines[1].split() == COLUMNS
    return lines[2:]


def rows_of_view(location: Path) -> list[str]:
    """Give the view's rows, written in the same way; what has no result ends with its status."""
    rows = query(location, f"SELECT {', '.join(COLUMNS)} FROM summary")
    return [" ".join(" ".join(str(value) for value in row if value is not None).split()) for row in rows]


def test_summary_and_view_agree(pipeline: Pipeline) -> None:
    text = rows_of_text(pipeline.summary_path.read_text())
    view = rows_of_view(pipeline.summary_path.parent)

    assert len(text) == 10
    assert len(max(text, key=len)) < 1000
    columns = query(pipeline.summary_path.parent, "SELECT name FROM pragma_table_info('summary')")
    assert [name for (name,) in columns] == COLUMNS
    assert [re.sub(r" (None|-)$", "", row) for row in text] == view


def row(pipeline: Pipeline, name: str) -> tuple[object, ...]:
    """Give the view's row of the one step whose name begins so."""
    (found,) = query(
        pipeline.summary_path.parent,
        f"SELECT {', '.join(COLUMNS)} FROM summary WHERE substr(name, 1, ?) = ?",
        len(name),
        name,
    )
    return found


def test_arguments_are_resolved_values_or_else_as_they_were_given(pipeline: Pipeline) -> None:
    first = next(r for r in rows_of_view(pipeline.summary_path.parent) if "two words" in r)
    skipped = query(
        pipeline.summary_path.parent, "SELECT args LIKE '%TMP for broken%', result FROM summary WHERE status = 2"
    )

    assert re.match(r"gamma\[.*\] \[\[2, 2\]\] \{'label': 'two words'\} 1 0 ", first)
    assert skipped == [(1, None)]


def test_a_large_result_is_the_path_of_its_object_and_a_small_one_a_digest_in_the_index(pipeline: Pipeline) -> None:
    location = pipeline.summary_path.parent

    path = Path(str(row(pipeline, "large")[5]))
    assert path.is_relative_to(location / "objects")
    assert path.stat().st_size >= 100_000
    small = re.escape(str(location)) + r"/ezpyp\.sqlite#[0-9a-f]{32}"
    assert re.fullmatch(small, str(row(pipeline, "alpha[x=5")[5]))


@pytest.mark.parametrize(("source", "word"), [(STUDY, "Failed"), (edit(STUDY, ("broken(1)", "2")), "Completed")])
def test_the_title_says_how_the_run_ended_and_a_second_run_s_summary_covers_every_step(
    location: Path, source: str, word: str
) -> None:
    for _ in range(2):
        pipeline = executed(location, source)
        text = pipeline.summary_path.read_text()
        assert text.splitlines()[0] == f"Pipeline {word} @ {location}"
        assert [re.sub(r" (None|-)$", "", row) for row in rows_of_text(text)] == rows_of_view(location)
        assert len(rows_of_view(location)) == len(pipeline.steps)
        exports = sorted(path.name for path in location.iterdir() if path.name.startswith("pipeline."))
        assert exports == ["pipeline.schema", "pipeline.summary"]


def test_the_schema_is_json_by_phase(pipeline: Pipeline) -> None:
    phases = json.loads(pipeline.schema_path.read_text())

    assert list(phases) == ["0", "1"]
    assert sorted(step["name"] for phase in phases.values() for step in phase) == sorted(
        step.name for step in pipeline.steps
    )
    by_name = {step.name: step for step in pipeline.steps}
    for number, phase in phases.items():
        for entry in phase:
            assert by_name[entry["name"]].key == entry["key"]
            assert by_name[entry["name"]].phase == int(number)


def test_the_schema_is_written_at_freezing(location: Path) -> None:
    pipeline = declared(location, STUDY)
    pipeline.initialize_schema()

    assert len(json.loads((location / "pipeline.schema").read_text())) == 2
    assert not (location / "pipeline.summary").exists()


def test_the_schema_keeps_names_bound_earlier_and_left_out(location: Path) -> None:
    source = """
    @as_pickle_step(pipeline)
    def alpha(x):
        return x

    alpha.map([1, 2])
    """
    first = executed(location, source)
    key = {step.name: step.key for step in first.steps}["alpha[x=2]"]

    pipeline = executed(location, edit(source, ("[1, 2]", "[1]")))

    text = pipeline.schema_path.read_text()
    assert [step.name for step in pipeline.steps] == ["alpha[x=1]"]
    assert key in text
    assert '"alpha[x=2]"' in text


LARGE = """
@as_pickle_step(pipeline)
def item(x):
    if x == 11_900:
        raise ValueError(x)
    return x

@as_pickle_step(pipeline)
def total(items):
    return len(items)

total(item.map(range(11_950))[:3])
"""


def test_exports_of_a_very_large_study_list_its_beginning_and_what_went_wrong(tmp_path: Path) -> None:
    pipeline = executed(tmp_path / "my cache", LARGE)
    phases = json.loads(pipeline.schema_path.read_text())
    lines = pipeline.summary_path.read_text().splitlines()
    more = f"9,951 more steps: python -m ezpyp.inspect '{tmp_path / 'my cache'}' steps"
    gathered = [line.split()[0] for line in lines if line.startswith(("total", "item[x=11900]"))]

    assert [len(phases["0"]), len(phases["1"])] == [1_999, 1]
    assert phases["not listed"] == [{"name": more}]
    assert len(lines) == 2 + 2_000 + 1
    assert gathered == ["item[x=11900]", "total"]
    assert lines[-1] == f"and {more}"
