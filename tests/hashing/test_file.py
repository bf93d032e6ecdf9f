"""Files count by content, and an unchanged one is read once."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ezpyp import File
from ezpyp.errors import UnhashableValueError
from ezpyp.hashing import files as _file_memo
from ezpyp.hashing.encode import encode, value_digest
from ezpyp.hashing.files import FileDigests

from ..mpi import ROOT, clean_environ

LATER_NS = 3_600_000_000_000


@pytest.fixture
def reads(monkeypatch):
    """Paths of the files that were read."""
    found = []
    read = _file_memo._read

    def reading(path):
        found.append(path)
        return read(path)

    monkeypatch.setattr(_file_memo, "_read", reading)
    return found


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
def test_digest_is_that_of_the_bytes(tmp_path, size):
    (tmp_path / "a").write_bytes(b"x" * size)

    assert content(tmp_path / "a") == _file_memo.digest(b"x" * size)


def test_unchanged_file_is_read_once(tmp_path, reads, digests):
    path = str(tmp_path / "a")
    Path(path).write_text("x")

    assert len({digests.digest(path, strict=False) for _ in range(5)}) == 1
    assert reads == [path]


def test_strict_reads_each_time(tmp_path, reads, digests):
    path = str(tmp_path / "a")
    Path(path).write_text("x")
    for _ in range(3):
        digests.digest(path, strict=True)

    assert len(reads) == 3


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
def test_changed_file_is_read_again(tmp_path, digests, change):
    path = tmp_path / "a"
    path.write_text("x")
    before = digests.digest(str(path), strict=False)
    time.sleep(0.02)  # a tick of the file system's clock
    change(path)

    assert digests.digest(str(path), strict=False) == content(path) != before


def test_file_written_a_moment_ago_is_not_remembered(tmp_path, reads):
    path = str(tmp_path / "a")
    Path(path).write_text("x")
    digests = FileDigests()
    for _ in range(3):
        digests.digest(path, strict=False)

    assert len(reads) == 3
    assert digests.fresh_for("here") == []


def test_file_from_the_future_is_not_remembered(tmp_path, reads, digests):
    path = str(tmp_path / "a")
    Path(path).write_text("x")
    os.utime(path, ns=(0, time.time_ns() + 2 * LATER_NS))
    for _ in range(2):
        digests.digest(path, strict=False)

    assert len(reads) == 2


def test_file_that_changes_while_it_is_read_is_read_again(tmp_path, monkeypatch, digests):
    path = tmp_path / "a"
    path.write_text("x")
    read = _file_memo._digest_of

    def overtaken(readinto):
        found = read(readinto)
        if path.read_text() == "x":
            path.write_text("yy")
        return found

    monkeypatch.setattr(_file_memo, "_digest_of", overtaken)

    assert digests.digest(str(path), strict=False) == _file_memo.digest(b"yy")


def test_file_that_never_rests_is_an_error(tmp_path, monkeypatch):
    path = tmp_path / "a"
    path.write_text("x")
    read = _file_memo._digest_of

    def growing(readinto):
        with path.open("a") as file:
            file.write("x")
        return read(readinto)

    monkeypatch.setattr(_file_memo, "_digest_of", growing)

    with pytest.raises(UnhashableValueError, match="changes while it is read"):
        encode([File(path, strict=True)], ["args[0]"])


def test_digests_of_an_earlier_process_are_used(tmp_path, reads, digests):
    path = str(tmp_path / "a")
    Path(path).write_text("x")
    expected = digests.digest(path, strict=False)
    reads.clear()
    asked = []

    def source():
        asked.append(1)
        return dict(digests.fresh_for("index"))

    later = FileDigests()
    later.add_source("index", source)
    assert not asked

    assert {later.digest(path, strict=False) for _ in range(2)} == {expected}
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


def test_file_without_permission_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "a").write_text("x")

    def forbidden(*args, **kwargs):
        raise PermissionError(13, "Permission denied")

    # Root may read everything, so the system's refusal is played.
    monkeypatch.setattr("builtins.open", forbidden)

    assert f"{str(tmp_path / 'a')!r} cannot be read: Permission denied" in refused(tmp_path / "a")


SCRIPT = """
import os, sys
from ezpyp import File, Pipeline
from ezpyp.hashing.files import FILE_DIGESTS; from ezpyp.hashing import files as _file_memo

reads = []
read = _file_memo._read
_file_memo._read = lambda path: reads.append(path) or read(path)
runs = []
pipeline = Pipeline("cache", "study", revise=True)

@pipeline.step
def length(file):
    runs.append(1)
    with open(file) as opened:
        return len(opened.read())

steps = [length(File(name)) for name in sys.argv[1:]]
pipeline.execute(output="none")
print(len(reads), len(runs), *[step.get_result() for step in steps])
"""


def run(*names):
    environ = {**clean_environ(), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", SCRIPT, *names], capture_output=True, text=True, env=environ)
    assert done.returncode == 0, done.stderr
    return [int(number) for number in done.stdout.split()]


def aged(path, text):
    """Write a file, and wait until it is no longer of this moment."""
    path.write_text(text)
    while time.time_ns() - max(path.stat().st_ctime_ns, path.stat().st_mtime_ns) < 2_100_000_000:
        time.sleep(0.1)


def test_unchanged_file_is_not_read_by_a_later_run():
    aged(Path("a.txt"), "x")

    assert run("a.txt") == [1, 1, 1]
    assert run("a.txt") == [0, 0, 1]


def test_file_that_was_fresh_in_the_first_run_is_remembered_by_the_second():
    Path("a.txt").write_text("x")
    reads, *rest = run("a.txt")
    assert reads > 1
    assert rest == [1, 1]
    aged(Path("a.txt"), "x")

    assert run("a.txt") == [1, 0, 1]
    assert run("a.txt") == [0, 0, 1]


def test_changed_file_runs_its_step_again():
    aged(Path("a.txt"), "x")
    run("a.txt")
    before = Path("a.txt").stat()
    Path("a.txt").write_text("y")
    os.utime("a.txt", ns=(before.st_atime_ns, before.st_mtime_ns))

    assert run("a.txt")[1:] == [1, 1]


CHAIN = """
import sys
from pathlib import Path
from ezpyp import File, Pipeline

pipeline = Pipeline("cache", "study", revise=True)

@pipeline.step
def written(text):
    Path("out.txt").write_text(text)
    return File("out.txt")

@pipeline.step
def shouted(file):
    print("shouting")
    return Path(file).read_text().upper()

last = shouted(written(text=sys.argv[1], **{}))
pipeline.execute(output="none")
print(last.get_result())
"""


def test_file_that_a_step_wrote_counts_by_content():
    environ = {**clean_environ(), "PYTHONPATH": str(ROOT)}

    def chain(text):
        done = subprocess.run([sys.executable, "-c", CHAIN, text], capture_output=True, text=True, env=environ)
        assert done.returncode == 0, done.stderr
        return done.stdout.split()

    assert chain("x") == ["shouting", "X"]
    assert chain("y") == ["shouting", "Y"]
    assert chain("y") == ["Y"]
