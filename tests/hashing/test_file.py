"""Files count by content, and an unchanged one is read once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ezpyp import File
from ezpyp.errors import UnhashableValueError
from ezpyp.hashing import files
from ezpyp.hashing.encode import encode, value_digest
from ezpyp.hashing.files import FileDigests

from ..mpi import ROOT, clean_environ

LATER_NS = 3_600_000_000_000


@pytest.fixture
def reads(monkeypatch):
    """Paths of the files that were read."""
    found = []
    read = files._read
    monkeypatch.setattr(files, "_read", lambda path: found.append(path) or read(path))
    return found


@pytest.fixture
def path(tmp_path):
    """A file that was just written."""
    (tmp_path / "a").write_text("x")
    return tmp_path / "a"


@pytest.fixture
def digests():
    """A memory of its own, an hour after everything was written."""
    return FileDigests(lambda: time.time_ns() + LATER_NS)


def content(path):
    return FileDigests().digest(str(path), strict=True)


def test_content_counts_and_the_name_does_not(tmp_path):
    for name, text in (("a", "x"), ("b", "x"), ("c", "y")):
        (tmp_path / name).write_text(text)

    a, b, c = (value_digest(File(tmp_path / name)) for name in "abc")

    assert a == b != c
    assert a == value_digest(File(tmp_path / "a", strict=True))


@pytest.mark.parametrize("size", [0, 1, 1 << 20, (5 << 20) + 3])
def test_digest_is_that_of_the_bytes(path, size):
    path.write_bytes(b"x" * size)

    assert content(path) == files.digest(b"x" * size)


@pytest.mark.parametrize(
    ("later_ns", "written_ns", "strict", "times"),
    [(LATER_NS, 0, False, 1), (LATER_NS, 0, True, 3), (0, 0, False, 3), (LATER_NS, 2 * LATER_NS, False, 3)],
    ids=["unchanged", "strict", "written a moment ago", "from the future"],
)
def test_how_often_a_file_is_read(path, reads, later_ns, written_ns, strict, times):
    os.utime(path, ns=(0, time.time_ns() + written_ns))
    digests = FileDigests(lambda: time.time_ns() + later_ns)

    assert len({digests.digest(str(path), strict=strict) for _ in range(3)}) == 1
    assert reads == [str(path)] * times
    assert len(digests.fresh_for("here")) == (later_ns > written_ns)


def keeping_its_times(path, change):
    before = path.stat()
    change(path)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def replaced(path):
    path.with_name("new").write_text("y")
    path.with_name("new").replace(path)


CHANGES = {
    "other content": lambda path: path.write_text("y"),
    "same size and time": lambda path: keeping_its_times(path, lambda path: path.write_text("y")),
    "replaced, same size and time": lambda path: keeping_its_times(path, replaced),
    "longer": lambda path: path.write_text("xx"),
    "emptied": lambda path: path.write_text(""),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_changed_file_is_read_again(path, digests, change):
    before = digests.digest(str(path), strict=False)
    time.sleep(0.02)  # a tick of the file system's clock
    change(path)

    assert digests.digest(str(path), strict=False) == content(path) != before


def while_reading(monkeypatch, change):
    read = files._digest_of
    monkeypatch.setattr(files, "_digest_of", lambda readinto: (read(readinto), change())[0])


def test_file_that_changes_while_it_is_read_is_read_again(path, monkeypatch, digests):
    while_reading(monkeypatch, lambda: path.read_text() == "x" and path.write_text("yy"))

    assert digests.digest(str(path), strict=False) == files.digest(b"yy")


def test_file_that_never_rests_is_an_error(path, monkeypatch):
    while_reading(monkeypatch, lambda: path.write_text(path.read_text() + "x"))

    with pytest.raises(UnhashableValueError, match="changes while it is read"):
        encode([File(path, strict=True)], ["args[0]"])


def test_digests_of_an_earlier_process_are_used(path, reads, digests):
    expected = digests.digest(str(path), strict=False)
    reads.clear()
    asked = []
    later = FileDigests()
    later.add_source("index", lambda: asked.append(1) or dict(digests.fresh_for("index")))
    assert not asked

    assert {later.digest(str(path), strict=False) for _ in range(2)} == {expected}
    assert (asked, reads) == ([1], [])
    assert digests.fresh_for("index") == []


def refused(path):
    with pytest.raises(UnhashableValueError) as caught:
        encode([1, {"data": [File(path)]}], ["args[0]", "args[1]"])
    assert caught.value.path == "args[1]['data'][0]"
    return str(caught.value)


def test_what_is_no_file_is_an_error_that_names_path_and_argument(tmp_path):
    os.mkfifo(tmp_path / "pipe")

    assert refused(tmp_path / "none").endswith(f"ezpyp.hashing.files.File: there is no file {tmp_path}/none")
    assert f"{tmp_path} is a folder" in refused(tmp_path)
    assert f"{tmp_path}/pipe is no regular file" in refused(tmp_path / "pipe")
    assert "'a\\x00b' cannot be read" in refused("a\0b")


def test_file_without_permission_is_an_error(path, monkeypatch):
    def forbidden(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    # Root may read everything, so the system's refusal is played.
    monkeypatch.setattr("builtins.open", forbidden)

    assert f"{str(path)!r} cannot be read: Permission denied" in refused(path)


SCRIPT = """
import sys
from ezpyp import File, Pipeline
from ezpyp.hashing import files

reads = []
read = files._read
files._read = lambda path: reads.append(path) or read(path)
pipeline = Pipeline("cache", "study", revise=True)

@pipeline.step
def written(text):
    with open("out.txt", "w") as file:
        file.write(text)
    return File("out.txt")

@pipeline.step
def shouted(file):
    print("shouting")
    with open(file) as opened:
        return opened.read().upper()

name, text = sys.argv[1:]
last = shouted(written(text=text) if text else File(name))
pipeline.execute(output="none")
print(len(reads), last.get_result())
"""


def run(name="", text=""):
    """Run the script: how many files it read, and what else it printed."""
    environ = {**clean_environ(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SCRIPT, name, text], capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    *shouting, reads, result = done.stdout.split()
    return int(reads), [*shouting, result]


def test_unchanged_file_is_not_read_by_a_later_run_and_a_changed_one_runs_its_step_again():
    path = Path("a.txt")
    path.write_text("x")
    assert run("a.txt")[1] == ["shouting", "X"]
    while time.time_ns() - max(path.stat().st_ctime_ns, path.stat().st_mtime_ns) < 2_100_000_000:
        time.sleep(0.1)

    # A file of this moment is not remembered by the first run, so the second may read it once more.
    assert run("a.txt")[1] == ["X"]
    assert run("a.txt") == (0, ["X"])

    keeping_its_times(path, lambda path: path.write_text("y"))

    assert run("a.txt")[1] == ["shouting", "Y"]


def test_file_that_a_step_wrote_counts_by_content():
    assert [run(text=text)[1] for text in "xyy"] == [["shouting", "X"], ["shouting", "Y"], ["Y"]]
