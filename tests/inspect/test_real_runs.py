"""The verbs on caches that the real pipeline made, in processes of their own."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from xxhash import xxh3_128_digest

from ezpyp.store.reader import Reader

ROOT = Path(__file__).absolute().parents[2]
ENVIRON = {name: value for name, value in os.environ.items() if not name.startswith("EZPYP_")}
ENVIRON |= {"PYTHONPATH": str(ROOT)}

SCRIPT = """
from ezpyp import Pipeline, as_pickle_step
from ezpyp.steps import PlaceHolder

pipeline = Pipeline("cache", "toy")
RATE = 2

def norm(x):
    return x ** RATE

@as_pickle_step(pipeline)
def alpha(x):
    return norm(x)

@as_pickle_step(pipeline)
def beta(x):
    return x ** 3

@as_pickle_step(pipeline)
def gamma(a, b):
    return a / b

@as_pickle_step(pipeline)
def large(n):
    return b"z" * n

gamma(PlaceHolder(alpha(3)), b=beta(2))
large(100_000)
pipeline.execute()
"""


def run(folder: Path, script: str, code: int = 0, **environ: str) -> str:
    """Run a script in a folder; its output."""
    (folder / "script.py").write_text(script)
    done = subprocess.run(
        [sys.executable, "script.py"],
        cwd=folder,
        env=ENVIRON | environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def edited(tmp_path_factory) -> Path:
    """Run 1; run 2 all cached; then beta's constant and alpha's global edited, run 3."""
    folder = tmp_path_factory.mktemp("edited")
    run(folder, SCRIPT)
    run(folder, SCRIPT)
    run(folder, SCRIPT.replace("x ** 3", "x ** 4").replace("RATE = 2", "RATE = 5"), EZPYP_REVISE="1")
    return folder / "cache"


def rows(ask, cache, *words):
    return ask(cache, *words, "--format", "json").rows


def test_steps_of_a_finished_run(edited, ask):
    steps = rows(ask, edited, "steps", "--sort", "name")

    assert [(row["name"], row["phase"], row["status"], row["cached"]) for row in steps] == [
        ("alpha", 0, 0, False),
        ("beta", 0, 0, False),
        ("gamma", 1, 0, False),
        ("large", 0, 0, True),
    ]
    gamma = steps[2]
    assert (gamma["args"], gamma["kwargs"]) == ("[243]", "{'b': 16}")


def test_steps_agree_with_the_view_that_everybody_can_read(edited, ask):
    shared = "name, key, function, phase, status, args, kwargs, result, seconds, rank, host, run"
    query = f"SELECT {shared} FROM current_steps ORDER BY phase, step"

    ours = [{name: row[name] for name in shared.split(", ")} for row in rows(ask, edited, "steps")]

    assert ours == ask(edited, "sql", query, "--format", "json").rows


def test_all_cached_in_the_second_run(edited, ask):
    assert [row["cached"] for row in rows(ask, edited, "steps", "--run", "2")] == [True] * 4
    assert [(row["run"], row["revision"], row["status"]) for row in rows(ask, edited, "runs")] == [
        (1, 1, "completed"), (2, 1, "completed"), (3, 2, "completed"),
    ]  # fmt: skip


def test_show_tells_value_arguments_and_upstream(edited, ask):
    out = ask(edited, "show", "gamma").out

    assert out.startswith("gamma: done in ")
    for told in ("value       15.1875", "a = TMP for alpha\n", "alpha  (done, ", "beta  (done, "):
        assert told in out


def test_why_names_the_constant_and_the_global_with_old_and_new(edited, ask):
    why = json.loads(ask(edited, "why", "beta", "--format", "json").out)

    (cause,) = why["causes"]
    assert why["kind"] == "changed"
    assert (cause["kind"], cause["old"], cause["new"]) == ("constant", "3", "4")
    assert Path(cause["file"]).name == "script.py"
    assert SCRIPT.splitlines()[cause["line"] - 1].strip() == "return x ** 3"
    assert "global" in ask(edited, "why", "alpha").out


def test_why_goes_up_to_the_root(edited, ask):
    lines = ask(edited, "why", "gamma").lines

    assert lines[0].startswith("gamma: ran in run 3, because")
    assert lines[1].strip().startswith("upstream alpha changed")
    assert "RATE" in lines[2]
    assert lines[3].strip().startswith("upstream beta changed")
    assert "3 -> 4 in beta (script.py:" in lines[4]


def test_why_of_what_did_not_run(edited, ask):
    assert "was cached: run 1 made the result" in ask(edited, "why", "large").out
    assert "nothing of that name was known before" in ask(edited, "why", "alpha", "--run", "1").out


def test_diff_groups_by_cause(edited, ask):
    out = ask(edited, "diff").out

    assert out.startswith("Revision 1 -> 2: 0 added, 0 left out, 3 changed\n")
    assert "in beta (script.py:" in out
    assert ": 1 step: beta\n" in out
    assert json.loads(ask(edited, "diff", "0", "1", "--format", "json").out)["added"] == [
        "alpha", "beta", "large", "gamma",
    ]  # fmt: skip


@pytest.mark.parametrize("words", [["9"], ["1", "9"], ["1", "2", "3"]])
def test_diff_of_what_is_not_there(edited, ask, words):
    assert "Error: " in ask(edited, "diff", *words, code=2).err


def test_lineage_and_graph_tell_the_edges(edited, ask):
    assert ask(edited, "lineage", "gamma").out.count("<- ") == 2
    assert [(row["from"], row["to"]) for row in rows(ask, edited, "lineage", "beta")] == [("beta", "gamma")]
    assert "gamma  (done)  <- alpha, beta\n" in ask(edited, "graph").out
    mermaid = ask(edited, "graph", "--format", "mermaid").lines
    assert mermaid[0] == "graph LR"
    assert sum("-->" in line for line in mermaid) == 2
    assert ask(edited, "graph", "--format", "dot").out.endswith("}\n")


def test_get_gives_the_stored_bytes(edited, ask, tmp_path):
    for name in ("large", "gamma"):
        out = tmp_path / f"{name}.pkl"
        ask(edited, "get", name, "-o", str(out))
        again = ask(edited, "get", name, "-o", str(out), code=2)
        assert "is there already" in again.err
        (row,) = rows(ask, edited, "steps", "--name", name)
        assert xxh3_128_digest(out.read_bytes()).hex()[2:] in str(row["result"])


def test_verify_and_du_of_a_sound_cache(edited, ask):
    assert "all as stored" in ask(edited, "verify").out
    assert rows(ask, edited, "verify", "--quick") == []
    (largest, *_) = rows(ask, edited, "du")
    assert (largest["what"], largest["files"]) == ("large", 1)
    for by in ("step", "phase", "revision", "codec", "kept"):
        assert sum(int(str(row["results"])) for row in rows(ask, edited, "du", "--by", by)) == 7


def test_timeline_has_a_bar_a_step(edited, ask):
    bars = rows(ask, edited, "timeline")

    assert sorted(str(bar["name"]) for bar in bars) == ["alpha", "beta", "gamma"]
    assert all(float(str(bar["start"])) >= 0 for bar in bars)
    assert "efficiency" in ask(edited, "timeline").out


def test_log_and_why_of_a_failure(tmp_path, ask):
    run(tmp_path, SCRIPT.replace("return x ** 3", "return x / 0"))
    cache = tmp_path / "cache"

    assert "ZeroDivisionError" in ask(cache, "log", "--failed").out
    assert "return x / 0" in ask(cache, "log", "beta").out
    assert "because beta failed; beta failed in run 1: ZeroDivisionError" in ask(cache, "why", "gamma").out
    assert ask(cache, code=1).out.count("ZeroDivisionError") == 1
    assert "give either a NAME or --failed" in ask(cache, "log", code=2).err


def test_a_mended_failure_says_what_was_mended(tmp_path, ask):
    run(tmp_path, SCRIPT.replace("return x ** 3", "return x / 0"))
    run(tmp_path, SCRIPT)

    assert "ran in run 2, because since it was last known:" in ask(tmp_path / "cache", "why", "beta").out


SLOW = SCRIPT.replace("    return x ** 3", "    import time\n    time.sleep(60)")


@pytest.fixture
def live(tmp_path):
    """A run whose beta sleeps, once its row says that it runs."""
    (tmp_path / "script.py").write_text(SLOW)
    process = subprocess.Popen(
        [sys.executable, "script.py"],
        cwd=tmp_path,
        env=ENVIRON,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_beta_runs(tmp_path / "cache")
        yield tmp_path / "cache", process
    finally:
        process.kill()
        process.wait()


def wait_until_beta_runs(cache: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if (cache / "pipeline.schema").exists():
            with Reader(cache) as reader:
                if any(step.status == -2 for step in reader.steps(reader.view())):
                    return
        time.sleep(0.05)
    raise AssertionError("beta never ran")


def test_a_live_run_then_killed(live, ask):
    cache, process = live

    out = ask(cache).out
    assert "Run 1: running" in out
    assert f"process {process.pid} on " in out
    assert [(row["name"], row["status"]) for row in rows(ask, cache, "steps", "--status", "-2,0")][:2] == [
        ("alpha", 0), ("beta", -2),
    ]  # fmt: skip

    process.send_signal(signal.SIGKILL)
    process.wait()

    assert "Run 1: killed" in ask(cache, code=1).out
    assert rows(ask, cache, "runs")[0]["status"] == "killed"
    assert "all as stored" in ask(cache, "verify").out


SWEEP = """
from ezpyp import Pipeline, as_pickle_step

pipeline = Pipeline("cache", "sweep")

@as_pickle_step(pipeline)
def simulate(x, seed=0):
    return x

@as_pickle_step(pipeline)
def total(parts):
    return sum(parts)

total(simulate.map(range(3)))
pipeline.execute()
"""


def test_why_of_the_reduce_of_a_grown_sweep(tmp_path, ask):
    run(tmp_path, SWEEP)
    run(tmp_path, SWEEP.replace("range(3)", "range(9)"))
    cache = tmp_path / "cache"

    assert ask(cache, "why", "total").lines == [
        "total: ran in run 2, because since it was last known:",
        "  upstream simulate[x=3], simulate[x=4], simulate[x=5], simulate[x=6] and 2 more came to parts[]",
    ]
    assert ask(cache, "show", "simulate", "x=7", "seed=0").out.startswith("simulate[x=7]: done")
    assert "there is no step 'simulate[x=70]'" in ask(cache, "show", "simulate", "x=70", code=2).err
    assert len(json.loads(ask(cache, "graph", "--by", "function", "--format", "json").out)) == 2


TALKING = """
import logging, sys
from ezpyp import Pipeline, as_pickle_step

pipeline = Pipeline("cache", "talk")

@as_pickle_step(pipeline)
def alpha(x):
    if sys.argv[1] == "loud":
        print("to the screen", x)
        print("to the side", file=sys.stderr)
        logging.getLogger("lab").info("quietly kept")
    return x

alpha(3)
alpha(4)
pipeline.execute(output="none", revise=True)
"""


def test_log_shows_what_a_step_said_when_it_was_computed(tmp_path, ask):
    (tmp_path / "talk.py").write_text(TALKING)

    def run(*words):
        subprocess.run([sys.executable, "talk.py", *words], cwd=tmp_path, env=ENVIRON, check=True, timeout=60)

    def said(name):
        return json.loads(ask(tmp_path / "cache", "log", name, "--format", "json").out)[0]["output"]

    run("loud")
    run("loud")
    page = ask(tmp_path / "cache", "log", "alpha[x=3]").out
    assert "Output\nto the screen 3\n" in page
    assert "Error output\nto the side" in page
    assert said("alpha[x=4]")["run"] == 1
    assert said("alpha[x=4]")["stdout"] == "to the screen 4\n"
    run("silent")
    assert said("alpha[x=4]") is None
    run("silent")
    assert said("alpha[x=4]") is None
    assert "nothing was said" in ask(tmp_path / "cache", "log", "alpha[x=4]").out


READING = """
import os
from ezpyp import Pipeline, as_pickle_step

pipeline = Pipeline("cache", "surroundings")

@as_pickle_step(pipeline)
def alpha():
    return os.environ["LAB_SITE"]

alpha()
pipeline.execute(output="none")
"""


def test_a_variable_that_changed_is_shown_for_a_cached_step(tmp_path, ask):
    (tmp_path / "reading.py").write_text(READING)

    def beside(site):
        environ = ENVIRON | {"LAB_SITE": site}
        subprocess.run([sys.executable, "reading.py"], cwd=tmp_path, env=environ, check=True, timeout=60)
        said = ask(tmp_path / "cache", "why", "alpha").out
        return "environment variable LAB_SITE changed" in said

    assert not beside("Zurich")
    assert not beside("Zurich")
    assert beside("Oslo")
    assert beside("Oslo")
    assert not beside("Zurich")
    assert "Oslo" not in ask(tmp_path / "cache", "sql", "SELECT * FROM circumstances").out
    # A row where something differs from the row before, and no other.
    assert json.loads(ask(tmp_path / "cache", "sql", "SELECT run FROM circumstances", "--format", "json").out) == [
        {"run": 1}, {"run": 3}, {"run": 5},
    ]  # fmt: skip
