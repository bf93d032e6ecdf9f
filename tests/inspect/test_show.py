"""``show NAME``: everything about one step."""

import json
from pathlib import Path

import jsonschema
import pytest

from tests.inspect import build

SCHEMAS = Path(__file__).absolute().parents[2] / "docs" / "schemas"


def facts(ask, cache, *words):
    return json.loads(ask(cache, "show", *words, "--format", "json").out)


def test_a_step_that_is_done(finished, ask):
    out = ask(finished, "show", "gamma").out

    assert out.startswith("gamma: done in 1.25 s (run 1, ")
    for told in (
        "rank 0 of node1",
        build.digest("gamma", 0).hex(),
        "gamma, /home/me/script.py:3 (module __main__)",
        "[9, 8]",
        "a = TMP for alpha",
        "alpha  (done, args[0])",
        "float",
        "1.125",
        "97.7 KiB as pickle 1",
        str(finished / "objects"),
        "History",
        "Source as recorded",
        "    return x ** 2",
    ):
        assert told in out


def test_the_same_as_facts(finished, ask):
    gamma = facts(ask, finished, "gamma")

    assert gamma["upstream"] == [
        {"name": "alpha", "kind": "value", "slot": "args[0]", "status": 0, "run": 1},
        {"name": "beta", "kind": "value", "slot": "args[1]", "status": 0, "run": 1},
    ]
    assert gamma["result"]["type"] == "float"
    assert gamma["result"]["digest"] == build.digest(b"x" * 100_000).hex()
    assert gamma["function"]["source"] == build.SOURCE
    assert [entry["run"] for entry in gamma["history"]] == [1]
    assert [entry["name"] for entry in facts(ask, finished, "alpha")["downstream"]] == ["gamma"]


def test_a_step_that_failed_shows_its_traceback(failed, ask):
    out = ask(failed, "show", "beta").out

    assert out.startswith("beta: failed in 500.0 ms")
    assert "\nZeroDivisionError: division by zero (/home/me/script.py:12)\nTraceback (most recent call last):\n" in out


def test_a_step_that_was_skipped_names_whom_it_blames(failed, ask):
    out = ask(failed, "show", "gamma").out

    assert out.startswith("gamma: skipped (run 1, ")
    assert "because beta failed" in out
    assert "beta  (failed, args[1])" in out


def test_a_step_that_never_ran(declared, ask):
    assert ask(declared, "show", "gamma").out.startswith("gamma: pending, never run\n")
    assert facts(ask, declared, "gamma")["result"] is None


@pytest.mark.parametrize(
    "words",
    [
        ("gamma",),
        ("gam",),
        ("g*",),
        (build.digest("gamma", 0).hex(),),
        (build.digest("gamma", 0).hex()[:8].upper(),),
    ],
)
def test_a_step_is_found_by_name_glob_prefix_and_key(finished, ask, words):
    assert facts(ask, finished, *words)["name"] == "gamma"


def test_a_step_is_found_by_its_recorded_parameters(finished, ask):
    assert facts(ask, finished, "alpha", "x=3")["name"] == "alpha"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("gama",), "there is no step 'gama'; did you mean 'gamma'?"),
        (("alpha", "x=4"), "there is no step 'alpha[x=4]'; 'alpha' has 1: alpha"),
        (("*a",), "'*a' fits 3 steps: alpha, beta, gamma; give the whole name"),
        (("alpha", "4"), "'4' after the name is no PARAM=VALUE"),
        ((), "Missing argument"),
    ],
)
def test_a_name_that_means_nothing_says_what_there_is(finished, ask, words, message):
    assert message in ask(finished, "show", *words, code=2).err


def test_keys_that_start_alike_are_told(tmp_path, ask):
    cache = build.Cache(tmp_path)
    cache.revision(added=[cache.step(f"s{n}", key=bytes([0xAB, 0xCD, n]) + bytes(13)) for n in range(3)])

    answer = ask(cache.close(), "show", "abcd", code=2)

    assert "key abcd... is that of 3 steps: s0, s1, s2; give more of it" in answer.err


def edited(folder):
    cache = build.finished(folder)
    old = cache.ids["beta"]
    new = cache.step("beta", salt="edited")
    cache.revision(added=[new], removed=[old, cache.ids["gamma"]], note="beta changed, gamma left out")
    cache.run(revision=2)
    cache.row("beta", 2, seconds=2.0)
    return cache.close()


def test_history_tells_all_runs_and_revisions(tmp_path, ask):
    beta = facts(ask, edited(tmp_path), "beta")

    assert [(row["run"], row["revision"], row["key"]) for row in beta["history"]] == [
        (1, 1, build.digest("beta", 0).hex()),
        (2, 2, build.digest("beta", "edited").hex()),
    ]
    assert [(row["revision"], row["present"]) for row in beta["revisions"]] == [
        (1, True),
        (2, False),
        (2, True),
    ]


def test_an_old_key_shows_the_step_as_it_was(tmp_path, ask):
    old = facts(ask, edited(tmp_path), build.digest("beta", 0).hex()[:12])

    assert (old["name"], old["run"], old["revision"], old["present"]) == ("beta", 1, 1, False)


def test_a_step_left_out_is_still_found(tmp_path, ask):
    folder = edited(tmp_path)

    assert facts(ask, folder, "gamma")["present"] is False
    assert "1 was the last that has it" in ask(folder, "show", "gamma").out


def test_neighbours_are_those_of_the_same_revision(tmp_path, ask):
    assert facts(ask, edited(tmp_path), "alpha")["downstream"] == []
    assert [s["name"] for s in facts(ask, tmp_path, "alpha", "--revision", "1")["downstream"]] == ["gamma"]


def test_damage_is_told(tmp_path, ask):
    cache = build.finished(tmp_path)
    cache.insert("damages", result=1, found_at=build.START, reason="digest differs")

    assert "digest differs; it runs again" in ask(cache.close(), "show", "alpha").out


def test_what_a_message_says_cannot_steer_the_terminal(tmp_path, ask):
    cache = build.declared(tmp_path)
    cache.row("beta", cache.run(), 1)
    cache.error("beta", 1, message="\x1b[2Jgone", traceback="Traceback\n  \x1b]0;title\x07\nE: x\n")

    out = ask(cache.close(), "show", "beta").out

    assert "\x1b" not in out
    assert r"\x1b[2Jgone" in out


def test_show_says_who_made_it_with_what(tmp_path, ask):
    cache = build.declared(tmp_path / "cache")
    run = cache.run(job="4711", git_commit="ab" * 20, git_dirty=1)
    result = cache.result("alpha", run)
    cache.row("alpha", run, rank=1, result=result)
    parts = [["library", "numpy", "", "2.1.0"], ["environment", "HOME", "00", ""]]
    cache.insert("circumstances", function=cache.functions["alpha"], run=run, parts=json.dumps(parts))
    later = cache.run(command="python other.py", user="somebody else")
    cache.row("alpha", later, cached=1, rank=0, result=result)
    folder = cache.close()

    page = ask(folder, "show", "alpha").out.partition("\nProvenance\n")[2].partition("\n\n")[0]
    made = facts(ask, folder, "alpha")["provenance"]

    for told in (
        "run         1 of revision 1, ",
        "by          me, rank 1 of 2, host node1, batch job 4711\n",
        "command     python script.py\n",
        "directory   /home/me\n",
        "code        commit abababababab, changed since\n",
        "python      3.11.7, ezpyp 0.1\n",
        "libraries   numpy 2.1.0",
    ):
        assert told in page
    assert (made["run"], made["user"], made["rank"], made["host"], made["job"]) == (1, "me", 1, "node1", "4711")
    assert (made["git_commit"], made["git_dirty"], made["python"]) == ("ab" * 20, True, "3.11.7")
    assert made["libraries"] == {"numpy": "2.1.0"}
    assert facts(ask, folder, "beta")["provenance"] is None


def killed_twice(folder, owner):
    """beta was killed with run 1, and with run 2 again."""
    cache = build.running(folder, owner)
    cache.run("running", host=owner.host, pid=owner.pid, finished_at=None, seconds=None)
    cache.row("beta", 2, -2, seconds=None)
    return cache


def why(ask, folder, *words):
    found = json.loads(ask(folder, "why", "beta", *words, "--format", "json").out)
    jsonschema.validate(found, json.loads((SCHEMAS / "why.json").read_text()))
    return found


def test_why_says_killed_where_show_does(tmp_path, ask):
    folder = killed_twice(tmp_path, build.dead_owner()).close()

    assert ask(folder, "show", "beta").out.startswith("beta: killed (run 2, ")
    assert ask(folder, "why", "beta").lines[0] == (
        "beta: was killed with run 2; it ran, again: run 1 ended while it was running"
    )
    assert ask(folder, "why", "beta", "--run", "1").lines[0] == (
        "beta: was killed with run 1; it ran: nothing of that name was known before"
    )
    assert why(ask, folder)["kind"] == why(ask, folder, "--run", "1")["kind"] == "killed"


def test_why_says_running_of_the_run_that_goes_on(tmp_path, ask):
    cache = killed_twice(tmp_path, build.current_owner())

    assert ask(cache.folder, "why", "beta").lines[0].startswith("beta: is running in run 2, again: run 1 ended ")
    assert why(ask, cache.folder)["kind"] == "running"


def test_show_says_killed_of_neighbours_and_in_the_history(tmp_path, ask):
    folder = killed_twice(tmp_path, build.dead_owner()).close()

    history = ask(folder, "show", "beta").out.partition("History\n")[2].splitlines()
    assert [line.split()[2] for line in history[1:3]] == ["killed", "killed"]
    assert "beta  (killed, args[1])" in ask(folder, "show", "gamma").out
    assert "beta has no result: it is killed" in ask(folder, "get", "beta", "-o", "-", code=1).err


def test_show_says_running_of_the_run_that_goes_on_alone(tmp_path, ask):
    cache = killed_twice(tmp_path, build.current_owner())

    history = ask(cache.folder, "show", "beta").out.partition("History\n")[2].splitlines()
    assert [line.split()[2] for line in history[1:3]] == ["killed", "running"]
    assert "beta  (running, args[1])" in ask(cache.folder, "show", "gamma").out
