"""The views as docs/views.md describes them, and as other programs open them."""

import json
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from ezpyp import open_cache
from tests.inspect import build

TYPES = {"text": str, "integer": int, "real": float}


def described() -> dict[str, dict[str, str]]:
    """View -> column -> type, from the tables of docs/views.md."""
    found: dict[str, dict[str, str]] = {}
    for part in (build.ROOT / "docs" / "views.md").read_text().split("\n## ")[1:]:
        if name := re.match(r"`(\w+)`", part):
            found[name[1]] = dict(re.findall(r"^\| (\w+) \| (text|integer|real) \|", part, re.MULTILINE))
    return found


def view(ask, cache: Path, name: str) -> list[dict[str, object]]:
    return ask.json(cache, "sql", f"SELECT * FROM {name}")


@pytest.mark.parametrize("name", ["summary", "latest", "failures", "timeline", "edges"])
def test_a_view_is_as_the_page_describes_it_and_sqlite_utils_shows_it(name, failing, ask):
    found, columns = view(ask, failing, name), described()[name]

    assert found
    for row in found:
        assert list(row) == list(columns)
        for column, value in row.items():
            assert value is None or type(value) is TYPES[columns[column]], (column, value)
    assert list(open_cache(failing).database.view(name).rows) == found


def test_the_database_of_a_cache_sees_what_is_written_and_writes_nothing(tmp_path):
    cache = build.running(tmp_path)
    database = open_cache(tmp_path).database
    query = "SELECT count(*) AS n FROM runs"
    assert list(database.query(query)) == [{"n": 1}]

    cache.run()

    assert list(database.query(query)) == [{"n": 2}]
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        database.execute("CREATE TABLE mine (a)")


def test_datasette_shows_a_view(failing, tmp_path, ask):
    copy = Path(shutil.copytree(failing, tmp_path / "cache"))  # it may leave files of its own beside the index
    command = [sys.executable, "-m", "datasette", str(copy / "ezpyp.sqlite")]

    done = subprocess.run(
        [*command, "--get", "/ezpyp/latest.json?_shape=array"], capture_output=True, text=True, timeout=100, check=True
    )

    assert json.loads(done.stdout) == view(ask, copy, "latest")


def test_rows_of_the_views(failing, ask):
    def columns(name: str, *wanted: str) -> list[tuple[object, ...]]:
        return [tuple(row[column] for column in wanted) for row in view(ask, failing, name)]

    assert columns("summary", "name", "status") == [("alpha", 0), ("beta", 1), ("large", 0), ("gamma", 2)]
    assert columns("latest", "state") == [("done",), ("failed",), ("done",), ("skipped",)]
    assert columns("failures", "name", "type", "blame") == [
        ("beta", "ZeroDivisionError", None), ("gamma", "Skipped", "beta"),
    ]  # fmt: skip
    assert columns("timeline", "name") == [("alpha",), ("beta",), ("large",)]
    assert columns("edges", "upstream", "downstream", "kind") == [
        ("alpha", "gamma", "value"), ("beta", "gamma", "value"),
    ]  # fmt: skip


def test_views_are_of_the_newest_revision_and_the_timeline_has_no_cached_step(tmp_path, ask):
    built = build.finished(tmp_path)
    built.run()
    built.row("alpha", 2, cached=1)
    built.row("beta", 2)
    old = dict(built.ids)
    gamma = built.step("gamma", phase=1, salt="edited", upstream=[("alpha", "value", "args[0]")])
    built.revision(added=[gamma], removed=[old["gamma"], old["beta"]])
    folder = built.close()

    assert [row["upstream"] for row in view(ask, folder, "edges")] == ["alpha"]
    assert [(r["name"], r["state"]) for r in view(ask, folder, "latest")] == [("alpha", "done"), ("gamma", "pending")]
    assert [(row["run"], row["name"]) for row in view(ask, folder, "timeline")] == [
        (1, "alpha"), (1, "beta"), (1, "gamma"), (2, "beta"),
    ]  # fmt: skip


def fails(cache: build.Cache, chain: list[str], revision: int = 1) -> None:
    """A run in which the first step fails, and each other one is skipped for the one before it."""
    skipped = {"type": "Skipped", "message": "", "file": None, "line": None}
    run = cache.run("failed", revision=revision)
    for above, name in zip([None, *chain], chain, strict=False):
        cache.row(name, run, 2 if above else 1)
        cache.error(name, run, **({**skipped, "traceback": "", "blame": above} if above else {}))


def test_a_skipped_step_blames_the_one_that_failed_at_any_distance(tmp_path, ask):
    """alpha fails and takes b, c and d along; in run 2 beta fails, and c and d are skipped for it."""
    cache = build.declared(tmp_path)
    for name, above in (("b", "alpha"), ("c", "b"), ("d", "c")):
        cache.step(name, phase=1, upstream=[(above, "value", "args[0]")])
    cache.revision(added=[cache.ids[name] for name in "bcd"])
    for chain in (["alpha", "b", "c", "d"], ["beta", "c", "d"]):
        fails(cache, chain, revision=2)
    folder = cache.close()

    assert {row["name"]: row["blame"] for row in view(ask, folder, "failures")} == {
        "alpha": None, "b": "alpha", "beta": None, "c": "beta", "d": "beta",
    }  # fmt: skip
    for verb, step, blamed in (("show", "d", "beta"), ("log", "d", "beta"), ("show", "b", "alpha")):
        assert f"because {blamed} failed" in ask(folder, verb, step).out
    assert ask.json(folder, "show", "d", "--run", "1")["error"]["blame"] == "alpha"
    assert "because c <- beta failed; beta failed in run 2: ZeroDivisionError" in ask(folder, "why", "d").out


def test_a_long_chain_of_skipped_steps_is_gone_through_once(tmp_path):
    cache = build.Cache(tmp_path)
    cache.db.execute("BEGIN")
    for number in range(2_000):
        cache.step(f"s{number}", phase=number, function="s")
    cache.revision()
    fails(cache, list(cache.ids))
    cache.db.execute("COMMIT")

    # A step of SQLite's virtual machine for each row and not for each pair of rows, of which there are 2 million.
    cache.db.set_progress_handler(lambda: 1, 1_000_000)
    assert cache.db.execute("SELECT count(*) FROM failures WHERE blame = 's0'").fetchone() == (1_999,)
    cache.db.close()
