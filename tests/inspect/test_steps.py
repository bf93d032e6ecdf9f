"""``steps``: rows, filters, order, formats."""

import csv
import io
import re
from pathlib import Path

import pytest

from tests.inspect import build

LEAST = {
    "name",
    "phase",
    "status",
    "cached",
    "key",
    "function",
    "args",
    "kwargs",
    "result",
    "seconds",
    "rank",
    "host",
}


def names(answer) -> list[str]:
    return [str(row["name"]) for row in answer.rows]


def test_json_rows_say_everything_about_a_step(finished, ask):
    rows = ask(finished, "steps", "--format", "json").rows

    assert set(rows[0]) >= LEAST
    gamma = rows[2]
    assert gamma["name"] == gamma["function"] == "gamma"
    assert (gamma["phase"], gamma["status"], gamma["cached"]) == (1, 0, False)
    assert gamma["key"] == build.digest("gamma", 0).hex()
    assert (gamma["args"], gamma["kwargs"]) == ("[9, 8]", "{}")
    assert (gamma["seconds"], gamma["rank"], gamma["host"]) == (1.25, 0, "node1")
    assert Path(str(gamma["result"])).read_bytes() == b"x" * 100_000
    assert str(rows[0]["result"]).startswith(f"{finished}/ezpyp.sqlite#")


def test_the_formats_agree(failed, ask):
    rows = ask(failed, "steps", "--format", "json").rows
    table = list(csv.DictReader(io.StringIO(ask(failed, "steps", "--format", "csv").out)))

    def as_csv(value: object) -> str:
        return "" if value is None else str(int(value)) if isinstance(value, bool) else str(value)

    assert table == [{name: as_csv(value) for name, value in row.items()} for row in rows]
    assert [line.split()[0] for line in ask(failed, "steps").lines[1:]] == [row["name"] for row in rows]


def test_steps_of_a_cache_never_run_are_pending(declared, ask):
    rows = ask(declared, "steps", "--format", "json").rows

    assert [row["status"] for row in rows] == [-1, -1, -1]
    assert {row["result"] for row in rows} == {None}


def test_csv_without_rows_has_its_heading(declared, ask):
    assert ask(declared, "steps", "--status", "done", "--format", "csv").out.startswith("name,phase,status,cached,key")
    assert ask(declared, "steps", "--status", "done", "--format", "json").rows == []
    assert ask(declared, "steps", "--status", "done").out == "no such steps\n"


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        (["--status", "failed"], ["beta"]),
        (["--status", "1"], ["beta"]),
        (["--status", "failed,skipped"], ["beta", "gamma"]),
        (["--status", "DONE, 2"], ["alpha", "gamma"]),
        (["--status", "-1"], []),
        (["--phase", "1"], ["gamma"]),
        (["--name", "*a"], ["alpha", "beta", "gamma"]),
        (["--name", "?eta"], ["beta"]),
        (["--name", "b", "--phase", "0"], []),
        (["--function", "g*"], ["gamma"]),
        (["--slower-than", "0.4"], ["alpha", "beta"]),
        (["--slower-than", "0.5"], []),
        (["--sort", "name", "--reverse"], ["gamma", "beta", "alpha"]),
        (["--sort", "rank", "--reverse", "--limit", "1"], ["beta"]),
        (["--limit", "0"], []),
    ],
)
def test_filters(failed, ask, filters, found):
    assert names(ask(failed, "steps", "--format", "json", *filters)) == found


def test_every_order_is_known_to_the_index(finished, ask):
    from ezpyp.inspect.verbs.steps import SORTS

    for order in SORTS:
        assert len(ask(finished, "steps", "--sort", order, "--reverse", "--format", "json").rows) == 3


def test_brackets_are_literal_in_a_glob(tmp_path, ask):
    cache = build.Cache(tmp_path)
    cache.revision(added=[cache.step(f"alpha[x={x}]") for x in range(12)])

    assert names(ask(cache.close(), "steps", "--name", "alpha[x=1*]", "--format", "json")) == [
        "alpha[x=1]", "alpha[x=10]", "alpha[x=11]",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["--status", "broken"],
            r"'broken' is no status; there are running \(-2\), pending \(-1\), done \(0\), .*\(2\), killed \(-2\)",
        ),
        (["--status", "3"], "is no status"),
        (["--run", "9"], "no run 9 at .*; runs 1 to 1 are there"),
        (["--revision", "9"], "no revision 9 at .*; revisions 1 to 1 are there"),
        (["--sort", "colour"], "is not one of"),
    ],
)
def test_wrong_use_says_what_there_is(finished, ask, words, message):
    answer = ask(finished, "steps", *words, code=2)

    assert answer.out == ""
    assert re.search(message, answer.err.replace("\n", " "))


def rerun(tmp_path):
    """Run 1 as always; beta edited and gamma with it (revision 2), run 2; everything cached in run 3."""
    cache = build.finished(tmp_path)
    old = dict(cache.ids)
    beta = cache.step("beta", salt="edited", args="[2]")
    gamma = cache.step("gamma", salt="edited", phase=1, args="[TMP for alpha, TMP for beta]")
    cache.revision(added=[beta, gamma], removed=[old["beta"], old["gamma"]], note="beta changed")
    cache.run(revision=2)
    cache.row("beta", 2, seconds=2.0)
    cache.row("gamma", 2, args="[9, 16]")
    cache.run(revision=2)
    return cache.close()


def test_a_run_that_took_everything_from_the_cache_shows_it(tmp_path, ask):
    rows = ask(rerun(tmp_path), "steps", "--format", "json").rows

    assert [(row["name"], row["cached"], row["run"]) for row in rows] == [
        ("alpha", True, 1), ("beta", True, 2), ("gamma", True, 2),
    ]  # fmt: skip


def test_an_earlier_run_is_shown_as_it_was(tmp_path, ask):
    folder = rerun(tmp_path)

    first = ask(folder, "steps", "--run", "1", "--format", "json").rows
    second = ask(folder, "steps", "--run", "2", "--format", "json").rows

    assert [(row["name"], row["args"], row["cached"]) for row in first] == [
        ("alpha", "[3]", False), ("beta", "[2]", False), ("gamma", "[9, 8]", False),
    ]  # fmt: skip
    assert [(row["name"], row["args"], row["cached"]) for row in second] == [
        ("alpha", "[3]", True), ("beta", "[2]", False), ("gamma", "[9, 16]", False),
    ]  # fmt: skip


def test_an_earlier_revision_has_its_own_keys(tmp_path, ask):
    folder = rerun(tmp_path)

    assert ask(folder, "steps", "--revision", "1", "--format", "json").rows[1]["key"] == build.digest("beta", 0).hex()
    assert ask(folder, "steps", "--format", "json").rows[1]["key"] == build.digest("beta", "edited").hex()


def test_rows_of_a_live_run_are_visible(tmp_path, ask):
    cache = build.running(tmp_path)

    assert [line.split()[2] for line in ask(cache.folder, "steps").lines[1:]] == [
        "done",
        "running",
        "pending",
    ]
    assert names(ask(cache.folder, "steps", "--status", "running", "--format", "json")) == ["beta"]


def test_a_step_that_ran_when_its_run_was_killed_is_not_running(killed, ask):
    assert [line.split()[2] for line in ask(killed, "steps").lines[1:]] == ["done", "killed", "pending"]


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ("killed", ["beta"]),
        ("KILLED,done", ["alpha", "beta"]),
        ("running", []),
        ("-2", ["beta"]),
        ("running,pending", ["gamma"]),
    ],
)
def test_what_was_killed_is_found_by_that_word(status, found, killed, ask):
    assert names(ask(killed, "steps", "--status", status, "--format", "json")) == found


def test_what_runs_was_not_killed(tmp_path, ask):
    cache = build.running(tmp_path)

    assert names(ask(cache.folder, "steps", "--status", "running", "--format", "json")) == ["beta"]
    assert names(ask(cache.folder, "steps", "--status", "killed,pending", "--format", "json")) == ["gamma"]


def test_taken_over_results_point_to_the_object_they_share(tmp_path, ask):
    cache = build.declared(tmp_path)
    run = cache.run()
    first = cache.result("alpha", run)  # in the index, so a path under objects/ would be wrong for the second, too
    taken = cache.result("beta", run, None, digest=build.digest(b"\x80\x05K\x09."), origin=first)
    cache.row("alpha", run, result=first)
    cache.row("beta", run, result=taken, cached=1)

    alpha, beta, _ = ask(cache.close(), "steps", "--format", "json").rows

    assert alpha["result"] == beta["result"]
    assert "ezpyp.sqlite#" in str(beta["result"])
    assert (alpha["cached"], beta["cached"]) == (False, True)


def test_a_limit_gives_the_first_of_all(tmp_path, ask):
    cache = build.Cache(tmp_path)
    for number, phase in enumerate([1, 0, 2, 0, 1, 0]):
        cache.step(f"s{number}", phase=phase)
    cache.revision(added=list(cache.ids.values()))
    cache.run()
    cache.row("s3", 1, 1)
    folder = cache.close()
    names = ["s1", "s3", "s5", "s0", "s4", "s2"]

    def asked(*words: str) -> list[object]:
        return [row["name"] for row in ask(folder, "steps", *words, "--format", "json").rows]

    for limit in range(8):
        assert asked("--limit", str(limit)) == names[:limit]
        assert asked("--limit", str(limit), "--reverse") == names[::-1][:limit]
        assert asked("--limit", str(limit), "--name", "s[!15]") == []
        assert asked("--limit", str(limit), "--status", "pending") == [n for n in names if n != "s3"][:limit]
