"""What steps said, in rows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from ezpyp.errors import StoreError
from ezpyp.store.runs import OutputRow, insert_outputs, output_of
from ezpyp.store.tables import SCRIPT


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCRIPT)
        yield connection


@pytest.mark.parametrize("text", [b"", b"short\n", b"\0begins with nothing", b"\xff\0" * 500, b"long " * 10_000])
def test_what_was_said_comes_back(connection: sqlite3.Connection, text: bytes) -> None:
    row = OutputRow(3, 1, text, b"", text)
    insert_outputs(connection, [row])

    assert output_of(connection, 3, 1) == row
    assert output_of(connection, 3, 2) is None


def test_short_texts_read_well_in_sqlite_and_long_ones_are_small(connection: sqlite3.Connection) -> None:
    insert_outputs(connection, [OutputRow(1, 1, b"hello\n", b"", b"x" * 60_000)])

    assert connection.execute("SELECT CAST(stdout AS TEXT), stderr FROM outputs").fetchone() == ("hello\n", None)
    assert connection.execute("SELECT length(log) FROM outputs").fetchone()[0] < 500


def test_a_step_that_runs_twice_in_a_run_says_it_anew(connection: sqlite3.Connection) -> None:
    for text in (b"first", b"second"):
        insert_outputs(connection, [OutputRow(1, 1, text, b"", b"")])

    assert output_of(connection, 1, 1) == OutputRow(1, 1, b"second", b"", b"")


def test_a_damaged_row_is_an_error_of_ours(connection: sqlite3.Connection) -> None:
    connection.execute("INSERT INTO outputs VALUES (1, 1, ?, NULL, NULL)", (b"\0no zlib",))

    with pytest.raises(StoreError, match="the output of step 1 in run 1 cannot be read"):
        output_of(connection, 1, 1)
