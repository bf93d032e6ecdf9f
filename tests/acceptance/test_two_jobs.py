"""Two jobs on one location: the second is refused or waits, a dead holder is no obstacle, an overtaken one stops."""

import json
import os
import re
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.mpi import python, start

from .tools import Bodies, query, traced

STUDY = """
import os, sys, time
import ezpyp
from tests.acceptance.tools import ran

# The jobs differ in a variable that the step reads, and are to find the same results.
pipeline = ezpyp.Pipeline(sys.argv[1], "two", observe=False)
wait_s = float(os.environ.get("WAIT_S", "0"))

@ezpyp.as_pickle_step(pipeline)
def slow(seed):
    ran(f"slow {seed}")
    time.sleep(float(os.environ.get("PACE_S", "0.02")))
    return [bytes([seed]) * 20_000]

slow.map(range(30))
pipeline.execute(wait_s=wait_s)
"""
READER = """
import sys
import ezpyp
from ezpyp.errors import CacheNotFoundError, ResultUnavailableError, UnknownStepError

asked = seen = 0
while seen < 30:
    seen = 0
    try:
        cache = ezpyp.open_cache(sys.argv[1])
        for seed in range(30):
            assert cache.get_result("slow", seed=seed) == [bytes([seed]) * 20_000]
            seen += 1
    except (CacheNotFoundError, ResultUnavailableError, UnknownStepError):
        pass
    asked += 1
print(f"asked {asked} times")
"""


def until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_second_job_is_refused_by_name_or_waits_and_a_dead_holder_is_no_obstacle(tmp_path: Path) -> None:
    script, location = tmp_path / "study.py", tmp_path / "cache"
    script.write_text(STUDY)
    trace = Bodies(tmp_path / "trace")
    env = traced(trace.path)
    # Long enough for others to start meanwhile, however busy the machine is: it is killed.
    with start([sys.executable, str(script), str(location)], env=env | {"PACE_S": "2"}) as (first, _):
        until(lambda: trace.path.exists())
        refused = python(script, str(location), env=env)
        assert refused.returncode != 0
        assert re.search(rf"held by process {first.pid} on .*, since 20.*execute\(wait_s=", refused.stderr)
        with start([sys.executable, str(script), str(location)], env=env | {"WAIT_S": "60"}) as (second, read):
            time.sleep(0.3)
            first.send_signal(signal.SIGKILL)
            first.wait()
            assert second.wait(30) == 0, read()
    # What the killed one had finished was not done again, but for the steps in flight.
    bodies = trace.take()
    assert set(bodies) == {f"slow {seed}" for seed in range(30)}
    assert len(bodies) <= 32


def test_eight_readers_see_whole_rows_while_one_job_writes(tmp_path: Path) -> None:
    script, reader, location = tmp_path / "study.py", tmp_path / "reader.py", tmp_path / "cache"
    script.write_text(STUDY)
    reader.write_text(READER)
    env = traced(tmp_path / "trace")
    running = [start([sys.executable, str(reader), str(location)], env=env) for _ in range(8)]
    readers = [one.__enter__() for one in running]
    try:
        assert python(script, str(location), env=env).returncode == 0
        ended = [(process.wait(30), *read()) for process, read in readers]
    finally:
        for one in running:
            one.__exit__(None, None, None)
    assert [(code, errors) for code, _, errors in ended] == [(0, "")] * 8


def test_a_job_that_was_stopped_and_overtaken_writes_nothing_any_more(tmp_path: Path) -> None:
    script, location = tmp_path / "study.py", tmp_path / "cache"
    script.write_text(STUDY)
    trace = Bodies(tmp_path / "trace")
    env = traced(trace.path)
    with start([sys.executable, str(script), str(location)], env=env | {"PACE_S": "0.2"}) as (first, read):
        until(lambda: trace.path.exists() and trace.path.read_text().count("\n") > 5)
        first.send_signal(signal.SIGSTOP)
        until(lambda: "T" in Path(f"/proc/{first.pid}/stat").read_text().rpartition(")")[2].split()[0])
        pretend_elsewhere(location)
        assert python(script, str(location), env=env).returncode == 0
        rows = query(location, "SELECT * FROM results"), query(location, "SELECT * FROM step_rows")
        first.send_signal(signal.SIGCONT)
        assert first.wait(30) != 0
        assert "another one took over" in read()[1]
    assert (query(location, "SELECT * FROM results"), query(location, "SELECT * FROM step_rows")) == rows
    assert query(location, "SELECT count(*), count(DISTINCT key) FROM results") == [(30, 30)]


def pretend_elsewhere(location: Path) -> None:
    """Let the holder look like one of another host that has been silent for long."""
    with closing(sqlite3.connect(location / "ezpyp.sqlite", isolation_level=None)) as connection:
        (owner,) = connection.execute("SELECT owner FROM holder").fetchone()
        other = json.dumps(json.loads(owner) | {"host": "elsewhere", "boot": "another"})
        connection.execute("UPDATE holder SET owner = ?, heartbeat = ?", (other, time.time() - 1000))


def test_processes_that_a_step_forks_drop_nothing_and_write_nothing(tmp_path: Path) -> None:
    script, location = tmp_path / "study.py", tmp_path / "cache"
    script.write_text(
        """
import multiprocessing, os, subprocess, sys
import ezpyp

pipeline = ezpyp.Pipeline(sys.argv[1], "forks")

def square(x):
    return x * x

@ezpyp.as_pickle_step(pipeline)
def pooled():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return pool.map(square, range(5))

@ezpyp.as_pickle_step(pipeline)
def forked(before):
    pid = os.fork()
    if pid == 0:
        sys.exit(0)
    os.waitpid(pid, 0)
    # Its own process group of descriptors is gone; the location is held still.
    code = "import sys, ezpyp; p = ezpyp.Pipeline(sys.argv[1], 'forks'); p.step(abs)(1); p.execute()"
    other = subprocess.run([sys.executable, "-c", code, sys.argv[1]], capture_output=True, text=True)
    return before, "is held by process" in other.stderr

last = forked(pooled())
pipeline.execute(check=True)
print(last.get_result())
"""
    )
    ended = python(script, str(location), env=traced(tmp_path / "trace"))

    assert ended.stdout.splitlines()[-1] == "([0, 1, 4, 9, 16], True)", ended.stderr
    assert query(location, "SELECT status FROM runs") == [("completed",)]
    assert os.path.exists(location / "pipeline.summary")
