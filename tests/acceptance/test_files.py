"""Files as arguments and results: a result holds as long as the files that it names do."""

import json
import os
import re
import shutil
import warnings
from pathlib import Path

import pytest

from ezpyp import File, Folder, Pipeline, as_pickle_step, open_cache
from ezpyp.errors import ArgumentMutatedError, EzpypError, FileChangedError
from tests.acceptance.tools import Bodies, ran
from tests.mpi import python
from tests.store.objects.tools import flip


@pytest.fixture
def bodies(tmp_path, monkeypatch):
    monkeypatch.setenv("TRACE_FILE", str(tmp_path / "trace"))
    monkeypatch.chdir(tmp_path)
    return Bodies(tmp_path / "trace")


def study(text="one", *, more=False, restore=False):
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
        pipeline.execute(output="none", check=True, restore=restore, revise=True)
    return pipeline, [str(one.message) for one in told if one.category is UserWarning]


def test_a_file_that_is_gone_comes_back_without_a_run(bodies, tmp_path):
    pipeline, _ = study()
    assert bodies.take() == ["write", "read"]
    for _ in range(2):
        (tmp_path / "out.txt").unlink()
        assert pipeline.steps[0].get_result() == {"where": [File("out.txt")]}
        assert (tmp_path / "out.txt").read_text() == "one"
    (tmp_path / "out.txt").unlink()
    pipeline, told = study(more=True)
    assert (bodies.take(), told) == (["measure"], [])
    assert ((tmp_path / "out.txt").read_text(), pipeline.get_result("measure")) == ("one", 3)


def test_a_file_that_somebody_changed_is_not_overwritten_unasked(bodies, tmp_path):
    study()
    (tmp_path / "out.txt").write_text("mine")
    with pytest.raises(FileChangedError, match=r"'out.txt' is not what the step made.*restore=True"):
        study()
    assert (tmp_path / "out.txt").read_text() == "mine"
    study(restore=True)
    assert ((tmp_path / "out.txt").read_text(), bodies.take()) == ("one", ["write", "read"])


def test_what_another_version_of_a_step_made_is_in_the_store_and_may_be_overwritten(bodies, tmp_path):
    study("one")
    study("two")
    study("one")
    assert (tmp_path / "out.txt").read_text() == "one"
    assert bodies.take() == ["write", "read", "write", "read"]


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), flip], ids=["gone", "flipped"])
def test_a_file_that_is_gone_and_damaged_in_the_store_is_made_anew(bodies, tmp_path, damage):
    study()
    (stored,) = (tmp_path / "cache" / "objects").glob("*/*.file")
    damage(stored)
    (tmp_path / "out.txt").unlink()
    bodies.take()
    _, told = study()
    assert bodies.take() == ["write"]
    assert re.search("'write'.*out.txt", told[0])
    assert (tmp_path / "out.txt").read_text() == "one"


def test_the_store_s_copy_is_its_own(bodies, tmp_path):
    study()
    with (tmp_path / "out.txt").open("r+") as file:
        file.write("ONE")
    study(restore=True)
    assert (tmp_path / "out.txt").read_text() == "one"


def report(folder, *, clash=False):
    """Steps that make a folder of tables and a figure of it."""
    pipeline = Pipeline("cache", "report")

    @pipeline.step
    def tables():
        ran("tables")
        for number in range(3):
            Path(folder, "tables", str(number)).mkdir(parents=True, exist_ok=True)
            Path(folder, "tables", str(number), "t.csv").write_text(f"x\n{number}\n")
        Path(folder, "tables", "notes").write_text("none of it")
        return Folder(f"{folder}/tables", "*/*.csv")

    @pipeline.step
    def figure(tables):
        ran("figure")
        texts = [Path(name).read_text() for name in tables]
        assert os.listdir(tables)
        Path(folder, "figure.png").write_text("".join(texts))
        return {"figure": File(f"{folder}/figure.png"), "count": len(texts)}

    @pipeline.step
    def other(made):
        ran("other")
        Path(folder, "figure.png").write_text("another")
        return File(f"{folder}/figure.png")

    made = figure(tables())
    if clash:
        other(made)
    return pipeline, pipeline.execute(output="none")


def test_a_deleted_folder_of_results_comes_back_as_it_was(bodies, tmp_path):
    report("out")
    assert bodies.take() == ["tables", "figure"]
    before = {path: path.read_text() for path in Path("out").rglob("*") if path.is_file() and path.name != "notes"}
    shutil.rmtree("out")
    _, ended = report("out")
    assert (bodies.take(), ended.cached) == ([], 2)
    assert {path: path.read_text() for path in Path("out").rglob("*") if path.is_file()} == before
    shutil.rmtree("out")
    shutil.move("cache", "elsewhere")
    assert open_cache("elsewhere").get_result("figure")["count"] == 3
    assert Path("out/figure.png").exists()


def test_two_steps_that_write_one_path_are_told_of_it(bodies):
    _, ended = report("out", clash=True)
    assert ended.failed == ("other",)
    assert ended.failures["other"].type_name == "ezpyp.errors.FileConflictError"
    assert "'figure' and 'other' both name the file 'out/figure.png'" in ended.failures["other"].message


def test_a_folder_counts_by_the_names_and_contents_that_fit(bodies, tmp_path):
    Path("data/deep").mkdir(parents=True)
    for name in ("a.csv", "b.csv", "deep/c.csv", "notes"):
        Path("data", name).write_text(name)

    def runs(pattern="*.csv"):
        pipeline = Pipeline("cache", "folder", revise=True)
        pipeline.step(lambda folder: [Path(name).read_text() for name in folder], name="read")(Folder("data", pattern))
        return pipeline.execute(output="none", check=True).done

    assert (runs(), runs()) == (1, 0)
    Path("data/notes").write_text("not a table")
    Path("data/deep/c.csv").write_text("deeper")
    os.utime("data/a.csv")
    assert runs() == 0
    for change in (
        lambda: Path("data/a.csv").write_text("A"),
        lambda: Path("data/d.csv").write_text("d"),
        lambda: Path("data/d.csv").rename("data/e.csv"),
        lambda: Path("data/b.csv").unlink(),
    ):
        change()
        assert runs() == 1
    assert runs("**/*") == 1
    Path("data").rename("moved")
    with pytest.raises(EzpypError, match=r"there is no folder .*data"):
        runs()


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


def test_a_file_that_one_step_is_given_and_another_reads_by_itself_counts_for_both(bodies, tmp_path):
    Path("in.txt").write_text("one")

    def counts():
        pipeline = Pipeline("cache", "both", revise=True)
        given = pipeline.step(lambda file: Path(file).read_text(), name="given")(File("in.txt"))
        pipeline.step(lambda: Path("in.txt").read_text(), name="plain", depends_on=[given])()
        pipeline.step(lambda file: 1 / len(Path(file).read_text()[3:]), name="failing")(File("in.txt"))
        pipeline.step(lambda: Path("in.txt").read_text(), name="alone")()
        return pipeline.execute(output="none").done

    assert counts() == 3
    assert counts() == 0
    Path("in.txt").write_text("two")
    assert counts() == 3


def test_inspect_gives_files_and_counts_and_checks_them(bodies, tmp_path):
    report("out")

    def inspect(*words):
        return python("-m", "ezpyp.inspect", "cache", *words)

    Path("taken").mkdir()
    assert inspect("get", "figure", "-o", "taken").returncode == 0
    assert Path("taken/figure.png").read_bytes() == Path("out/figure.png").read_bytes()
    shown = inspect("show", "figure").stdout
    assert re.search(r"files +out/figure.png, 12 B", shown)
    sizes = {row["what"]: row for row in json.loads(inspect("du", "--by", "codec", "--format", "json").stdout)}
    assert (sizes["file"]["files"], sizes["file"]["bytes"]) == (4, 24)
    assert inspect("verify").returncode == 0
    flip(next((tmp_path / "cache" / "objects").glob("*/*.file")))
    for options in ("--quick",), (), ("--repair",):
        assert inspect("verify", *options).returncode == (0 if "--quick" in options else 1)
    report("out")  # the file is there, and is taken into the store anew
    assert inspect("verify").returncode == 0
