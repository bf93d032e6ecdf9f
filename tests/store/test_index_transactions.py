"""Transactions of the index: all rows or none, and errors that say what to do."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from ezpyp.errors import CacheFormatError, DamagedIndexError, PipelineMismatchError, StoreError
from ezpyp.store.connection import translated
from ezpyp.store.index import Index, replace_file


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "cache")
    with index.held():
        yield index
    index.close()


def write(index: Index, *names: str | type[BaseException]) -> None:
    """One transaction: a row for each name, and whatever else stands there is raised."""
    with index.writing() as connection:
        for name in names:
            if not isinstance(name, str):
                raise name
            connection.execute("INSERT INTO meta VALUES (?, '1')", (name,))


def facts(index: Index) -> set[str]:
    """What another connection sees."""
    with closing(sqlite3.connect(index.location / "ezpyp.sqlite")) as connection:
        return {row[0] for row in connection.execute("SELECT name FROM meta")}


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt, SystemExit])
def test_whatever_is_raised_takes_all_rows_of_the_transaction_back(index, error):
    before = facts(index)
    with pytest.raises(error):
        write(index, "one", error)
    assert facts(index) == before
    assert not index.connection.in_transaction


def test_row_that_is_refused_takes_the_rows_before_it_back(index):
    before = facts(index)
    with pytest.raises(StoreError, match="UNIQUE"):
        write(index, "one", "one")
    assert facts(index) == before


def test_index_is_usable_after_a_transaction_that_failed(index):
    with pytest.raises(ZeroDivisionError), index.writing():
        raise ZeroDivisionError
    index.note("later", "1")
    assert index.noted("later") == "1"


def test_nothing_is_seen_before_the_commit_and_everything_after(index):
    with index.writing() as connection:
        connection.execute("INSERT INTO meta VALUES ('one', '1')")
        assert "one" not in facts(index)
    assert "one" in facts(index)


def test_transaction_locks_others_out_from_its_first_moment(index):
    with closing(sqlite3.connect(index.location / "ezpyp.sqlite", timeout=0)) as other, index.writing():
        with pytest.raises(sqlite3.OperationalError, match="locked"):
            other.execute("BEGIN IMMEDIATE")
        assert index.connection.in_transaction


def test_location_belongs_to_the_first_pipeline_id(index):
    index.claim("toy")
    index.claim("toy")
    with pytest.raises(PipelineMismatchError, match="belongs to the pipeline 'toy', not to 'other'"):
        index.claim("other")
    assert index.noted("pipeline_id") == "toy"


def test_note_is_replaced_by_a_later_one(index):
    assert index.noted("place") is None
    index.note("place", "here")
    index.note("place", "there")
    assert index.noted("place") == "there"


@pytest.mark.parametrize(
    ("code", "kind", "advice"),
    [
        (sqlite3.SQLITE_BUSY, StoreError, "another program holds the index"),
        (sqlite3.SQLITE_FULL, StoreError, "make room and run again"),
        (sqlite3.SQLITE_READONLY_DIRECTORY, StoreError, "cannot be written"),
        (sqlite3.SQLITE_IOERR_WRITE, StoreError, r"a limit on file sizes \(ulimit -f\)"),
        (sqlite3.SQLITE_CONSTRAINT_TRIGGER, StoreError, "another process wrote there.*verify`, then copy"),
        (sqlite3.SQLITE_NOMEM, StoreError, "nothing was overwritten"),
        (sqlite3.SQLITE_CORRUPT, DamagedIndexError, r"is damaged: .*verify`, then copy ezpyp\.sqlite from a backup"),
        (sqlite3.SQLITE_ERROR, DamagedIndexError, "or move the folder away"),
        (None, DamagedIndexError, "is damaged"),
    ],
)
def test_errors_of_sqlite_come_with_what_to_do(tmp_path, code, kind, advice):
    error = sqlite3.DatabaseError("said SQLite")
    if code is not None:
        error.sqlite_errorcode = code
    with pytest.raises(kind, match=advice) as caught, translated(tmp_path):
        raise error
    assert type(caught.value) is kind
    assert caught.value.__cause__ is error
    assert str(tmp_path) in str(caught.value)


def test_file_that_is_no_database_is_refused_and_kept(tmp_path):
    (tmp_path / "ezpyp.sqlite").write_text("my notes, " * 100)
    with pytest.raises(CacheFormatError, match="file is not a database"):
        Index(tmp_path)
    assert (tmp_path / "ezpyp.sqlite").read_text().startswith("my notes")


def test_index_of_a_later_format_is_refused(tmp_path):
    index = Index(tmp_path)
    index.connection.execute("UPDATE meta SET value = '99' WHERE name = 'format'")
    index.close()
    with pytest.raises(CacheFormatError, match="has format 99; this ezpyp reads up to 1: install a newer ezpyp"):
        Index(tmp_path)


def test_text_file_is_replaced_whole_and_leaves_nothing_beside_it(tmp_path, monkeypatch):
    path = tmp_path / "pipeline.summary"
    replace_file(path, "old")
    with monkeypatch.context() as broken:
        broken.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(OSError("no")))
        with pytest.raises(OSError, match="no"):
            replace_file(path, "new")
    assert path.read_text() == "old"
    assert [found.name for found in tmp_path.iterdir()] == ["pipeline.summary"]


ROWS = {
    "functions": "(1, x'01', 'f', 'm', 'f.py', 1, 'cpython-311', x'', NULL)",
    "revisions": "(1, x'01', 0.0, 1, 'first')",
    "steps": "(1, 'alpha', x'01', 1, 'pickle', 0, '[]', '{}', '{}', NULL, NULL, x'', NULL)",
    "manifests": "(1, x'01', x'')",
    "step_edges": "(2, 0, 1, 'value', 'x')",
    "schema_changes": "(1, 1, 1)",
    "result_files": "(1, 'a', x'01', 3)",
    "observations": "(1, 'file', 'a', x'01', x'02')",
    "results": "(1, x'01', NULL, NULL, x'02', 1, 'pickle', 1, '.s', NULL, '9', 'int', 1, x'', x'00')",
}


@pytest.mark.parametrize("recursive", [0, 1])
@pytest.mark.parametrize("table", ROWS)
def test_row_of_an_append_only_table_is_never_changed_replaced_or_deleted(index, table, recursive):
    """By any program: a plain connection does not fire delete triggers for REPLACE."""
    connection = index.connection
    connection.execute(f"INSERT INTO {table} VALUES {ROWS[table]}")
    columns = [name for (name,) in connection.execute(f"SELECT name FROM pragma_table_info('{table}')")]
    changes = [f"UPDATE {verb} {table} SET {name} = 7" for verb in ("", "OR REPLACE") for name in columns]
    changes += [f"DELETE FROM {table}", f"DELETE FROM {table} WHERE {columns[0]} IS NOT NULL"]
    changes += [f"{verb} INTO {table} VALUES {ROWS[table]}" for verb in ("INSERT OR REPLACE", "REPLACE")]
    changes.append(f"INSERT INTO {table} VALUES {ROWS[table]} ON CONFLICT DO UPDATE SET {columns[-1]} = 7")
    if table == "steps":  # replaced by its name and key
        rest = ", ".join(columns[1:])
        changes.append(f"INSERT OR REPLACE INTO steps ({rest}) SELECT {rest} FROM steps")
    before = connection.execute(f"SELECT * FROM {table}").fetchall()
    connection.execute(f"PRAGMA recursive_triggers = {recursive}")
    for change in changes:
        with pytest.raises(sqlite3.IntegrityError, match=f"rows of {table} are never changed, replaced or deleted"):
            connection.execute(change)
    assert connection.execute(f"SELECT * FROM {table}").fetchall() == before


def test_writing_connection_fires_delete_triggers_for_replace_too(index):
    assert index.connection.execute("PRAGMA recursive_triggers").fetchone() == (1,)
