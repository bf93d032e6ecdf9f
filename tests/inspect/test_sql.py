"""``sql QUERY``: reads everything, changes nothing."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.inspect.build import sound

ROOT = Path(__file__).absolute().parents[2]


def test_rows_of_a_view(finished, ask):
    rows = ask(
        finished, "sql", "SELECT name, status, seconds FROM current_steps ORDER BY name", "--format", "json"
    ).rows

    assert rows == [
        {"name": "alpha", "status": 0, "seconds": 0.5},
        {"name": "beta", "status": 0, "seconds": 0.5},
        {"name": "gamma", "status": 0, "seconds": 1.25},
    ]


def test_bytes_are_shown_as_hex_and_equal_headings_told_apart(finished, ask):
    (row,) = ask(finished, "sql", "SELECT x'00ff' AS a, 1 AS a, NULL AS b", "--format", "json").rows

    assert row == {"a": "00ff", "a_2": 1, "b": None}


def test_no_rows_still_have_a_heading(finished, ask):
    assert ask(finished, "sql", "SELECT run, host FROM runs WHERE 0", "--format", "csv").out == "run,host\n"
    assert ask(finished, "sql", "SELECT run, host FROM runs WHERE 0").out == "run  host\n"


def test_the_tables_can_be_listed(finished, ask):
    names = [row["name"] for row in ask(finished, "sql", "PRAGMA table_info(runs)", "--format", "json").rows]

    assert "started_at" in names


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM runs",
        "UPDATE runs SET status = 'completed'",
        "INSERT INTO meta VALUES ('a', 'b')",
        "ATTACH DATABASE 'FOLDER/new.sqlite' AS new",
        "VACUUM INTO 'FOLDER/new.sqlite'",
        "CREATE TEMP TABLE t (a)",
        "PRAGMA journal_mode = DELETE",
        "PRAGMA writable_schema = 1",
        "SELECT load_extension('x')",
        "SELECT 1; DROP TABLE runs",
        "SELEC",
        "SELECT nothing FROM runs",
        "",
    ],
)
def test_what_does_not_read_is_refused_in_one_line(query, finished, ask):
    before = {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()}

    answer = ask(finished, "sql", query.replace("FOLDER", str(finished)), code=2)

    assert "Error: SQL: " in answer.err
    assert {path: path.read_bytes() for path in finished.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("query", ["SELECT hex(zeroblob(1000000000))", "SELECT abs(-9223372036854775807 - 1)"])
def test_an_error_of_the_query_is_no_damage_of_the_index(query, finished, ask):
    answer = ask(finished, "sql", query, code=2)

    assert answer.err.startswith("Error: SQL: ")
    assert "damaged" not in answer.err


@pytest.mark.parametrize("form", ["table", "json", "csv"])
def test_what_is_no_text_is_an_error_of_the_query(form, finished, ask):
    assert "SQL: Could not decode" in ask(finished, "sql", "SELECT CAST(x'ff' AS TEXT)", "--format", form, code=2).err


def test_a_page_that_is_damaged_is_a_problem_found(tmp_path, ask):
    folder = sound(tmp_path / "cache").close()
    with closing(sqlite3.connect(folder / "ezpyp.sqlite")) as index:
        (page,) = index.execute("SELECT rootpage FROM sqlite_master WHERE name = 'results'").fetchone()
        (size,) = index.execute("PRAGMA page_size").fetchone()
    data = bytearray((folder / "ezpyp.sqlite").read_bytes())
    data[(page - 1) * size : page * size] = b"\xff" * size
    (folder / "ezpyp.sqlite").write_bytes(data)

    answer = ask(folder, "sql", "SELECT * FROM results", code=1)

    assert "damaged" in answer.err
    assert ".recover" in answer.err


def test_names_of_columns_are_as_harmless_as_cells(finished, ask):
    query = 'SELECT 1 AS "\x1b[31mred", 2 AS "two\nlines", 3 AS "\u202eback", 4 AS "\x9b2J"'

    out = ask(finished, "sql", query).out

    assert out.splitlines()[0].split() == [r"\x1b[31mred", r"two\nlines", r"\u202eback", r"\x9b2J"]
    assert len(out.splitlines()) == 2


def test_numbers_that_json_does_not_know_are_texts(finished, ask):
    out = ask(finished, "sql", "SELECT 1e999 AS a, -1e999 AS b, 1.5 AS c", "--format", "json").out

    assert json.loads(out, parse_constant=pytest.fail) == [{"a": "Infinity", "b": "-Infinity", "c": 1.5}]


def test_the_help_names_only_views_that_are_documented(ask, finished):
    documented = set(re.findall(r"^## `(\w+)`", (ROOT / "docs" / "views.md").read_text(), re.MULTILINE))
    kinds = ask(finished, "sql", "SELECT name FROM sqlite_master WHERE type IN ('view', 'table')", "--format", "json")
    told = set(re.findall(r"\w+", ask(finished, "sql", "--help").out))

    assert documented <= told
    assert told & {str(row["name"]) for row in kinds.rows} <= documented
