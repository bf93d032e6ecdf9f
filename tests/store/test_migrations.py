"""An index of format 1, as it was made then, is read as it is and migrated by the first job that writes."""

import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

import ezpyp
from ezpyp.errors import CacheFormatError, SchemaConflictError, StoreError
from ezpyp.store import migrations
from ezpyp.store.index import Index
from ezpyp.store.opening import open_index
from ezpyp.store.tables import FORMAT, RENAMED, SCRIPT

DUMP = Path(__file__).parent / "data" / "format1.sql"
BACKUP = "ezpyp.sqlite.format1.backup"
IS_NETWORK = os.environ.get("EZPYP_TEST_FILE_SYSTEM") == "network"


@pytest.fixture
def old(tmp_path):
    """A location whose index was made with the code of format 1; see data/format1.sql."""
    location = tmp_path / "cache"
    location.mkdir()
    with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection:
        connection.execute(f"PRAGMA journal_mode = {'TRUNCATE' if IS_NETWORK else 'WAL'}")
        connection.executescript(DUMP.read_text())
    return location


def rows(file, query):
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        return connection.execute(query).fetchall()


def format_in(file):
    return int(rows(file, "SELECT value FROM meta WHERE name = 'format'")[0][0])


def contents(file):
    """All rows of the tables and columns of format 1, but for the lock's, under the names that they had then."""
    with closing(sqlite3.connect(file)) as connection, closing(sqlite3.connect(":memory:")) as then:
        then.executescript(DUMP.read_text())
        tables = "SELECT name FROM sqlite_master WHERE type = 'table'"
        there = {name for (name,) in connection.execute(tables)}
        found = {}
        for (name,) in then.execute(tables).fetchall():
            columns = ", ".join(row[1] for row in then.execute(f"PRAGMA table_info({name})"))
            now = RENAMED.get(name) if RENAMED.get(name) in there else name
            found[name] = connection.execute(f"SELECT {columns} FROM {now} ORDER BY 1, 2").fetchall()
        return {name: rows for name, rows in found.items() if name not in ("holder", "meta")}


def migrated(location):
    index = Index(location)
    with index.held():
        pass
    index.close()


def test_dump_is_of_format_1(old):
    assert format_in(old / "ezpyp.sqlite") == 1
    assert FORMAT == 2


def test_every_row_stays_and_the_tables_are_those_of_a_fresh_index(old):
    before = contents(old / "ezpyp.sqlite")
    migrated(old)
    assert format_in(old / "ezpyp.sqlite") == FORMAT
    assert contents(old / "ezpyp.sqlite") == before
    fresh = sqlite3.connect(":memory:")
    fresh.executescript(SCRIPT)
    query = "SELECT type, name FROM sqlite_master ORDER BY 1, 2"
    assert rows(old / "ezpyp.sqlite", query) == fresh.execute(query).fetchall()
    for (table,) in fresh.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
        columns = f"SELECT name FROM pragma_table_info('{table}') ORDER BY cid"
        assert rows(old / "ezpyp.sqlite", columns) == fresh.execute(columns).fetchall()


def test_append_only_tables_are_still_guarded(old):
    migrated(old)
    with closing(sqlite3.connect(old / "ezpyp.sqlite")) as connection:
        connection.execute("INSERT INTO manifests VALUES (1, x'01', x'')")
        for table in ("steps", "results", "manifests"):
            with pytest.raises(sqlite3.IntegrityError, match="never changed"):
                connection.execute(f"DELETE FROM {table}")


def test_copy_of_the_old_index_lies_beside_it(old):
    before = contents(old / "ezpyp.sqlite")
    migrated(old)
    assert format_in(old / BACKUP) == 1
    assert contents(old / BACKUP) == before
    journal = {"ezpyp.sqlite-journal"} if IS_NETWORK else set()
    assert {path.name for path in old.iterdir()} == {"ezpyp.sqlite", BACKUP} | journal


def test_older_copy_is_not_overwritten(old):
    (old / BACKUP).write_text("precious")
    migrated(old)
    assert (old / BACKUP).read_text() == "precious"
    assert format_in(old / f"{BACKUP}.2") == 1


def test_migration_is_done_once(old):
    migrated(old)
    migrated(old)
    assert not (old / f"{BACKUP}.2").exists()


def test_opening_alone_changes_nothing(old):
    index = Index(old)
    index.close()
    assert format_in(old / "ezpyp.sqlite") == 1


def test_nothing_is_changed_where_no_copy_can_be_made(old, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(migrations, "_copy", full)
    index = Index(old)
    with pytest.raises(StoreError, match=r"no copy of it can be made.*make room, and run again"), index.held():
        pass
    index.close()
    assert format_in(old / "ezpyp.sqlite") == 1


def test_readers_read_both_formats_and_migrate_neither(old):
    for _ in range(2):
        cache = ezpyp.open_cache(old)
        assert [cache.get_result("total", revision=revision) for revision in (1, 2)] == [24.0, 36.0]
        said = inspected(old, "why", "alpha", "x=3")
        assert "alpha[x=3]: ran in run 2" in said
        assert "2.0 -> 3.0" in said
        assert "weights" in inspected(old, "show", "total")
        assert "step" in inspected(old, "diff", "1", "2")
        (found,) = {format_in(old / "ezpyp.sqlite")}
        migrated(old)
    assert found == 2


def test_reader_of_a_read_only_folder_reads_the_old_format(old):
    folder = old.with_name("read only")
    shutil.copytree(old, folder)
    folder.chmod(0o555)
    try:
        index = open_index(folder)
        assert index.connection.execute("SELECT count(*) FROM steps").fetchone()[0] == 11
        index.close()
        assert "2.0 -> 3.0" in inspected(folder, "why", "alpha", "x=3")
        assert not (folder / BACKUP).exists()
    finally:
        folder.chmod(0o755)


ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(ezpyp.__file__).absolute().parent.parent)}


def process(*words):
    return subprocess.run(
        [sys.executable, *words], capture_output=True, text=True, timeout=60, check=False, env=ENVIRONMENT
    )


def inspected(location, *words):
    done = process("-m", "ezpyp.inspect", str(location), *words)
    assert done.returncode == 0, done.stderr
    return done.stdout


KILLED = """
import os, signal, sys
from pathlib import Path
from ezpyp.store.index import Index; from ezpyp.store import migrations as _migrations

index = Index(Path(sys.argv[1]))
left = int(sys.argv[2])

def die():
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return 0

# SQLite calls it after every instruction of its machine: the process dies at the one that was chosen.
def armed(act):
    def call(*arguments):
        done = act(*arguments)
        index.connection.set_progress_handler(die, 1)
        return done
    return call

setattr(_migrations, sys.argv[3], armed(getattr(_migrations, sys.argv[3])))
with index.held():
    index.connection.set_progress_handler(None, 0)
index.close()
print("done")
"""


def shape(file):
    return {
        (row[0], re.sub(r"\s", "", row[1])) for row in rows(file, "SELECT name, sql FROM sqlite_master WHERE sql > ''")
    }


def killed(old, folder, instant, after):
    """Kill the migration of a copy at an instant after a part of it; whether it ended before that."""
    shutil.copytree(old, folder)
    done = process("-c", KILLED, str(folder), str(instant), after)
    assert "done" in done.stdout or done.returncode == -9, done.stderr
    return "done" in done.stdout


def test_kill_at_any_instant_leaves_one_format_or_the_other(old, tmp_path):
    before = contents(old / "ezpyp.sqlite")
    new = tmp_path / "new"
    shutil.copytree(old, new)
    migrated(new)
    shapes = {1: shape(old / "ezpyp.sqlite"), 2: shape(new / "ezpyp.sqlite")}
    seen, instant, finished = [], 10, False
    while not finished:
        location = tmp_path / f"killed-{instant}"
        finished = killed(old, location, instant, "_back_up")
        found = format_in(location / "ezpyp.sqlite")
        assert shape(location / "ezpyp.sqlite") == shapes[found]
        with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        seen.append(found)
        migrated(location)
        assert contents(location / "ezpyp.sqlite") == before
        assert format_in(location / BACKUP) == 1
        instant = int(instant * 1.6)
    assert seen == sorted(seen)
    assert seen.count(1) > 5
    assert seen[-1] == 2


def test_kill_right_after_the_copy_was_written_leaves_no_half_of_one_by_its_name(old, tmp_path, monkeypatch):
    def die(connection, path):
        path.write_bytes(b"half of a copy")
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(migrations, "_copy", die)
        index = Index(old)
        with pytest.raises(KeyboardInterrupt), index.held():
            pass
        index.close()
    assert not (old / BACKUP).exists()
    migrated(old)
    assert format_in(old / BACKUP) == 1


def test_newer_format_is_refused_with_what_to_install(old):
    with closing(sqlite3.connect(old / "ezpyp.sqlite", isolation_level=None)) as connection:
        connection.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
        connection.execute("UPDATE runs SET ezpyp = '7.1.0'")
    for opened in (Index, open_index):
        with pytest.raises(CacheFormatError, match=r"format 99.*reads up to 2: install ezpyp 7\.1\.0 or newer"):
            opened(old)


SCRIPT_NOW = """
from ezpyp import Pipeline, as_step
pipeline = Pipeline({location!r}, "toy")

@as_step(pipeline)
def total(parts, weights=(1, 2, 3)):
    return sum(parts)

total([1.0], weights=[1, 2.5, "four"])
pipeline.execute(output="none")
"""


def test_conflict_with_a_step_of_format_1_is_told_by_its_texts(old, tmp_path):
    # The recorded step is of Python 3.11: on another one it is no conflict.
    with closing(sqlite3.connect(old / "ezpyp.sqlite", isolation_level=None)) as connection:
        connection.execute("DROP TRIGGER functions_no_update")
        connection.execute("UPDATE functions SET python = ?", (sys.implementation.cache_tag,))
    script = tmp_path / "toy.py"
    script.write_text(SCRIPT_NOW.format(location=str(old)))
    with pytest.raises(SchemaConflictError, match=r"argument weights \[1, 2\.5, 'three'\] -> \[1, 2\.5, 'four'\]"):
        exec(compile(script.read_text(), str(script), "exec"), {"__name__": "toy"})
