"""What steps read by themselves, files, folders and variables, is observed: a result holds while that is the same."""

import gzip
import os
import sqlite3
import zipfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from ezpyp import Pipeline
from tests.mpi import mpirun, python

from .tools import Bodies, declared, executed, query

# Each reads the file called like itself, or the folder.
READERS = """
import csv, gzip, importlib, io, json, linecache, pathlib, pickle, sqlite3, threading, zipfile
import numpy as np
import pandas as pd
from PIL import Image
def helper(path):
    with io.open(path) as file: return file.read()
def in_thread(function):
    found = []
    thread = threading.Thread(target=lambda: found.append(function()))
    thread.start()
    thread.join()
    return found[0]
step plain(): return open("plain").read()
step absolute(): return open(os.path.abspath("absolute")).read()
step of_bytes(): return open(b"of_bytes").read()
step by_path(): return pathlib.Path("by_path").read_text()
step by_descriptor(): return os.read(os.open("by_descriptor", os.O_RDONLY), 99)
step by_helper(): return helper("by_helper")
step by_thread(): return in_thread(lambda: open("by_thread").read())
step by_link(): return open("link").read()
step lines(): return list(csv.reader(open("lines")))
step as_json(): return json.load(open("as_json"))
step as_pickle(): return pickle.load(open("as_pickle", "rb"))
step array(): return np.load("array").sum()
step text_array(): return np.loadtxt("text_array").sum()
step from_file(): return np.fromfile("from_file", "u1").sum()
step mapped(): return int(np.memmap("mapped", "u1", "r").sum())
step frame(): return pd.read_csv("frame").to_dict()
step packed(): return zipfile.ZipFile("packed").read("part")
step zipped(): return gzip.open("zipped").read()
step image(): return Image.open("image").getpixel((0, 0))
step database(): return sqlite3.connect("database").execute("SELECT x FROM t").fetchall()
step optional(): return open("optional").read() if os.access("optional", os.R_OK) or helper("optional") else None
"""
START = "import os\n"


def save_array(path: Path, number: int) -> None:
    with path.open("wb") as file:
        np.save(file, np.arange(number))


def pack(path: Path, number: int) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("part", str(number))


def replace_row(path: Path, number: int) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(f"CREATE TABLE IF NOT EXISTS t (x); DELETE FROM t; INSERT INTO t VALUES ({number})")


WRITERS: dict[str, Callable[[Path, int], object]] = {
    "array": save_array,
    "text_array": lambda path, number: np.savetxt(path, np.arange(number)),
    "as_pickle": lambda path, number: path.write_bytes(b"I%d\n." % number),
    "frame": lambda path, number: path.write_text(f"a,b\n{number},2\n"),
    "packed": pack,
    "zipped": lambda path, number: path.write_bytes(gzip.compress(str(number).encode())),
    "image": lambda path, number: Image.new("L", (1, 1), number).save(path, "PNG"),
    "database": replace_row,
}


def written(name: str, number: int) -> None:
    """Write a file of one kind; another number is another content."""
    WRITERS.get(name, lambda path, number: path.write_text(str(number)))(Path(name), number)


NAMES = [line.split("(")[0].removeprefix("step ") for line in READERS.splitlines() if line.startswith("step ")]
FILES = [name for name in NAMES if name != "optional"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder, with a file for each reader."""
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        written(name, 5)
    Path("link").symlink_to("by_link")
    return tmp_path


def ran(location: Path, bodies: Bodies, source: str) -> set[str]:
    executed(location, source, output="none")
    return set(bodies.take())


def test_a_file_counts_by_its_content_however_it_is_read(location: Path, folder: Path, bodies: Bodies) -> None:
    source = START + READERS + "\n".join(f"{name}()" for name in FILES)
    assert ran(location, bodies, source) == set(FILES)
    assert ran(location, bodies, source) == set()

    for name in FILES:
        os.utime(name)  # touched
    assert ran(location, bodies, source) == set()
    before = {name: Path(name).read_bytes() for name in FILES}
    for name in FILES:
        written(name, 7)
    assert ran(location, bodies, source) == set(FILES)
    for name, content in before.items():
        Path(name).write_bytes(content)  # put back: the results of then are taken
    assert ran(location, bodies, source) == set()
    plain = executed(location, source, output="none").get_result
    assert (plain("plain"), plain("array"), plain("frame")) == ("5", 10, {"a": {0: 5}, "b": {0: 2}})
    assert ran(location, bodies, source) == set()


def test_a_file_that_was_not_there_counts_too_and_one_that_goes(location: Path, folder: Path, bodies: Bodies) -> None:
    source = """
    import os
    from pathlib import Path
    @step
    def optional():
        ran("optional")
        try:
            return open("optional").read()
        except FileNotFoundError:
            return None

    optional()
    """
    assert ran(location, bodies, source) == {"optional"}
    assert ran(location, bodies, source) == set()
    Path("optional").write_text("here")
    pipeline = executed(location, source, output="none")
    assert (bodies.take(), pipeline.get_result("optional")) == (["optional"], "here")
    Path("optional").unlink()
    pipeline = executed(location, source, output="none")
    assert (bodies.take(), pipeline.get_result("optional")) == ([], None)


FOLDERS = """
import glob, os, pathlib
step listed(): return sorted(os.listdir("data"))
step scanned(): return sorted(entry.name for entry in os.scandir("data"))
step globbed(): return sorted(glob.glob("data/*.csv"))
step path_globbed(): return sorted(map(str, pathlib.Path("data").glob("*.csv")))
step walked(): return list(os.walk("data"))
listed(), scanned(), globbed(), path_globbed(), walked()
"""


def test_a_folder_that_is_listed_counts_by_its_names(location: Path, folder: Path, bodies: Bodies) -> None:
    names = {"listed", "scanned", "globbed", "path_globbed", "walked"}
    Path("data").mkdir()
    Path("data/a.csv").write_text("1")
    assert ran(location, bodies, FOLDERS) == names
    Path("data/a.csv").write_text("2")  # nobody read it
    assert ran(location, bodies, FOLDERS) == set()
    Path("data/b.csv").write_text("1")
    assert ran(location, bodies, FOLDERS) == names
    Path("data/b.csv").unlink()
    assert ran(location, bodies, FOLDERS) == set()


VARIABLES = """
import os
from os import environ, getenv
step subscript(): return os.environ["MODE"]
step got(): return os.environ.get("MODE", "none")
step asked(): return getenv("MODE")
step within(): return "MODE" in environ
step computed(): return environ["MO" + "DE"]
step copied(): return len(dict(os.environ)) + len({**os.environ, "A": "1"}) + len(os.environ.copy()) > 3
step asked_after_names(): return [name for name in os.environ if name == "MODE"] and os.environ["MODE"]
step filtered(): return {name: value for name, value in os.environ.items() if name == "HOME"}
step by_library(): return os.path.expanduser("~")
asked_after_names(), filtered()
subscript(), got(), asked(), within(), computed(), copied(), by_library()
"""


def test_a_variable_counts_where_the_users_code_reads_it(
    location: Path, bodies: Bodies, monkeypatch: pytest.MonkeyPatch
) -> None:
    every = {"subscript", "got", "asked", "within", "computed", "asked_after_names"}
    monkeypatch.setenv("MODE", "fast")
    assert ran(location, bodies, VARIABLES) == every | {"copied", "filtered", "by_library"}
    monkeypatch.setenv("OTHER", "1")
    monkeypatch.setenv("HOME", "/nowhere")
    assert ran(location, bodies, VARIABLES) == set()
    monkeypatch.setenv("MODE", "exact")
    assert ran(location, bodies, VARIABLES) == every
    assert "exact" not in str(query(location, "SELECT name, digest FROM observations"))
    monkeypatch.setenv("MODE", "fast")
    assert ran(location, bodies, VARIABLES) == set()


OWN = """
import os, pathlib, subprocess, sys, tempfile, warnings
@step
def writes():
    ran("writes")
    with open("made.txt", "w") as file:
        file.write("1")
    with tempfile.TemporaryDirectory() as made:
        subprocess.run(["sh", "-c", f"echo 2 > {made}/part"], check=True)
        os.makedirs(f"{made}/a/b")
        found = open(f"{made}/part").read() + str(os.listdir(made))
    with tempfile.NamedTemporaryFile("w+") as file:
        file.write("3")
        file.seek(0)
        found += open(file.name).read()
    pathlib.Path("new.txt").write_text("4")
    os.replace("new.txt", "moved.txt")
    warnings.warn("shows a line of this file")
    return open("made.txt").read() + found + open("moved.txt").read()

@step
def updates():
    ran("updates")
    count = int(open("count").read())
    pathlib.Path("count").write_text(str(count + 1))
    return count

writes(), updates()
"""


@pytest.mark.filterwarnings("ignore:shows a line")
def test_what_a_step_makes_itself_is_its_own(location: Path, folder: Path, bodies: Bodies) -> None:
    Path("count").write_text("0")
    assert ran(location, bodies, OWN) == {"writes", "updates"}
    for name in ("made.txt", "moved.txt"):
        Path(name).unlink()
    assert ran(location, bodies, OWN) == set()
    Path("count").write_text("7")
    assert ran(location, bodies, OWN) == {"updates"}


def test_it_is_said_why_a_step_runs(location: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "@step\ndef read():\n    return open('plain').read(), os.environ.get('MODE')\nread()"
    executed(location, START + source, output="none")

    def why(change: Callable[[], object]) -> str:
        change()
        pipeline = declared(location, START + source)
        pipeline.initialize_schema()
        planned = [step.reason for step in pipeline.plan().to_run]
        pipeline.execute(output="none")
        assert planned == [reason for (reason,) in query(location, "SELECT reason FROM current_steps")]
        return planned[0]

    assert why(lambda: written("plain", 6)) == "file plain, which the step read, changed"
    assert why(lambda: monkeypatch.setenv("MODE", "x")) == "variable MODE, which the step read, was not set"


@pytest.mark.parametrize("where", ["step", "pipeline"])
def test_observing_can_be_left_out(location: Path, folder: Path, where: str) -> None:
    def report() -> int:
        pipeline = Pipeline(location, "study", observe=where != "pipeline")
        options = {"observe": False} if where == "step" else {}
        pipeline.step(lambda: Path("plain").read_text(), name="read", **options)()  # type: ignore[arg-type]  # one of them
        return pipeline.execute(output="none").cached

    report()
    written("plain", 6)
    assert report() == 1


LIBRARIES = """
import sys
import ezpyp

pipeline = ezpyp.Pipeline("cache", "study")

@pipeline.step
def libraries():
    import warnings
    import attrs, click, cloudpickle, hypothesis, joblib, jsonschema, matplotlib, numba, numpy, pandas, polars, pyarrow
    import pyarrow.parquet, pydantic, rich.console, scipy.stats, sklearn.datasets, sqlite_utils, xarray, xxhash
    import importlib.metadata
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    plt.plot([1, 2])
    plt.savefig("figure.png")
    sklearn.datasets.load_iris()
    warnings.warn(importlib.metadata.version("numpy"))

@pipeline.step
def reads(x):
    return open("plain").read() + str(x)

if pipeline.size == 1:  # under mpirun only what the examples need is installed
    libraries()
reads.map(range(4))
report = pipeline.execute(output="none")
if pipeline.is_root:
    print(report.done, report.cached)
"""


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
def test_what_libraries_read_of_their_own_is_not_observed(folder: Path, ranks: int) -> None:
    script = folder / "study.py"
    script.write_text(LIBRARIES)

    def counts() -> str:
        job = mpirun(ranks, script, cwd=folder, timeout=110) if ranks > 1 else python(script, cwd=folder, timeout=110)
        assert job.returncode == 0, job.stderr
        return job.stdout.strip()

    more = int(ranks == 1)
    assert counts() == f"{4 + more} 0"
    assert query(folder / "cache", "SELECT DISTINCT kind, name FROM observations") == [("file", "plain")]
    assert counts() == f"0 {4 + more}"
    written("plain", 6)
    assert counts() == f"4 {more}"
