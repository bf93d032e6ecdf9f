"""What steps say stands in rows, is shown as ever, and never mixes with ezpyp's own lines."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.mpi import mpirun, python

SCRIPT = """
import os, subprocess, sys, warnings
import ezpyp

pipeline = ezpyp.Pipeline(sys.argv[1], "talk")

@ezpyp.as_pickle_step(pipeline)
def talk(x):
    print("python", x, flush=True)
    subprocess.run(["sh", "-c", f"echo child {x}; echo oops {x} >&2"])
    return x

@ezpyp.as_pickle_step(pipeline)
def silent(x):
    return x

@ezpyp.as_pickle_step(pipeline)
def failing(x):
    print("just before")
    raise ValueError(x)

talk.map(range(4)), silent.map(range(3)), failing(1)
pipeline.execute()
"""


def said(location: Path) -> dict[str, tuple[bytes | None, bytes | None]]:
    with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection:
        rows = connection.execute("SELECT s.name, o.stdout, o.stderr FROM outputs o JOIN steps s ON s.id = o.step")
        return {name: (out, err) for name, out, err in rows}


def script(tmp_path: Path) -> Path:
    path = tmp_path / "talk.py"
    path.write_text(SCRIPT)
    return path


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.mpi), pytest.param(4, marks=pytest.mark.mpi)])
def test_words_are_kept_with_their_step_and_shown(tmp_path: Path, ranks: int) -> None:
    cache = tmp_path / "cache"
    run = [script(tmp_path), str(cache)]
    # Without buffers Python writes each word of a print by itself, and mpirun mixes those of several ranks.
    env = {"PYTHONUNBUFFERED": ""}
    done = python(*run, env=env) if ranks == 1 else mpirun(ranks, *run, env=env)

    assert done.returncode == 0, done.stderr
    words = {f"talk[x={x}]": (b"python %d\nchild %d\n" % (x, x), b"oops %d\n" % x) for x in range(4)}
    assert said(cache) == words | {"failing": (b"just before\n", None)}
    for x in range(4):
        assert f"python {x}\n" in done.stdout
        assert f"child {x}\n" in done.stdout
        assert f"oops {x}\n" in done.stderr
        assert f"[PASS] 'talk[x={x}]'\n" in done.stdout


FORKING = """
import os, sys
import ezpyp

pipeline = ezpyp.Pipeline(sys.argv[1], "fork")

@pipeline.step
def forking(how):
    if os.fork() == 0:
        print("child")
        if how == "raises":
            raise ValueError("of the child")
        if how == "exits":
            sys.exit(3)
        return how
    os.wait()
    return how

forking.map(["returns", "raises", "exits"])
pipeline.execute(output="none")
"""


def test_a_forked_child_that_goes_on_loses_no_words(tmp_path: Path) -> None:
    path = tmp_path / "fork.py"
    path.write_text(FORKING)
    done = python(path, str(tmp_path / "cache"), env={"PYTHONUNBUFFERED": ""})

    assert done.returncode == 0, done.stderr
    kept = said(tmp_path / "cache")
    assert {name: out for name, (out, _) in kept.items()} == {
        f"forking[how={how}]": b"child\n" for how in ("returns", "raises", "exits")
    }
    assert "of the child" in done.stderr


BETWEEN = """
import sys
import ezpyp

pipeline = ezpyp.Pipeline(sys.argv[1], "between")

@ezpyp.as_numpy_step(pipeline)
def fallen_back(x):
    return lambda: x

@ezpyp.as_pickle_step(pipeline)
def silent(x):
    return x

fallen_back(1), silent(1)
pipeline.execute()
"""


def test_what_ezpyp_says_between_two_steps_is_nobodys(tmp_path: Path) -> None:
    path = tmp_path / "between.py"
    path.write_text(BETWEEN)
    done = python(path, str(tmp_path / "cache"))

    assert done.returncode == 0, done.stderr
    assert "was stored by" in done.stderr
    assert said(tmp_path / "cache") == {}


def test_nothing_is_kept_where_that_is_switched_off(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    done = python(script(tmp_path), str(cache), env={"EZPYP_CAPTURE": "0"})

    assert done.returncode == 0, done.stderr
    assert said(cache) == {}
    assert "child 3\n" in done.stdout
