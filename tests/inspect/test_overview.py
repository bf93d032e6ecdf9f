"""The overview and ``runs``: what the last run left behind, and how each ended."""

import json
import os
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from ezpyp.store.lock import current_owner
from tests.inspect import build


def states(ask, cache: Path) -> list[str]:
    return [line.split()[2] for line in ask(cache, "steps").lines[1:]]


def test_a_cache_never_run(declared, tmp_path, ask):
    out = ask(declared).out
    assert out.startswith(f"Pipeline 'toy' @ {declared}, revision 1\nnever run\n")
    assert "3 steps: 3 pending" in out
    assert states(ask, declared) == ["pending"] * 3
    assert {row["result"] for row in ask.json(declared, "steps")} == {None}

    empty = build.Cache(tmp_path / "empty").close()
    assert ask(empty).out.startswith(f"Pipeline 'toy' @ {empty}, no schema yet\nnever run\n")
    assert ask(empty, "steps").out == "no steps\n"
    assert ask(empty, "runs").out == "no run yet\n"


def test_a_run_without_failure(finished, ask):
    out = ask(finished).out

    for line in ("Run 1: completed in 2.00 s on 2 ranks of node1, revision 1\n", "3 steps: 3 done\n", "1.25 s  gamma"):
        assert line in out
    assert "1 object file of 97.7 KiB" in out
    assert "Failed" not in out


def test_a_run_with_a_failure_is_a_problem_for_people_and_programs(failed, ask):
    out = ask(failed, code=1).out
    assert "3 steps: 1 done, 1 failed, 1 skipped\n" in out
    assert "  beta  ZeroDivisionError: division by zero (script.py:12)\n" in out
    assert out.endswith(f"python -m ezpyp.inspect {failed} show beta\n")

    found = ask.json(failed, code=1)
    assert (found["pipeline"], found["location"], found["revision"]) == ("toy", str(failed), 1)
    assert (found["run"]["run"], found["run"]["status"], found["holder"]) == (1, "completed", None)
    counts = {"total": 3, "killed": 0, "running": 0, "pending": 0, "done": 1, "failed": 1, "skipped": 1}
    assert found["steps"] == counts
    assert [(phase["phase"], phase["total"], phase["failed"]) for phase in found["phases"]] == [(0, 2, 1), (1, 1, 0)]
    error = {"type": "ZeroDivisionError", "message": "division by zero", "file": "/home/me/script.py", "line": 12}
    assert found["failures"] == [{"name": "beta", **error}]
    assert [step["name"] for step in found["slowest"]] == ["alpha", "beta"]
    assert found["size"]["files"] == 0
    assert found["next"] == f"python -m ezpyp.inspect {failed} show beta"


def test_bars_show_even_one_failed_step(tmp_path, ask):
    cache = build.Cache(tmp_path)
    cache.revision([cache.step(f"s[x={x}]") for x in range(500)])
    run = cache.run()
    for number, name in enumerate(cache.ids):
        cache.row(name, run, int(number == 7), result=None)

    (line,) = [line for line in ask(cache.close(), code=1).lines if "█" in line]

    assert (line.split()[:3], line.count("x")) == (["0", "499", "1"], 1)


def test_a_live_run_says_who_holds_the_cache(tmp_path, ask):
    cache, me = build.running(tmp_path), current_owner()
    folder = cache.folder
    out, found = ask(folder).out, ask.json(folder)

    assert f"Run 1: running on 2 ranks of {me.host}" in out
    assert f"held by     process {me.pid} on {me.host}, last heard of 0 s ago" in out
    assert "3 steps: 1 running, 1 pending, 1 done" in out
    assert (found["holder"]["pid"], found["run"]["status"]) == (os.getpid(), "running")
    assert (found["steps"]["running"], found["steps"]["killed"]) == (1, 0)
    assert states(ask, folder) == ["done", "running", "pending"]
    assert ask.names(folder, "--status", "running") == ["beta"]
    assert ask.names(folder, "--status", "killed,pending") == ["gamma"]


def test_a_killed_run_is_a_problem_and_says_so(killed, ask):
    out = ask(killed, code=1).out

    assert "Run 1: killed on 2 ranks" in out
    assert "is gone; what had finished is kept" in out
    assert "3 steps: 1 killed, 1 pending, 1 done" in out
    assert states(ask, killed) == ["done", "killed", "pending"]
    for status, found in (
        ("killed", ["beta"]), ("KILLED,done", ["alpha", "beta"]), ("running", []), ("-2", ["beta"]),
        ("running,pending", ["gamma"]),
    ):  # fmt: skip
        assert ask.names(killed, "--status", status) == found
    next_words = typed_next(ask, killed)
    assert next_words == ["steps", "--status", "killed"]
    assert [line.split()[0] for line in ask(killed, *next_words).lines[1:]] == ["beta"]


@pytest.mark.parametrize(
    ("change", "statuses"),
    [
        ("UPDATE holder SET owner = NULL, heartbeat = NULL", ["killed"]),
        ("""UPDATE holder SET owner = '{"host": 3}'""", ["killed"]),
        ("UPDATE holder SET heartbeat = heartbeat", ["running"]),
        ("UPDATE holder SET heartbeat = heartbeat - 1000", ["killed"]),
    ],
)
def test_a_run_is_alive_while_its_own_process_holds_the_cache(change, statuses, tmp_path, ask):
    """On another host, where only the heartbeat says so."""
    cache = build.running(tmp_path, replace(current_owner(), host="node9", boot="another", job=None))
    cache.db.execute(change)

    assert [row["status"] for row in ask.json(cache.folder, "runs")] == statuses


def test_runs_are_listed_oldest_first_and_none_is_alive_because_a_later_one_is(tmp_path, ask):
    cache, me = build.running(tmp_path, build.dead_owner()), current_owner()
    cache.run("interrupted", command="python other.py", job="4711")
    cache.run("running", host=me.host, pid=me.pid)
    cache.hold()

    table = [line.split()[:3] for line in ask(cache.folder, "runs").lines[1:]]
    assert table == [["1", "1", "killed"], ["2", "1", "interrupted"], ["3", "1", "running"]]
    assert ask.json(cache.folder, "runs")[1]["job"] == "4711"


def test_a_large_cache_is_counted_by_its_run(tmp_path, ask, monkeypatch):
    monkeypatch.setattr("ezpyp.inspect.verbs.overview.COUNTED", 2)
    cache = build.failed(tmp_path)
    assert "3 steps: 1 done, 1 failed, 1 skipped\n" in ask(cache.folder, code=1).out
    # What the run wrote down shows that it is read: the rows differ.
    cache.db.execute("UPDATE runs SET phases = ?", ['{"0": {"0": 41, "1": 1}, "1": {"2": 1}}'])

    out = ask(cache.close(), code=1).out

    assert "43 steps: 41 done, 1 failed, 1 skipped\n" in out
    assert ["0", "41", "1", "0"] in [line.split()[:4] for line in out.splitlines()]


def typed_next(ask, cache: Path) -> list[str]:
    """The words behind the location in what is to be typed next, as a shell separates them."""
    return shlex.split(ask(cache, code=1).lines[-1].partition(f" {cache} ")[2])


@pytest.mark.parametrize(
    "name", ["-x", "--help", "--", "a\nb", "\x1b[31mred", "it's *", "back\\slash", "[x=1]", " a ", "é\u202eb"]
)
def test_next_works_when_it_is_pasted(name, tmp_path, ask):
    cache = build.Cache(tmp_path)
    cache.revision(added=[cache.step(name, function="f"), cache.step("another", function="f")])
    run = cache.run("failed")
    cache.row(name, run, 1)
    cache.error(name, run)
    folder = cache.close()

    words = typed_next(ask, folder)

    assert json.loads(ask(folder, *words[:1], "--format", "json", *words[1:]).out)["name"] == name
