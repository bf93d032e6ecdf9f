"""kill -9 at random moments: each rerun is right, and no body runs again whose [PASS] was printed.

Each trial makes a new location, kills a run there with SIGKILL once or more, looks at what is left, reruns to the end,
and compares the bodies that ran with the lines that had been printed and with the rows.
"""

import contextlib
import os
import random
import re
import signal
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

import ezpyp
from ezpyp.errors import CacheNotFoundError, ResultUnavailableError
from tests.mpi import mpi_python, mpirun_command, run, start

from . import victim
from .tools import Bodies, query

STEPS = 2 * len(victim.SEEDS) + 1
TIMES = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 1


def killed(command: Sequence[str], env: Mapping[str, str], draw: random.Random) -> str:
    """Start a run, kill it whole or one of its processes at a random moment, and give what it had printed.

    One in five dies during start-up, the others so long after so many bodies have begun: seconds alone would depend on
    how busy the machine is.
    """
    trace, pids = Path(env["TRACE_FILE"]), Bodies(Path(env["PID_FILE"]))
    bodies, more_s = (
        (0, draw.uniform(0, 0.5)) if draw.random() < 0.2 else (draw.randint(1, STEPS), draw.uniform(0, 0.01))
    )
    with start(command, env=env) as (process, read):
        while bodies and process.poll() is None:
            if trace.exists() and trace.read_bytes().count(b"\n") >= bodies:
                break
            time.sleep(0.0005)
        time.sleep(more_s)
        ranks = [int(pid) for pid in pids.take()]
        for pid in [process.pid, *ranks] if draw.random() < 0.5 else [draw.choice(ranks or [process.pid])]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait(20)
        deadline = time.monotonic() + 20
        while any(map(is_alive, ranks)):
            assert time.monotonic() < deadline
            time.sleep(0.005)
        return read()[0]


def is_alive(pid: int) -> bool:
    """Tell whether a process still runs; a zombie that nobody reaps is gone as well."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def passed(output: str) -> set[str]:
    """Give the names whose [PASS] stands on a whole line."""
    return set(re.findall(r"^  ╰─> \[PASS\] '(.+)'\n", output, re.MULTILINE))


def lost(location: Path, names: set[str]) -> list[str]:
    """Say which of these steps have no right result in the index, before anything is run again."""
    problems = []
    try:
        cache = ezpyp.open_cache(location) if names else None
    except CacheNotFoundError as error:
        return [f"{len(names)} steps were printed, and there is {error}"]
    for name in sorted(names):
        try:
            if cache is None or cache.get_result(name) != victim.expected(name):
                problems.append(f"wrong result of {name}")
        except ResultUnavailableError as error:
            problems.append(f"lost {name}: {error}")
    return problems


def repeated(bodies: list[str], printed: set[str]) -> list[str]:
    """Say which bodies ran again although their [PASS] had been printed, or ran twice in one run."""
    again = [f"{name} ran again" for name in sorted(set(bodies) & printed)]
    return again + [f"{name} ran twice in a run" for name in sorted({n for n in bodies if bodies.count(n) > 1})]


def whole(location: Path) -> list[str]:
    """Say what is wrong with the rows and the results after a complete rerun."""
    problems = lost(location, {str(name) for (name,) in query(location, "SELECT name FROM current_steps")})
    statuses = query(location, "SELECT status, count(*) FROM current_steps GROUP BY status")
    if statuses != [(0, STEPS)]:
        problems.append(f"statuses {statuses}")
    if query(location, "PRAGMA integrity_check") != [("ok",)]:
        problems.append("SQLite calls the index damaged")
    return problems


def trial(seed: int, ranks: int, folder: Path) -> tuple[list[str], bool]:
    """Kill a run once or more and rerun it.

    Returns:
        What was lost, and whether a kill came after a first line was printed and before the last.
    """
    draw = random.Random(seed)
    location, trace = folder / "cache", Bodies(folder / "trace")
    env = {"LOCATION": str(location), "TRACE_FILE": str(trace.path), "PID_FILE": str(folder / "pids")}
    command = [*([*mpirun_command(), "-n", str(ranks)] if ranks > 1 else []), mpi_python(), victim.__file__]
    problems: list[str] = []
    printed: set[str] = set()
    is_telling = False
    for _ in range(draw.choice([1, 1, 1, 2, 3])):
        output = killed(command, env, draw)
        problems += repeated(trace.take(), printed)
        printed |= passed(output)
        is_telling |= 0 < len(printed) < STEPS
        problems += lost(location, printed)
    ended = run(command, env=env, timeout=60)
    problems += repeated(trace.take(), printed)
    if ended.returncode != 0 or f"answer {victim.ANSWER}" not in ended.stdout.splitlines():
        problems.append(f"the rerun ended with {ended.returncode}: {ended.stdout[-500:]} {ended.stderr[-2000:]}")
    else:
        problems += whole(location)
    return [f"seed {seed}: {problem}" for problem in problems], is_telling


@pytest.mark.parametrize(
    ("ranks", "first_seed", "telling"),
    [pytest.param(1, 1, 4 * TIMES, id="serial"), pytest.param(4, 100, 3 * TIMES, id="4 ranks", marks=pytest.mark.mpi)],
)
def test_a_killed_run_loses_nothing_that_was_printed(tmp_path: Path, ranks: int, first_seed: int, telling: int) -> None:
    told = 0
    for seed in range(first_seed, first_seed + 5 * telling):
        (tmp_path / str(seed)).mkdir()
        problems, is_telling = trial(seed, ranks, tmp_path / str(seed))
        assert problems == []
        told += is_telling
        if told == telling:
            break
    assert told == telling


def test_the_trial_itself_sees_a_body_that_ran_again() -> None:
    assert repeated(["draw[seed=1]", "total"], {"draw[seed=1]"}) == ["draw[seed=1] ran again"]
    assert repeated(["total", "total"], set()) == ["total ran twice in a run"]
