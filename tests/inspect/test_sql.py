"""``sql QUERY``: reads everything, changes nothing."""

import pytest


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

    assert row == {"a": "00ff", "a:2": 1, "b": None}


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
