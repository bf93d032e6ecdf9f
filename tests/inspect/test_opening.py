"""Opening a cache: wherever it lies, without leaving a trace; and what is none, said in one line."""

import os
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from ezpyp.errors import CacheFormatError, CacheNotFoundError, DamagedIndexError, StoreError
from ezpyp.store.reader import Reader
from tests.inspect import build

NOBODY = 65534


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def names(folder: Path) -> list[str]:
    with Reader(folder) as reader:
        return [step.name for step in reader.steps(reader.view())]


def test_reading_changes_and_creates_nothing(finished, ask):
    before = contents(finished)

    for verb in ((), ("steps",), ("runs",), ("show", "gamma"), ("sql", "SELECT * FROM steps")):
        ask(finished, *verb)

    assert contents(finished) == before


def test_rows_of_a_run_that_writes_are_seen(tmp_path):
    cache = build.running(tmp_path / "cache")  # open: everything is still in the -wal

    assert names(cache.folder) == ["alpha", "beta", "gamma"]


def test_one_reading_sees_one_moment(tmp_path):
    cache = build.running(tmp_path / "cache")

    with Reader(cache.folder) as reader:
        before = reader.view()
        cache.run()

        assert reader.view() == before
    with Reader(cache.folder) as reader:
        assert reader.view() != before


def copy_of_a_live_cache(tmp_path: Path, *left_out: str) -> Path:
    """What a backup taken in the middle of a run, or a killed run, leaves."""
    cache = build.running(tmp_path / "live")
    return Path(shutil.copytree(cache.folder, tmp_path / "copy", ignore=shutil.ignore_patterns(*left_out)))


def test_rows_of_a_wal_without_its_shm_are_seen_and_nothing_is_left(tmp_path):
    folder = copy_of_a_live_cache(tmp_path, "*-shm")
    before = contents(folder)

    assert names(folder) == ["alpha", "beta", "gamma"]
    assert contents(folder) == before


def test_a_journal_of_a_killed_writer_is_rolled_back_in_a_copy(tmp_path):
    folder = build.finished(tmp_path / "cache").close()
    index = sqlite3.connect(folder / "ezpyp.sqlite", isolation_level=None)
    index.execute("PRAGMA journal_mode = DELETE")
    index.execute("PRAGMA cache_size = 1")  # forces pages, and the journal, to the disk before the commit
    index.execute("BEGIN")
    index.execute(
        "CREATE TABLE junk AS WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT 20000) SELECT i FROM n"
    )
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    index.close()
    assert (copy / "ezpyp.sqlite-journal").stat().st_size
    before = contents(copy)

    with Reader(copy) as reader:
        assert reader.one("SELECT count(*) FROM sqlite_master WHERE name = 'junk'") == (0,)
        assert len(list(reader.steps(reader.view()))) == 3
    assert contents(copy) == before


@pytest.mark.parametrize("left_out", [(), ("*-shm",), ("*-shm", "*-wal")])
def test_a_read_only_folder_of_somebody_else_shows_every_row(tmp_path, left_out):
    folder = copy_of_a_live_cache(tmp_path, *left_out)
    if len(left_out) == 2:
        folder = shutil.copytree(build.finished(tmp_path / "cache").close(), tmp_path / "closed")
    for path in [*folder.rglob("*"), folder]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    assert_reachable(tmp_path)

    out = as_nobody(lambda: "\n".join(names(folder)))

    assert out.splitlines() == ["alpha", "beta", "gamma"]


def assert_reachable(folder: Path) -> None:
    """pytest's folders are closed to others; only those above this test's own are opened."""
    while folder.stat().st_uid == os.geteuid() and folder != folder.parent and str(folder) != "/tmp":
        folder.chmod(0o755)
        folder = folder.parent


def as_nobody(tell: Callable[[], str]) -> str:
    """Ask in a child process that may write nothing: root may write into a read-only folder."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        # Nothing may escape: pytest itself would go on in the child.
        try:
            if os.geteuid() == 0:
                os.setgid(NOBODY)
                os.setuid(NOBODY)
            os.write(outlet, tell().encode())
        except BaseException as error:
            os.write(outlet, repr(error).encode())
        finally:
            os._exit(0)
    os.close(outlet)
    with open(inlet) as told:
        text = told.read()
    os.waitpid(child, 0)
    return text


def test_a_moved_cache_shows_its_new_paths(finished, tmp_path, ask):
    moved = finished.rename(tmp_path / "elsewhere #1 with? 100%")

    paths = [row["result"] for row in ask(moved, "steps", "--format", "json").rows]

    assert all(str(path).startswith(str(moved)) for path in paths)
    assert Path(str(paths[2])).is_file()


@pytest.mark.parametrize(
    ("what", "message"),
    [
        ("nothing", "there is no such folder"),
        ("file", "it is a file; give the folder"),
        ("empty folder", r"the folder holds no ezpyp\.sqlite"),
        ("garbage", "is no index of ezpyp, or its content was changed \\(file is not a database\\)"),
        ("empty file", "is no index of ezpyp"),
        ("other database", "is no index of ezpyp"),
        ("truncated", "damaged"),
        ("folder for an index", "it is not a file"),
        ("newer", r"has format 99; this ezpyp reads up to \d+: install ezpyp 0\.1 or newer"),
        ("odd format", "its format is soon"),
    ],
)
def test_what_is_no_cache_is_said_in_one_line(what, message, tmp_path, ask):
    place = tmp_path / "place"
    spoil(what, place)

    with pytest.raises(StoreError, match=message):
        names(place)
    # A file that nobody can read as an index is a problem found, and not a wrong name.
    code = 1 if what in ("garbage", "other database", "truncated", "odd format") else 2
    for verb in ((), ("steps",), ("runs",), ("show", "alpha"), ("verify",), ("sql", "SELECT 1")):
        answer = ask(place, *verb, code=code)
        assert answer.out == ""
        assert answer.err.startswith("Error: ")
        assert answer.err.count("\n") == 1


def spoil(what: str, place: Path) -> None:
    if what == "nothing":
        return
    if what == "file":
        place.write_text("x")
        return
    place.mkdir()
    index = place / "ezpyp.sqlite"
    if what == "garbage":
        index.write_bytes(b"no database at all, but long enough for a header " * 100)
    elif what == "empty file":
        index.touch()
    elif what == "other database":
        sqlite3.connect(index).execute("CREATE TABLE t (a)").connection.close()
    elif what == "truncated":
        build.finished(place).close()
        index.write_bytes(index.read_bytes()[: 4096 * 3])
    elif what == "folder for an index":
        index.mkdir()
    elif what in ("newer", "odd format"):
        cache = build.finished(place)
        cache.db.execute("UPDATE meta SET value = ? WHERE name = 'format'", ["99" if what == "newer" else "soon"])
        cache.close()


def test_the_kinds_of_error_can_be_told_apart(tmp_path):
    with pytest.raises(CacheNotFoundError, match="no cache"):
        names(tmp_path)
    spoil("garbage", tmp_path / "garbage")
    with pytest.raises(DamagedIndexError, match="not a database"):
        names(tmp_path / "garbage")
    spoil("newer", tmp_path / "newer")
    with pytest.raises(CacheFormatError, match="has format 99") as caught:
        names(tmp_path / "newer")
    assert not isinstance(caught.value, DamagedIndexError)


def test_an_index_that_somebody_locks_is_not_called_damaged(tmp_path, monkeypatch):
    monkeypatch.setattr("ezpyp.store.connection.READER_TIMEOUT_S", 0.0)
    folder = build.finished(tmp_path / "cache").close()
    with closing(sqlite3.connect(folder / "ezpyp.sqlite", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = DELETE")
        other.execute("BEGIN EXCLUSIVE")

        with pytest.raises(StoreError, match="database is locked: another program holds the index") as caught:
            names(folder)

    assert not isinstance(caught.value, CacheFormatError)


def test_an_index_damaged_in_the_middle_is_one_line(tmp_path, ask):
    folder = build.finished(tmp_path / "cache").close()
    index = folder / "ezpyp.sqlite"
    data = bytearray(index.read_bytes())
    data[8192:] = b"\xff" * (len(data) - 8192)
    index.write_bytes(data)

    for verb in ((), ("steps",), ("runs",), ("show", "alpha"), ("verify",), ("sql", "SELECT * FROM steps")):
        answer = ask(folder, *verb, code=1)
        assert "damaged" in answer.err
        assert answer.err.count("\n") == 1
