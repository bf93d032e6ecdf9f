"""No verb: what the last run left behind; and ``runs``."""

import json
import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ezpyp.store.lock import current_owner
from tests.inspect import build


def test_a_cache_never_run(declared, ask):
    out = ask(declared).out

    assert out.startswith(f"Pipeline 'toy' @ {declared}, revision 1\nnever run\n")
    assert "3 steps: 3 pending" in out


def test_a_cache_without_a_schema(tmp_path, ask):
    folder = build.Cache(tmp_path).close()

    assert ask(folder).out.startswith(f"Pipeline 'toy' @ {folder}, no schema yet\nnever run\n")
    assert ask(folder, "steps").out == "no steps\n"
    assert ask(folder, "runs").out == "no run yet\n"
    assert ask(folder, "runs", "--format", "json").rows == []


def test_a_run_without_failure(finished, ask):
    out = ask(finished).out

    assert "Run 1: completed in 2.00 s on 2 ranks of node1, revision 1\n" in out
    assert "3 steps: 3 done\n" in out
    assert "1.25 s  gamma" in out
    assert "1 object file of 97.7 KiB" in out
    assert "Failed" not in out


def test_a_run_with_a_failure_is_a_problem(failed, ask):
    out = ask(failed, code=1).out

    assert "3 steps: 1 done, 1 failed, 1 skipped\n" in out
    assert "  beta  ZeroDivisionError: division by zero (script.py:12)\n" in out
    assert out.endswith(f"python -m ezpyp.inspect {failed} show beta\n")


def test_bars_show_even_one_failed_step(tmp_path, ask):
    cache = build.Cache(tmp_path)
    cache.revision(added=[cache.step(f"s[x={x}]") for x in range(500)])
    run = cache.run()
    for number, name in enumerate(cache.ids):
        cache.row(name, run, int(number == 7), result=None)

    (line,) = [line for line in ask(cache.close(), code=1).lines if "█" in line]

    assert line.split()[:3] == ["0", "499", "1"]
    assert line.count("x") == 1


def test_a_live_run_says_who_holds_the_cache(tmp_path, ask):
    cache = build.running(tmp_path)
    me = current_owner()

    out = ask(cache.folder).out

    assert f"Run 1: running on 2 ranks of {me.host}" in out
    assert f"held by     process {me.pid} on {me.host}, last heard of 0 s ago" in out
    assert "3 steps: 1 running, 1 pending, 1 done" in out
    assert [row["status"] for row in ask(cache.folder, "runs", "--format", "json").rows] == ["running"]


def test_a_killed_run_is_a_problem_and_says_so(killed, ask):
    out = ask(killed, code=1).out

    assert "Run 1: killed on 2 ranks" in out
    assert "is gone; what had finished is kept" in out
    assert "3 steps: 1 killed, 1 pending, 1 done" in out
    assert [row["status"] for row in ask(killed, "runs", "--format", "json").rows] == ["killed"]


def test_a_running_run_of_a_free_cache_was_killed(tmp_path, ask):
    cache = build.running(tmp_path)
    cache.db.execute("UPDATE holder SET owner = NULL, heartbeat = NULL")

    assert "Run 1: killed" in ask(cache.close(), code=1).out


def test_a_run_is_not_alive_because_a_later_one_is(tmp_path, ask):
    cache = build.running(tmp_path, build.dead_owner())
    me = current_owner()
    cache.run("running", host=me.host, pid=me.pid)
    cache.hold()

    assert [row["status"] for row in ask(cache.folder, "runs", "--format", "json").rows] == [
        "killed",
        "running",
    ]


def test_a_holder_on_another_host_counts_by_its_heartbeat(tmp_path, ask):
    far = replace(current_owner(), host="node9", boot="another", job=None)
    cache = build.running(tmp_path, far)

    assert "Run 1: running" in ask(cache.folder).out
    cache.db.execute("UPDATE holder SET heartbeat = heartbeat - 1000")
    assert "Run 1: killed" in ask(cache.folder, code=1).out


def test_what_stands_in_the_holder_may_be_nonsense(tmp_path, ask):
    cache = build.running(tmp_path)
    cache.db.execute("""UPDATE holder SET owner = '{"host": 3}'""")

    assert "Run 1: killed" in ask(cache.folder, code=1).out


def test_runs_are_listed_oldest_first(tmp_path, ask):
    cache = build.finished(tmp_path)
    cache.run("interrupted", command="python other.py", job="4711")

    folder = cache.close()

    assert [line.split()[:3] for line in ask(folder, "runs").lines[1:]] == [
        ["1", "1", "completed"],
        ["2", "1", "interrupted"],
    ]
    assert ask(folder, "runs", "--format", "json").rows[1]["job"] == "4711"
    assert ask(folder, code=1).out.count("interrupted") == 1


def test_a_large_cache_is_counted_by_its_run(tmp_path, ask, monkeypatch):
    monkeypatch.setattr("ezpyp.inspect.verbs.overview.COUNTED", 2)
    cache = build.failed(tmp_path)
    counted = ask(cache.folder, code=1).out
    # What the run wrote down shows that it is read: the rows say otherwise.
    cache.db.execute("UPDATE runs SET phases = ?", ['{"0": {"0": 41, "1": 1}, "1": {"2": 1}}'])

    out = ask(cache.close(), code=1).out

    assert "3 steps: 1 done, 1 failed, 1 skipped\n" in counted
    assert "43 steps: 41 done, 1 failed, 1 skipped\n" in out
    assert ["0", "41", "1", "0"] in [line.split()[:4] for line in out.splitlines()]


def test_a_run_writes_down_what_became_of_each_phase(tmp_path, ask):
    script = (
        "from ezpyp import Pipeline, as_pickle_step\n"
        "pipeline = Pipeline('cache', 'toy')\n"
        "@as_pickle_step(pipeline)\ndef alpha(x):\n    return 1 / x\n"
        "@as_pickle_step(pipeline)\ndef beta(y):\n    return y\n"
        "for x in range(3):\n    beta(alpha(x))\n"
        "pipeline.execute()\n"
    )
    (tmp_path / "script.py").write_text(script)
    root = str(Path(__file__).absolute().parents[2])
    environ = {**os.environ, "PYTHONPATH": root}
    subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, env=environ, capture_output=True, timeout=60, check=True
    )

    (row,) = ask(tmp_path / "cache", "sql", "SELECT phases FROM runs", "--format", "json").rows

    assert json.loads(str(row["phases"])) == {"0": {"0": 2, "1": 1}, "1": {"0": 2, "2": 1}}


def facts(ask, cache, code: int = 0):
    return json.loads(ask(cache, "--format", "json", code=code).out)


def test_programs_get_what_people_see(failed, ask):
    told = facts(ask, failed, code=1)

    assert (told["pipeline"], told["location"], told["revision"]) == ("toy", str(failed), 1)
    assert (told["run"]["run"], told["run"]["status"], told["holder"]) == (1, "completed", None)
    counts = {"total": 3, "killed": 0, "running": 0, "pending": 0, "done": 1, "failed": 1, "skipped": 1}
    assert told["steps"] == counts
    assert [(phase["phase"], phase["total"], phase["failed"]) for phase in told["phases"]] == [(0, 2, 1), (1, 1, 0)]
    assert told["failures"] == [
        {
            "name": "beta", "type": "ZeroDivisionError", "message": "division by zero",
            "file": "/home/me/script.py", "line": 12,
        }
    ]  # fmt: skip
    assert [step["name"] for step in told["slowest"]] == ["alpha", "beta"]
    assert told["size"]["files"] == 0
    assert told["next"] == f"python -m ezpyp.inspect {failed} show beta"


def test_programs_are_told_who_holds_the_cache(tmp_path, ask):
    cache = build.running(tmp_path)
    told = facts(ask, cache.folder)

    assert (told["holder"]["pid"], told["run"]["status"]) == (os.getpid(), "running")
    assert (told["steps"]["running"], told["steps"]["killed"]) == (1, 0)


def test_the_format_of_a_verb_stands_behind_it(finished, ask):
    said = ask(finished, "--format", "json", "steps", code=2).err

    assert "give --format json behind the verb: python -m ezpyp.inspect CACHE steps --format json" in said
    assert "is not one of" in ask(finished, "--format", "csv", code=2).err


def typed_next(ask, cache) -> list[str]:
    """The words behind the location in what is to be typed next, as a shell parts them."""
    line = ask(cache, code=1).lines[-1]
    return shlex.split(line.partition(f" {cache} ")[2])


def test_next_of_a_killed_run_is_what_was_killed(killed, ask):
    words = typed_next(ask, killed)

    assert words == ["steps", "--status", "killed"]
    assert [line.split()[0] for line in ask(killed, *words).lines[1:]] == ["beta"]


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
