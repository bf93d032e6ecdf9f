"""Files as arguments and results: a result holds as long as the files that it names do."""

import re
import warnings

import pytest

from ezpyp import File, Pipeline, as_pickle_step
from ezpyp.errors import ArgumentMutatedError
from tests.acceptance.tools import Bodies, ran


@pytest.fixture
def bodies(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACE_FILE", str(tmp_path / "trace"))
    monkeypatch.chdir(tmp_path)
    return Bodies(tmp_path / "trace")


def study(text="one", *, more=False):
    """A step that writes a file, one that reads it, and perhaps another reader; the pipeline."""
    pipeline = Pipeline("cache", "files")

    @as_pickle_step(pipeline)
    def write(text):
        ran("write")
        with open("out.txt", "w") as file:
            file.write(text)
        return {"where": [File("out.txt")]}

    @as_pickle_step(pipeline)
    def read(found):
        ran("read")
        return open(found["where"][0]).read()

    @as_pickle_step(pipeline)
    def measure(found):
        ran("measure")
        return len(open(found["where"][0]).read())

    written = write(text)
    read(written)
    if more:
        measure(written)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        pipeline.execute(output="none", check=True)
    return pipeline, [str(one.message) for one in told]


@pytest.mark.parametrize(
    "spoil", [lambda file: file.write_text("two"), lambda file: file.unlink()], ids=["changed", "gone"]
)
def test_file_that_is_not_what_the_step_made_is_made_anew(spoil, bodies, tmp_path):
    study()
    assert bodies.take() == ["write", "read"]
    spoil(tmp_path / "out.txt")
    pipeline, told = study(more=True)
    assert bodies.take() == ["write", "measure"]
    assert pipeline.get_result("measure") == 3
    assert pipeline.get_result("read") == "one"
    assert re.search("'write'.*out.txt", told[0])
    study(more=True)
    assert bodies.take() == []


def test_unchanged_file_or_one_that_nobody_asks_for_runs_nothing(bodies, tmp_path):
    study()
    bodies.take()
    assert study()[1] == []
    (tmp_path / "out.txt").unlink()
    assert study()[1] == []
    assert bodies.take() == []


def test_file_that_a_leaf_made_is_made_anew(bodies, tmp_path):
    def leaf():
        pipeline = Pipeline("cache", "leaf")

        @as_pickle_step(pipeline)
        def write():
            ran("write")
            (tmp_path / "leaf.txt").write_text("leaf")
            return File("leaf.txt")

        write()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipeline.execute(output="none", check=True)

    leaf()
    leaf()
    assert bodies.take() == ["write"]
    (tmp_path / "leaf.txt").write_text("fell")
    leaf()
    leaf()
    assert bodies.take() == ["write"]
    assert (tmp_path / "leaf.txt").read_text() == "leaf"


def test_result_taken_over_names_its_files_too(bodies, tmp_path):
    def chain(code):
        pipeline = Pipeline("cache", "chain", revise=True)
        names = {"ran": ran, "File": File}
        exec(f"def source():\n    ran('source')\n    {code}\n    return 5", names)

        @as_pickle_step(pipeline)
        def write(x):
            ran("write")
            (tmp_path / "chain.txt").write_text(str(x))
            return File("chain.txt")

        write(as_pickle_step(pipeline)(names["source"])())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            pipeline.execute(output="none", check=True)
        return bodies.take()

    assert chain("one = 1") == ["source", "write"]
    assert chain("two = 2") == ["source"]
    (tmp_path / "chain.txt").write_text("other")
    assert chain("two = 2") == ["write"]
    (tmp_path / "chain.txt").write_text("other again")
    assert chain("three = 3") == ["source", "write"]


def test_file_that_another_step_writes_meanwhile_is_an_error_of_the_step(bodies, tmp_path):
    (tmp_path / "data.txt").write_text("old")

    def run():
        pipeline = Pipeline("cache", "meanwhile")

        @as_pickle_step(pipeline)
        def write():
            (tmp_path / "data.txt").write_text("new")

        @as_pickle_step(pipeline, depends_on=[write()])
        def read(file):
            ran("read")
            return open(file).read()

        read(File("data.txt"))
        return pipeline, pipeline.execute(output="none")

    pipeline, report = run()
    assert report.failed == ("read",)
    with pytest.raises(Exception, match="let the step that writes it return the File") as caught:
        pipeline.get_result("read")
    assert ArgumentMutatedError.__name__ in str(caught.value)
    assert bodies.take() == []
    pipeline, report = run()
    assert report.ok
    assert pipeline.get_result("read") == "new"
