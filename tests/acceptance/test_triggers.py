"""The no-overwrite rule stands in the index itself, against every program that opens it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from .tools import executed, query, snapshot

STUDY = """
@as_pickle_step(pipeline)
def alpha(x):
    return x ** 2

@as_pickle_step(pipeline)
def beta(x):
    return x + 1

beta(alpha(3))
"""
TABLES = ["results", "steps", "revisions"]


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    location = tmp_path_factory.mktemp("triggers") / "cache"
    executed(location, STUDY)
    return location


@pytest.fixture(params=[True, False], ids=["recursive triggers", "plain"])
def connection(finished: Path, request: pytest.FixtureRequest) -> Iterator[sqlite3.Connection]:
    """A plain connection of somebody else's program, with which nothing may be changed."""
    before = snapshot(finished)
    with closing(sqlite3.connect(finished / "ezpyp.sqlite", isolation_level=None)) as opened:
        opened.execute(f"PRAGMA recursive_triggers = {int(request.param)}")
        yield opened
    assert snapshot(finished) == before


def columns(connection: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in connection.execute("SELECT name FROM pragma_table_info(?)", (table,))]


@pytest.mark.parametrize("table", TABLES)
def test_every_column_of_every_row_refuses_update(connection: sqlite3.Connection, table: str) -> None:
    for column in columns(connection, table):
        with pytest.raises(sqlite3.IntegrityError, match=table):
            connection.execute(f"UPDATE {table} SET {column} = {column}")
        with pytest.raises(sqlite3.IntegrityError, match=table):
            connection.execute(f"UPDATE OR REPLACE {table} SET {column} = {column}")


@pytest.mark.parametrize("table", TABLES)
def test_rows_refuse_delete(connection: sqlite3.Connection, table: str) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=table):
        connection.execute(f"DELETE FROM {table}")
    with pytest.raises(sqlite3.IntegrityError, match=table):
        connection.execute(f"DELETE FROM {table} WHERE rowid = 1")


REPLACE = ["INSERT OR REPLACE", "REPLACE"]


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("verb", REPLACE)
def test_rows_refuse_replace(connection: sqlite3.Connection, table: str, verb: str) -> None:
    connection.execute("PRAGMA recursive_triggers = 1")

    with pytest.raises(sqlite3.IntegrityError, match=table):
        connection.execute(f"{verb} INTO {table} SELECT * FROM {table} LIMIT 1")


@pytest.mark.parametrize("table", ["results", "revisions"])
@pytest.mark.parametrize("verb", REPLACE)
def test_results_and_revisions_refuse_replace_on_any_connection(
    connection: sqlite3.Connection, table: str, verb: str
) -> None:
    with pytest.raises(sqlite3.IntegrityError, match=table):
        connection.execute(f"{verb} INTO {table} SELECT * FROM {table} LIMIT 1")


def test_a_step_refuses_replace_by_its_name_and_key(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA recursive_triggers = 1")
    rest = ", ".join(name for name in columns(connection, "steps") if name != "id")

    with pytest.raises(sqlite3.IntegrityError, match="steps"):
        connection.execute(f"INSERT OR REPLACE INTO steps ({rest}) SELECT {rest} FROM steps LIMIT 1")


@pytest.mark.parametrize("table", TABLES)
def test_an_upsert_is_refused(connection: sqlite3.Connection, table: str) -> None:
    column = columns(connection, table)[-1]

    with pytest.raises(sqlite3.IntegrityError, match=table):
        connection.execute(
            f"INSERT INTO {table} SELECT * FROM {table} WHERE true "
            f"ON CONFLICT DO UPDATE SET {column} = excluded.{column}"
        )


def test_ezpyp_s_own_run_passes_the_triggers(finished: Path) -> None:
    executed(finished, STUDY)

    assert query(finished, "SELECT count(*) FROM runs") == [(2,)]
