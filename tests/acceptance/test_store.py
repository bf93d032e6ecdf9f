"""What a location holds: small results in the index, large ones as files, and nothing printed too early."""

import io
import sqlite3
import sys
from contextlib import closing
from pathlib import Path

import pytest

from .tools import executed, query


def files(location: Path) -> list[Path]:
    return sorted(path for path in location.rglob("*") if path.is_file())


def test_a_thousand_small_steps_make_a_handful_of_files(location: Path) -> None:
    executed(location, "as_pickle_step(pipeline, name='alpha')(lambda x: x).map(range(1000))", output="none")

    assert len(files(location)) <= 8
    assert query(location, "SELECT count(*) FROM results WHERE payload IS NOT NULL") == [(1000,)]


def test_equal_large_results_are_one_read_only_file_named_by_its_digest_and_nothing_else_is_left(
    location: Path,
) -> None:
    executed(location, "as_pickle_step(pipeline, name='alpha')(lambda x: bytes(100_000)).map([1, 2])")

    (path,) = [path for path in files(location) if "objects" in path.parts]
    assert query(location, "SELECT DISTINCT lower(hex(digest)), size, payload FROM results") == [
        (path.parent.name + path.name.split(".")[0], path.stat().st_size, None)
    ]
    assert path.stat().st_mode & 0o777 == 0o444
    wal = location / "ezpyp.sqlite-wal"
    assert not wal.exists() or wal.stat().st_size == 0
    assert {found.name for found in files(location)} - {path.name, wal.name, "ezpyp.sqlite-shm"} == {
        "ezpyp.sqlite", "pipeline.schema", "pipeline.summary"
    }  # fmt: skip


class Watcher(io.TextIOBase):
    """Standard output that looks, at every [PASS], whether the step's row is already there."""

    def __init__(self, location: Path) -> None:
        self.location = location
        self.found: dict[str, bool] = {}

    def write(self, text: str) -> int:
        for line in text.splitlines():
            if "[PASS]" in line:
                name = line.split("'")[1]
                self.found[name] = self._is_committed(name)
        return len(text)

    def _is_committed(self, name: str) -> bool:
        uri = f"file:{self.location / 'ezpyp.sqlite'}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True)) as connection:
            rows = connection.execute(
                "SELECT 1 FROM steps s JOIN results r ON r.key = s.key JOIN step_rows w ON w.step = s.id "
                "WHERE s.name = ? AND w.status = 0",
                (name,),
            ).fetchall()
        return len(rows) == 1


def test_pass_is_printed_after_the_commit_of_its_row(location: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    watcher = Watcher(location)
    monkeypatch.setattr(sys, "stdout", watcher)

    source = """
    import time

    @as_pickle_step(pipeline)
    def alpha(x):
        time.sleep(0.03 if x % 5 == 0 else 0)
        return bytes(30_000 + x) if x % 7 == 0 else x

    alpha.map(range(40))
    """
    executed(location, source)

    assert len(watcher.found) == 40
    assert all(watcher.found.values())
