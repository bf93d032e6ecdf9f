"""The views as docs/views.md tells them, and as other programs open them."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from ezpyp import open_cache
from tests.inspect import build
from tests.inspect.test_real_runs import SCRIPT, run

PAGE = Path(__file__).absolute().parents[2] / "docs" / "views.md"
VIEWS = ("summary", "latest", "failures", "timeline", "edges")
TYPES = {"text": str, "integer": int, "real": float}


def documented() -> dict[str, dict[str, str]]:
    """View -> column -> type, from the tables of the page."""
    found: dict[str, dict[str, str]] = {}
    for part in PAGE.read_text().split("\n## ")[1:]:
        if name := re.match(r"`(\w+)`", part):
            found[name[1]] = dict(re.findall(r"^\| (\w+) \| (text|integer|real) \|", part, re.MULTILINE))
    return found


@pytest.fixture(scope="module")
def cache(tmp_path_factory) -> Path:
    """A real run in which beta fails, so that every view has rows."""
    folder = tmp_path_factory.mktemp("views")
    run(folder, SCRIPT.replace("return x ** 3", "return x / 0"))
    return folder / "cache"


def test_the_page_has_every_view():
    assert tuple(documented()) == VIEWS


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_the_columns_that_the_page_says_in_its_order_and_of_its_types(view, cache, ask):
    rows = ask(cache, "sql", f"SELECT * FROM {view}", "--format", "json").rows
    columns = documented()[view]

    assert rows
    for row in rows:
        assert list(row) == list(columns)
        for name, value in row.items():
            assert value is None or type(value) is TYPES[columns[name]], (name, value)


def rows_of(cache: Path, view: str, ask) -> list[dict[str, object]]:
    return ask(cache, "sql", f"SELECT * FROM {view}", "--format", "json").rows


def test_rows_of_the_views(cache, ask):
    assert [(row["name"], row["status"]) for row in rows_of(cache, "summary", ask)] == [
        ("alpha", 0), ("beta", 1), ("large", 0), ("gamma", 2),
    ]  # fmt: skip
    assert [row["state"] for row in rows_of(cache, "latest", ask)] == ["done", "failed", "done", "skipped"]
    assert [(row["name"], row["type"], row["blame"]) for row in rows_of(cache, "failures", ask)] == [
        ("beta", "ZeroDivisionError", None), ("gamma", "Skipped", "beta"),
    ]  # fmt: skip
    assert [row["name"] for row in rows_of(cache, "timeline", ask)] == ["alpha", "beta", "large"]
    assert all(float(str(row["start"])) >= 0 for row in rows_of(cache, "timeline", ask))
    assert [(row["upstream"], row["downstream"], row["kind"]) for row in rows_of(cache, "edges", ask)] == [
        ("alpha", "gamma", "value"), ("beta", "gamma", "value"),
    ]  # fmt: skip


def test_views_are_of_the_newest_revision(tmp_path, ask):
    built = build.finished(tmp_path)
    old = dict(built.ids)
    gamma = built.step("gamma", phase=1, salt="edited", upstream=[("alpha", "value", "args[0]")])
    built.revision(added=[gamma], removed=[old["gamma"], old["beta"]])
    folder = built.close()

    assert [row["upstream"] for row in rows_of(folder, "edges", ask)] == ["alpha"]
    assert [(row["name"], row["state"]) for row in rows_of(folder, "latest", ask)] == [
        ("alpha", "done"), ("gamma", "pending"),
    ]  # fmt: skip


SKIPPED = {"type": "Skipped", "message": "", "file": None, "line": None, "traceback": ""}


def fails(cache: build.Cache, chain: list[str], revision: int = 1) -> None:
    """A run in which the first step fails, and each other one is skipped for the one before it."""
    run = cache.run("failed", revision=revision)
    for above, name in zip([None, *chain], chain, strict=False):
        cache.row(name, run, 2 if above else 1)
        cache.error(name, run, **({**SKIPPED, "blame": above} if above else {}))


def chain_of_failures(folder: Path) -> build.Cache:
    """alpha fails and takes b, c and d along; in run 2 beta fails, and c and d are skipped for it."""
    cache = build.declared(folder)
    for name, above in (("b", "alpha"), ("c", "b"), ("d", "c")):
        cache.step(name, phase=1, upstream=[(above, "value", "args[0]")])
    cache.revision(added=[cache.ids[name] for name in "bcd"])
    for chain in (["alpha", "b", "c", "d"], ["beta", "c", "d"]):
        fails(cache, chain, revision=2)
    return cache


def test_a_skipped_step_blames_the_one_that_failed_at_any_distance(tmp_path, ask):
    folder = chain_of_failures(tmp_path).close()

    assert {row["name"]: row["blame"] for row in rows_of(folder, "failures", ask)} == {
        "alpha": None, "b": "alpha", "beta": None, "c": "beta", "d": "beta",
    }  # fmt: skip
    for verb, step, blamed in (("show", "d", "beta"), ("log", "d", "beta"), ("show", "b", "alpha")):
        assert f"because {blamed} failed" in ask(folder, verb, step).out
    assert json.loads(ask(folder, "show", "d", "--run", "1", "--format", "json").out)["error"]["blame"] == "alpha"
    assert "because c <- beta failed; beta failed in run 2: ZeroDivisionError" in ask(folder, "why", "d").out


def test_a_long_chain_of_skipped_steps_is_gone_once(tmp_path, ask):
    cache = build.Cache(tmp_path)
    cache.db.execute("BEGIN")
    for number in range(5_000):
        cache.step(f"s{number}", phase=number, function="s")
    cache.revision(added=list(cache.ids.values()))
    fails(cache, list(cache.ids))
    cache.db.execute("COMMIT")
    folder = cache.close()

    # A step of SQLite's virtual machine for each row and not for each pair of rows, of which there are 12 million.
    with closing(sqlite3.connect(folder / "ezpyp.sqlite")) as connection:
        connection.set_progress_handler(lambda: 1, 5_000_000)
        assert connection.execute("SELECT count(*) FROM failures WHERE blame = 's0'").fetchone() == (4_999,)


def test_the_timeline_leaves_out_what_was_cached(tmp_path, ask):
    built = build.finished(tmp_path)
    built.run()
    built.row("alpha", 2, cached=1)
    built.row("beta", 2)

    assert [(row["run"], row["name"]) for row in rows_of(built.close(), "timeline", ask)] == [
        (1, "alpha"), (1, "beta"), (1, "gamma"), (2, "beta"),
    ]  # fmt: skip


def program(*words: str) -> str:
    done = subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("view", VIEWS)
def test_sqlite_utils_shows_a_view(view, cache, ask):
    database = open_cache(cache).database

    assert list(database.view(view).rows) == rows_of(cache, view, ask)
    database.close()


def test_the_database_of_a_cache_sees_what_is_written_and_writes_nothing(tmp_path):
    cache = build.running(tmp_path)
    database = open_cache(tmp_path).database
    query = "SELECT count(*) AS n FROM runs"
    assert list(database.query(query)) == [{"n": 1}]

    cache.run()

    assert list(database.query(query)) == [{"n": 2}]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.execute("CREATE TABLE mine (a)")


def test_datasette_shows_a_view(cache, tmp_path, ask):
    copy = Path(shutil.copytree(cache, tmp_path / "cache"))  # it may leave files of its own beside the index

    shown = json.loads(program("datasette", str(copy / "ezpyp.sqlite"), "--get", "/ezpyp/latest.json?_shape=array"))

    assert shown == rows_of(copy, "latest", ask)
