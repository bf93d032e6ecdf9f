"""What is stored: ``verify`` and ``get`` on what is not as it was, ``get``'s files, ``trust``, ``sql``."""

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ezpyp.store.trust import is_trusted
from tests.inspect import build
from tests.inspect.test_every_verb import contents

ROOT = Path(__file__).absolute().parents[2]


HARMS = {
    "flipped": lambda path: path.write_bytes(b"y" + path.read_bytes()[1:]),
    "cut": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "gone": Path.unlink,
    "a folder": lambda path: (path.unlink(), path.mkdir()),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_object_is_found_and_not_given_out(harm, tmp_path, ask):
    folder = build.finished(tmp_path / "cache").close()
    assert ask(folder, "verify").out == "3 steps, 3 results, 1 runs: all as stored\n"
    HARMS[harm](build.object_of(folder))

    (damage,) = ask.json(folder, "verify", code=1)
    assert (damage["what"], damage["name"], damage["known"]) == ("result", "gamma", False)
    assert ask(folder, "get", "gamma", "-o", str(tmp_path / "out"), code=1).err.startswith("Error: ")
    assert not (tmp_path / "out").exists()
    if harm != "flipped":
        assert len(ask.json(folder, "verify", "--quick", code=1)) == 1


@pytest.mark.parametrize(
    ("statement", "kind", "what"),
    [
        ("UPDATE results SET payload = x'00' WHERE id = 1", "result", "its digest is not"),
        ("UPDATE results SET payload = x'80054b0a2e' WHERE id = 1", "result", "its digest is not"),
        ("UPDATE results SET key = zeroblob(16) WHERE id = 1", "result", "another checksum"),
        ("UPDATE steps SET key = zeroblob(16) WHERE id = 1", "step", "another checksum"),
        ("UPDATE functions SET name = 'alphb' WHERE name = 'alpha'", "function", "is not what was recorded"),
        ("UPDATE functions SET digest = zeroblob(16) WHERE name = 'alpha'", "function", "is not what was recorded"),
        ("UPDATE functions SET source = x'00' WHERE name = 'alpha'", "function", "cannot be read"),
        ("UPDATE functions SET identity = x'00' WHERE name = 'alpha'", "function", "cannot be read"),
        ("UPDATE step_edges SET upstream = 77", "edge", "is not below it"),
        ("UPDATE step_edges SET upstream = step", "edge", "is not below it"),
        ("UPDATE schema_changes SET revision = 2 WHERE step = 1", "revision", "leads nowhere"),
        ("UPDATE schema_changes SET present = 0 WHERE step = 1", "revision", "another number of steps"),
        ("UPDATE step_rows SET result = result + 1 WHERE step = 1", "row", "the result of another step"),
        ("UPDATE step_rows SET status = 9 WHERE step = 1", "row", "leads nowhere"),
        ("UPDATE step_rows SET step = 9 WHERE step = 1", "row", "leads nowhere"),
        ("DROP TRIGGER results_no_delete", "trigger", "not as ezpyp makes it"),
        ("DROP VIEW failures; CREATE VIEW failures AS SELECT 1", "view", "not as ezpyp makes it"),
    ],
)
def test_damaged_rows_and_those_that_contradict_each_other_are_found(statement, kind, what, tmp_path, ask):
    cache = build.finished(tmp_path)
    if "TRIGGER" in statement:
        cache.db.execute(statement)
    else:
        cache.spoil(*statement.split("; "))

    damages = ask.json(cache.close(), "verify", code=1)

    assert any(damage["what"] == kind and what in str(damage["reason"]) for damage in damages)


def test_a_folder_gets_a_file_of_the_steps_name_and_what_is_there_stays(tmp_path, ask):
    folder, out = build.finished(tmp_path / "cache").close(), tmp_path / "out"
    out.mkdir()

    assert str(out / "alpha.step") in ask(folder, "get", "alpha", "-o", str(out)).err
    assert (out / "alpha.step").read_bytes() == build.NINE

    (out / "alpha.step").write_text("mine")
    for output in (out, out / "alpha.step"):
        error = ask(folder, "get", "alpha", "-o", str(output), code=2).err
        assert f"{out / 'alpha.step'} is there already; --force overwrites it" in error
    assert (out / "alpha.step").read_text() == "mine"
    ask(folder, "get", "alpha", "-o", str(out), "--force")
    assert (out / "alpha.step").read_bytes() == build.NINE


def test_no_name_leads_out_of_the_folder(tmp_path, ask):
    cache = build.Cache(tmp_path / "cache")
    files = {
        "../../up": ".._.._up.step", "/etc/passwd": "_etc_passwd.step", "..": "...step",
        "a\n\x1b[31mb": r"a_n_x1b[31mb.step", "x[path=a/b]": "x[path=a_b].step",
    }  # fmt: skip
    cache.revision([cache.step(name) for name in files])
    run = cache.run(total=len(files))
    for name in files:
        cache.row(name, run)
    folder, out = cache.close(), tmp_path / "deep" / "out"
    out.mkdir(parents=True)
    before = set(tmp_path.rglob("*"))

    for name in files:
        ask(folder, "get", name, "-o", str(out))

    assert set(tmp_path.rglob("*")) - before == {out / file for file in files.values()}


def test_what_cannot_be_given_is_one_line(tmp_path, failed, ask):
    folder = build.finished(tmp_path / "sound").close()

    assert "beta has no result: it is failed" in ask(failed, "get", "beta", "-o", str(tmp_path / "x"), code=1).err
    for output, reason in (("no/such/folder/x", "No such file"), ("x" * 300, "too long")):
        error = ask(folder, "get", "alpha", "-o", str(tmp_path / output), code=2).err
        assert error.count("\n") == 1
        assert reason in error


def test_trust_is_noted_outside_the_cache(finished, ask, tmp_path):
    before = contents(finished)

    out = ask(finished, "trust").out

    assert f"{finished} is trusted; noted in {tmp_path / 'config'}" in out
    assert is_trusted(finished)
    assert contents(finished) == before
    assert "no cache at" in ask(tmp_path, "trust", code=2).err
    assert not is_trusted(tmp_path)


def test_a_note_that_cannot_be_written_is_one_line(finished, ask, tmp_path):
    (tmp_path / "config").write_text("in the way")

    assert "could not be noted as trusted" in ask(finished, "trust", code=2).err


# SQL.


def test_rows_of_a_query(finished, ask):
    def asked(query: str, form: str = "json") -> str:
        return ask(finished, "sql", query, "--format", form).out

    assert json.loads(asked("SELECT name, seconds FROM current_steps ORDER BY name")) == [
        {"name": "alpha", "seconds": 0.5}, {"name": "beta", "seconds": 0.5}, {"name": "gamma", "seconds": 1.25},
    ]  # fmt: skip
    # Bytes are hexadecimal, equal headings are told apart, no rows still have a heading.
    assert json.loads(asked("SELECT x'00ff' AS a, 1 AS a, NULL AS b")) == [{"a": "00ff", "a_2": 1, "b": None}]
    assert asked("SELECT run, host FROM runs WHERE 0", "csv") == "run,host\n"
    assert asked("SELECT run, host FROM runs WHERE 0", "table") == "run  host\n"
    assert "started_at" in asked("PRAGMA table_info(runs)")


REFUSED = """
DELETE FROM runs
UPDATE runs SET status = 'completed'
INSERT INTO meta VALUES ('a', 'b')
ATTACH DATABASE 'FOLDER/new.sqlite' AS new
VACUUM INTO 'FOLDER/new.sqlite'
CREATE TEMP TABLE t (a)
PRAGMA journal_mode = DELETE
PRAGMA writable_schema = 1
SELECT load_extension('x')
SELECT 1; DROP TABLE runs
SELECT nothing FROM runs
"""


def test_what_does_not_read_is_refused_in_one_line(finished, ask):
    before = contents(finished)
    for query in [*REFUSED.strip().splitlines(), ""]:
        error = ask(finished, "sql", query.replace("FOLDER", str(finished)), code=2).err
        assert error.startswith("Error: SQL: "), query
    assert contents(finished) == before


@pytest.mark.parametrize("form", ["table", "json", "csv"])
@pytest.mark.parametrize("query", ["hex(zeroblob(1000000000))", "abs(-9223372036854775807 - 1)", "CAST(x'ff' AS TEXT)"])
def test_an_error_of_the_query_is_no_damage_of_the_index(query, form, finished, ask):
    error = ask(finished, "sql", f"SELECT {query}", "--format", form, code=2).err

    assert error.startswith("Error: SQL: ")
    assert "damaged" not in error


def test_a_page_that_is_damaged_is_a_problem_found(tmp_path, ask):
    folder = build.finished(tmp_path / "cache").close()
    with closing(sqlite3.connect(folder / "ezpyp.sqlite")) as index:
        (page,) = index.execute("SELECT rootpage FROM sqlite_master WHERE name = 'results'").fetchone()
        (size,) = index.execute("PRAGMA page_size").fetchone()
    data = bytearray((folder / "ezpyp.sqlite").read_bytes())
    data[(page - 1) * size : page * size] = b"\xff" * size
    (folder / "ezpyp.sqlite").write_bytes(data)

    answer = ask(folder, "sql", "SELECT * FROM results", code=1)

    assert "damaged" in answer.err
    assert ".recover" in answer.err


def test_numbers_that_json_does_not_know_are_texts(finished, ask):
    out = ask(finished, "sql", "SELECT 1e999 AS a, -1e999 AS b, 1.5 AS c", "--format", "json").out

    assert json.loads(out, parse_constant=pytest.fail) == [{"a": "Infinity", "b": "-Infinity", "c": 1.5}]


def test_the_help_names_only_views_that_are_documented(ask, finished):
    documented = set(re.findall(r"^## `(\w+)`", (ROOT / "docs" / "views.md").read_text(), re.MULTILINE))
    kinds = ask.json(finished, "sql", "SELECT name FROM sqlite_master WHERE type IN ('view', 'table')")
    told = set(re.findall(r"\w+", ask(finished, "sql", "--help").out))

    assert documented <= told
    assert told & {row["name"] for row in kinds} <= documented
