"""``steps``, ``show`` and ``lineage``: many steps, one step, and what they need."""

import csv
import io
import json
import shlex
from pathlib import Path

import pytest
from xxhash import xxh3_128_digest

from ezpyp.inspect.verbs.steps import SORTS
from ezpyp.store.lock import current_owner
from tests.inspect import build


def test_rows_have_everything_and_the_formats_agree(finished, failed, ask):
    gamma = ask.json(finished, "steps")[2]
    expected = {
        "name": "gamma", "function": "gamma", "phase": 1, "status": 0, "cached": False, "args": "[9, 8]",
        "kwargs": "{}", "seconds": 1.25, "rank": 0, "host": "node1", "key": build.digest("gamma", 0).hex(),
    }  # fmt: skip
    assert {name: gamma[name] for name in expected} == expected
    assert Path(str(gamma["result"])).read_bytes() == b"x" * 100_000
    assert str(ask.json(finished, "steps")[0]["result"]).startswith(f"{finished}/ezpyp.sqlite#")

    def as_csv(value: object) -> str:
        return "" if value is None else str(int(value)) if isinstance(value, bool) else str(value)

    steps = ask.json(failed, "steps")
    table = list(csv.DictReader(io.StringIO(ask(failed, "steps", "--format", "csv").out)))
    assert table == [{name: as_csv(value) for name, value in row.items()} for row in steps]
    assert [line.split()[0] for line in ask(failed, "steps").lines[1:]] == [row["name"] for row in steps]
    for form, out in (("csv", "name,phase,status,cached,key"), ("json", "[]\n"), ("table", "no such steps\n")):
        assert ask(failed, "steps", "--status", "pending", "--format", form).out.startswith(out)


FILTERS = """
--status failed | beta
--status 1 | beta
--status failed,skipped | beta gamma
--status 'DONE, 2' | alpha gamma
--status -1 |
--phase 1 | gamma
--name *a | alpha beta gamma
--name ?eta | beta
--name b --phase 0 |
--function g* | gamma
--slower-than 0.4 | alpha beta
--slower-than 0.5 |
--sort name --reverse | gamma beta alpha
--sort rank --reverse --limit 1 | beta
--limit 0 |
"""


def test_filters_and_orders(failed, ask):
    for filters, found in [line.split("|") for line in FILTERS.strip().splitlines()]:
        assert ask.names(failed, *shlex.split(filters)) == found.split(), filters
    for order in SORTS:
        assert len(ask.names(failed, "--sort", order, "--reverse")) == 3


def test_adopted_results_point_to_the_object_they_share(tmp_path, ask):
    cache = build.declared(tmp_path)
    run = cache.run()
    first = cache.result("alpha", run)  # in the index, so a path under objects/ would be wrong for the second, too
    taken = cache.result("beta", run, None, digest=xxh3_128_digest(build.NINE), origin=first)
    cache.row("alpha", run, result=first)
    cache.row("beta", run, result=taken, cached=1)

    alpha, beta, _ = ask.json(cache.close(), "steps")

    assert alpha["result"] == beta["result"]
    assert "ezpyp.sqlite#" in str(beta["result"])
    assert (alpha["cached"], beta["cached"]) == (False, True)


def test_a_limit_gives_the_first_of_all(tmp_path, ask):
    cache = build.Cache(tmp_path)
    for number, phase in enumerate([1, 0, 2, 0, 1, 0]):
        cache.step(f"s{number}", phase=phase)
    cache.revision()
    cache.run()
    cache.row("s3", 1, 1)
    folder, whole = cache.close(), ["s1", "s3", "s5", "s0", "s4", "s2"]

    for limit in range(8):
        limited = ("--limit", str(limit))
        assert ask.names(folder, *limited) == whole[:limit]
        assert ask.names(folder, *limited, "--reverse") == whole[::-1][:limit]
        assert ask.names(folder, *limited, "--name", "s[!15]") == []
        assert ask.names(folder, *limited, "--status", "pending") == [n for n in whole if n != "s3"][:limit]


# One step.


def test_show_has_everything_about_a_step(finished, ask):
    out = ask(finished, "show", "gamma").out
    assert out.startswith("gamma: done in 1.25 s (run 1, ")
    for part in (
        "rank 0 of node1", build.digest("gamma", 0).hex(), "gamma, /home/me/script.py:3 (module __main__)", "[9, 8]",
        "a = TMP for alpha", "alpha  (done, args[0])", "float", "1.125", "97.7 KiB as pickle 1",
        str(finished / "objects"), "History", "Source as recorded", "    return x ** 2",
    ):  # fmt: skip
        assert part in out

    gamma = ask.json(finished, "show", "gamma")
    assert gamma["upstream"] == [
        {"name": "alpha", "kind": "value", "slot": "args[0]", "status": 0, "run": 1},
        {"name": "beta", "kind": "value", "slot": "args[1]", "status": 0, "run": 1},
    ]
    assert gamma["result"]["type"] == "float"
    assert gamma["result"]["digest"] == xxh3_128_digest(build.LARGE).hex()
    assert gamma["function"]["source"] == build.SOURCE
    assert [entry["run"] for entry in gamma["history"]] == [1]
    assert [entry["name"] for entry in ask.json(finished, "show", "alpha")["downstream"]] == ["gamma"]


def test_show_of_what_failed_was_skipped_or_never_ran(failed, declared, ask):
    out = ask(failed, "show", "beta").out
    assert out.startswith("beta: failed in 500.0 ms")
    assert "\nZeroDivisionError: division by zero (/home/me/script.py:12)\nTraceback (most recent call last):\n" in out
    out = ask(failed, "show", "gamma").out
    assert out.startswith("gamma: skipped (run 1, ")
    assert "because beta failed" in out
    assert "beta  (failed, args[1])" in out

    assert ask(declared, "show", "gamma").out.startswith("gamma: pending, never run\n")
    assert ask.json(declared, "show", "gamma")["result"] is None


def test_damage_is_shown_and_no_new_problem(tmp_path, ask):
    cache = build.finished(tmp_path)
    cache.insert("damages", result=1, found_at=build.START, reason="digest differs")
    folder = cache.close()

    assert "digest differs; it runs again" in ask(folder, "show", "alpha").out
    (damage,) = ask.json(folder, "verify")
    assert (damage["name"], damage["known"]) == ("alpha", True)


def test_a_step_is_found_by_name_glob_prefix_key_and_parameters(finished, ask):
    key = build.digest("gamma", 0).hex()
    for words in ("gamma", "gam", "g*", key, key[:8].upper()):
        assert ask.json(finished, "show", words)["name"] == "gamma", words
    assert ask.json(finished, "show", "alpha", "x=3")["name"] == "alpha"


def test_keys_that_start_alike_are_listed(tmp_path, ask):
    cache = build.Cache(tmp_path)
    cache.revision([cache.step(f"s{n}", key=bytes([0xAB, 0xCD, n]) + bytes(13)) for n in range(3)])

    assert "key abcd... is that of 3 steps: s0, s1, s2; give" in ask(cache.close(), "show", "abcd", code=2).err


def test_history_old_keys_and_steps_left_out(tmp_path, ask):
    cache = build.finished(tmp_path)
    old, new = cache.ids["beta"], cache.step("beta", salt="edited")
    cache.revision(added=[new], removed=[old, cache.ids["gamma"]], note="beta changed, gamma left out")
    cache.run(revision=2)
    cache.row("beta", 2, seconds=2.0)
    folder = cache.close()
    before, after = build.digest("beta", 0).hex(), build.digest("beta", "edited").hex()

    beta = ask.json(folder, "show", "beta")
    assert [(row["run"], row["revision"], row["key"]) for row in beta["history"]] == [(1, 1, before), (2, 2, after)]
    assert [(row["revision"], row["present"]) for row in beta["revisions"]] == [(1, True), (2, False), (2, True)]
    found = ask.json(folder, "show", before[:12])
    assert (found["name"], found["run"], found["revision"], found["present"]) == ("beta", 1, 1, False)
    assert ask.json(folder, "show", "gamma")["present"] is False
    assert "1 was the last that has it" in ask(folder, "show", "gamma").out
    # Neighbours are those of the same revision.
    assert ask.json(folder, "show", "alpha")["downstream"] == []
    assert [s["name"] for s in ask.json(folder, "show", "alpha", "--revision", "1")["downstream"]] == ["gamma"]


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
    made = ask.json(folder, "show", "alpha")["provenance"]

    for line in (
        "run         1 of revision 1, ",
        "by          me, rank 1 of 2, host node1, batch job 4711\n",
        "command     python script.py\n",
        "directory   /home/me\n",
        "code        commit abababababab, changed since\n",
        "python      3.11.7, ezpyp 0.1\n",
        "libraries   numpy 2.1.0",
    ):
        assert line in page
    assert (made["run"], made["user"], made["rank"], made["host"], made["job"]) == (1, "me", 1, "node1", "4711")
    assert (made["git_commit"], made["git_dirty"], made["python"]) == ("ab" * 20, True, "3.11.7")
    assert made["libraries"] == {"numpy": "2.1.0"}
    assert ask.json(folder, "show", "beta")["provenance"] is None


@pytest.mark.parametrize("is_alive", [False, True])
def test_each_verb_says_killed_or_running_of_the_same_run(is_alive, tmp_path, ask):
    """beta was running when run 1 was killed, and when run 2 was, if that does not go on."""
    owner = current_owner() if is_alive else build.dead_owner()
    cache = build.running(tmp_path, owner)
    cache.run("running", host=owner.host, pid=owner.pid, finished_at=None, seconds=None)
    cache.row("beta", 2, -2, seconds=None)
    folder, now = cache.folder, "running" if is_alive else "killed"

    first = ask(folder, "why", "beta").lines[0]
    assert first.startswith("beta: is running in run 2, again: " if is_alive else "beta: was killed with run 2; it ran")
    assert first.endswith("again: run 1 ended while it was running")
    assert ask.json(folder, "why", "beta")["kind"] == now
    if not is_alive:
        assert ask(folder, "why", "beta", "--run", "1").lines[0] == (
            "beta: was killed with run 1; it ran: nothing of that name was known before"
        )
    assert ask(folder, "show", "beta").out.startswith(f"beta: {now} (run 2, ")
    history = ask(folder, "show", "beta").out.partition("History\n")[2].splitlines()
    assert [line.split()[2] for line in history[1:3]] == ["killed", now]
    assert f"beta  ({now}, args[1])" in ask(folder, "show", "gamma").out
    assert f"beta has no result: it is {now}" in ask(folder, "get", "beta", "-o", "-", code=1).err


# Lineage.


def chains(folder: Path) -> Path:
    """a -> b -> c -> d, and x -> d for the order only; e is on its own, and gone is not of the newest revision."""
    cache = build.Cache(folder)
    above = {"a": [], "x": [], "e": [], "b": ["a"], "c": ["b"], "d": ["c"], "gone": ["c"]}
    for phase, (name, needs) in enumerate(above.items()):
        upstream = [(need, "value", "args[0]") for need in needs] + [("x", "order", "")] * (name == "d")
        cache.step(name, phase=phase, upstream=upstream)
    cache.revision()
    cache.revision([], [cache.ids["gone"]], note="gone is left out")
    return cache.close()


def test_lineage_has_both_directions_to_their_ends(tmp_path, ask):
    folder, columns = chains(tmp_path), ("direction", "depth", "from", "to", "kind")
    for words, edges in {
        "b": ["up 1 a b value", "down 1 b c value", "down 2 c d value"],
        "d --up": ["up 1 c d value", "up 1 x d order", "up 2 b c value", "up 3 a b value"],
        "e": [],
    }.items():
        found = ask.json(folder, "lineage", *words.split())
        assert [" ".join(str(row[column]) for column in columns) for row in found] == edges

    assert ask(folder, "lineage", "c").lines == [
        "c  (pending)",
        "  <- b  (pending, args[0])",
        "    <- a  (pending, args[0])",
        "  -> d  (pending, args[0])",
    ]
    assert ask(folder, "lineage", "x", "--down").lines == ["x  (pending)", "  -> d  (pending, order only)"]


def test_lineage_of_a_long_chain_and_of_many_ways_goes_through_each_edge_once(tmp_path, ask):
    cache, width, depth = build.Cache(tmp_path), 10, 12
    cache.db.execute("BEGIN")
    for x in range(5_000):
        cache.step(f"f[x={x}]", phase=x, upstream=[(f"f[x={x - 1}]", "value", "args[0]")] if x else [])
    for phase in range(depth):
        needs = [(f"g[p={phase - 1},x={x}]", "value", "args[0]") for x in range(width)] if phase else []
        for x in range(width):
            cache.step(f"g[p={phase},x={x}]", phase=phase, upstream=needs)
    cache.revision()
    cache.db.execute("COMMIT")
    folder = cache.close()

    assert len(ask.json(folder, "lineage", "f[x=0]", "--down")) == 4_999
    assert ask(folder, "lineage", "f[x=4999]").lines[-1].strip() == "<- and so on (--format json has all)"
    for name, way in (("g[p=0,x=0]", "--down"), (f"g[p={depth - 1},x=0]", "--up")):
        assert len(ask.json(folder, "lineage", name, way)) == width + (depth - 2) * width * width
