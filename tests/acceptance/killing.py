"""Kill runs at random moments and check that nothing finished was lost.

Each trial makes a new location, kills a run there with SIGKILL once or more, looks at what is left, reruns to the end,
and compares the bodies that ran with the lines that had been printed and with the rows.
"""

import contextlib
import os
import random
import re
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import ezpyp
from ezpyp.errors import CacheNotFoundError, ResultUnavailableError
from tests.mpi import mpi_python, mpirun_command, run, start

from . import victim
from .tools import Bodies, query

VICTIM = Path(victim.__file__)
STEPS = 2 * len(victim.SEEDS) + 1


@dataclass(frozen=True, slots=True)
class Moment:
    """When a run is killed: so long after so many bodies have begun.

    Counting bodies, not seconds alone, makes the moments fall inside the run however busy the machine is.
    """

    bodies: int
    more_s: float

    @classmethod
    def random(cls, draw: random.Random) -> "Moment":
        """Draw a moment: one in five during start-up, the others anywhere in the run or just after it."""
        if draw.random() < 0.2:
            return cls(0, draw.uniform(0, 0.5))
        return cls(draw.randint(1, STEPS), draw.uniform(0, 0.01))

    def wait(self, trace: Path, is_running: Callable[[], bool]) -> None:
        """Return when the moment has come, or the run has ended."""
        while self.bodies and is_running():
            if trace.exists() and trace.read_bytes().count(b"\n") >= self.bodies:
                break
            time.sleep(0.0005)
        time.sleep(self.more_s)

    def __str__(self) -> str:
        return f"{self.more_s * 1000:.1f} ms after body {self.bodies}"


@dataclass(frozen=True, slots=True)
class Trial:
    """What one trial saw."""

    seed: int
    moments: tuple[Moment, ...]
    printed: tuple[int, ...]
    problems: tuple[str, ...]

    def __str__(self) -> str:
        kills = ", ".join(f"{at} ({n} printed)" for at, n in zip(self.moments, self.printed, strict=True))
        return f"seed {self.seed}: killed {kills}; {'; '.join(self.problems) or 'nothing lost'}"

    @property
    def is_telling(self) -> bool:
        """Whether a kill came after a first line was printed and before the last."""
        return any(0 < printed < STEPS for printed in self.printed)


class Subject:
    """One location, and the runs that are started there."""

    def __init__(self, folder: Path, ranks: int) -> None:
        self.location = folder / "cache"
        self.trace = Bodies(folder / "trace")
        self.pids = Bodies(folder / "pids")
        self.env = {
            "LOCATION": str(self.location),
            "TRACE_FILE": str(self.trace.path),
            "PID_FILE": str(self.pids.path),
        }
        launcher = [*mpirun_command(), "-n", str(ranks)] if ranks > 1 else []
        self.command = [*launcher, mpi_python(), str(VICTIM)]

    def killed(self, moment: Moment, draw: random.Random) -> str:
        """Start a run, kill it whole or one of its processes, and give what it had printed."""
        with start(self.command, env=self.env) as (process, read):
            moment.wait(self.trace.path, lambda: process.poll() is None)
            pids = [int(pid) for pid in self.pids.take()]
            victims = [process.pid, *pids] if draw.random() < 0.5 else [draw.choice(pids or [process.pid])]
            for pid in victims:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait(20)
            wait_until_gone(pids)
            return read()[0]

    def rerun(self) -> tuple[int, str, str]:
        """Run to the end; give the exit code and what was printed."""
        ended = run(self.command, env=self.env, timeout=60)
        return ended.returncode, ended.stdout, ended.stderr


def wait_until_gone(pids: list[int]) -> None:
    """Wait for killed processes; a zombie that nobody reaps is gone as well."""
    deadline = time.monotonic() + 20
    while any(is_alive(pid) for pid in pids):
        if time.monotonic() > deadline:
            raise TimeoutError(f"still there: {[pid for pid in pids if is_alive(pid)]}")
        time.sleep(0.005)


def is_alive(pid: int) -> bool:
    """Tell whether a process still runs."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def passed(output: str) -> set[str]:
    """Give the names whose [PASS] stands on a whole line."""
    whole = output[: output.rfind("\n") + 1]
    return set(re.findall(r"^  ╰─> \[PASS\] '(.+)'$", whole, re.MULTILINE))


def lost(location: Path, names: set[str]) -> list[str]:
    """Say which of these steps have no right result in the index, before anything is run again."""
    if not names:
        return []
    try:
        cache = ezpyp.open_cache(location)
    except CacheNotFoundError as error:
        return [f"{len(names)} steps were printed, and there is {error}"]
    problems = []
    for name in sorted(names):
        try:
            if cache.get_result(name) != victim.expected(name):
                problems.append(f"wrong result of {name}")
        except ResultUnavailableError as error:
            problems.append(f"lost {name}: {error}")
    return problems


def trial(seed: int, ranks: int, folder: Path) -> Trial:
    """Kill a run once or more, rerun it, and say what was lost."""
    draw = random.Random(seed)
    subject = Subject(folder, ranks)
    moments = tuple(Moment.random(draw) for _ in range(draw.choice([1, 1, 1, 2, 3])))
    problems: list[str] = []
    printed: set[str] = set()
    counts: list[int] = []
    for moment in moments:
        output = subject.killed(moment, draw)
        problems += repeated(subject.trace.take(), printed)
        printed |= passed(output)
        counts.append(len(printed))
        problems += lost(subject.location, printed)
    code, output, errors = subject.rerun()
    problems += repeated(subject.trace.take(), printed)
    if code != 0 or f"answer {victim.ANSWER}" not in output.splitlines():
        problems.append(f"the rerun ended with {code}: {output[-500:]} {errors[-2000:]}")
    else:
        problems += whole(subject.location)
    return Trial(seed, moments, tuple(counts), tuple(problems))


def repeated(bodies: list[str], printed: set[str]) -> list[str]:
    """Say which bodies ran again although their [PASS] had been printed, or ran twice in one run."""
    again = [f"{name} ran again" for name in sorted(set(bodies) & printed)]
    return again + [f"{name} ran twice in a run" for name in sorted({n for n in bodies if bodies.count(n) > 1})]


def whole(location: Path) -> list[str]:
    """Say what is wrong with the rows and the results after a complete rerun."""
    problems = lost(location, {name for (name,) in query(location, "SELECT name FROM current_steps")})  # type: ignore[misc]
    statuses = query(location, "SELECT status, count(*) FROM current_steps GROUP BY status")
    if statuses != [(0, STEPS)]:
        problems.append(f"statuses {statuses}")
    if query(location, "PRAGMA integrity_check") != [("ok",)]:
        problems.append("SQLite calls the index damaged")
    return problems
