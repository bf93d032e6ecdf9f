"""The run lock: one writer a location, and never a manual unlock.

The lock is a row of the index, taken in one IMMEDIATE transaction. It names a process by host, boot id, pid
and start time, so that a holder killed with -9 is seen to be dead at once on the same boot. From another
host a holder counts as dead when its heartbeat is older than `HEARTBEAT_LIMIT_S`. Taking the lock raises an
epoch, which every write transaction of the holder checks: one that was stopped and overtaken must not write.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ezpyp.errors import CacheBusyError, OptionError

HEARTBEAT_S = 10.0
_LONGEST_S = 1e9
HEARTBEAT_LIMIT_S = 120.0
# Two tasks of one job may both live; a job that was started anew beats no more in its earlier life.
_SAME_JOB_LIMIT_S = 3 * HEARTBEAT_S
_JOB_VARIABLES = ("SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "FLUX_JOB_ID", "JOB_ID", "COBALT_JOBID")

_TASK_VARIABLES = ("SLURM_ARRAY_TASK_ID", "PBS_ARRAY_INDEX", "LSB_JOBINDEX", "SGE_TASK_ID")
_RESTART_VARIABLES = ("SLURM_RESTART_COUNT", "LSB_RESTART", "RESTARTED")


@dataclass(frozen=True, slots=True)
class Owner:
    """A process, named so that no later one is taken for it."""

    host: str
    boot: str
    pid: int
    started: str
    job: str | None
    restart: str | None = None
    """How often the batch system started the job anew, in its own words."""
    space: str | None = None
    """The space in which ``pid`` means something: two containers of one host have pids of their own."""
    since: float | None = field(default=None, compare=False)
    """When it took the lock, seconds since 1970."""

    def is_dead(self, heartbeat: float | None) -> bool:
        """Whether the process has surely ended, as seen from here."""
        here = current_owner()
        if self.boot == here.boot and self.host == here.host and self.space in (None, here.space):
            return process_start(self.pid) != self.started
        limit_s = HEARTBEAT_LIMIT_S
        if self.job is not None and self.job == here.job:
            if self.restart != here.restart:
                return True  # its earlier life is over
            limit_s = _SAME_JOB_LIMIT_S
        # A clock that is as far ahead tells as little as one that stands still: no date of the future holds for ever.
        return heartbeat is None or abs(time.time() - heartbeat) > limit_s

    def __str__(self) -> str:
        job = f", job {self.job}" if self.job else ""
        since = f", since {time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(self.since))}" if self.since else ""
        return f"process {self.pid} on {self.host}{job}{since}"


def batch_job() -> str | None:
    """The batch system's job id, if there is one; each task of a job array has its own."""
    for name in _JOB_VARIABLES:
        if job := os.environ.get(name):
            # Slurm and PBS give every task an id of its own; these two give all of them the same.
            task = {"LSB_JOBID": "LSB_JOBINDEX", "JOB_ID": "SGE_TASK_ID"}.get(name)
            return f"{job}[{os.environ[task]}]" if task and _is_task(task) else job
    return None


def array_variable() -> str | None:
    """The variable that tells the tasks of a job array apart, in one of them."""
    return next(filter(_is_task, _TASK_VARIABLES), None)


def _is_task(name: str) -> bool:
    # LSF says 0, Grid Engine "undefined", where a job is no array.
    return os.environ.get(name, "") not in ("", "0" if name == "LSB_JOBINDEX" else "", "undefined")


def current_owner() -> Owner:
    """This process."""
    pid = os.getpid()
    restart = next((os.environ[name] for name in _RESTART_VARIABLES if os.environ.get(name)), None)
    return Owner(os.uname().nodename, _boot_id(), pid, process_start(pid) or "", batch_job(), restart, _pid_space())


def _boot_id() -> str:
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return "unknown"


def _pid_space() -> str | None:
    try:
        return os.readlink("/proc/self/ns/pid")
    except OSError:
        return None


def process_start(pid: int) -> str | None:
    """When a process of this host started, in the system's own clock; None if it is gone or on its way out."""
    try:
        # The command name, in brackets, may hold blanks and brackets itself.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None if os.path.isdir("/proc/self") else _alive_without_proc(pid)
    # A killed rank can stay a zombie for ever where process 1 reaps nothing. One that has given its memory back (its
    # size, behind its start, is 0) runs no code any more, though it may take a while to become one.
    return None if fields[0] in "ZX" or fields[20] == "0" else fields[19]


def _alive_without_proc(pid: int) -> str | None:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except PermissionError:
        pass
    return ""


def living_owner(owner: str, heartbeat: float | None) -> Owner | None:
    """Who a row of the table ``holder`` names, if that is another process that is not surely dead."""
    try:
        holder = Owner(**json.loads(owner))
        float(heartbeat or 0)
    except (ValueError, TypeError):
        return None  # a damaged row names nobody; whoever it was is stopped by the epoch
    return None if holder == current_owner() or holder.is_dead(heartbeat) else holder


def wait_for_holder(holder_of: Callable[[], Owner | None], location: Path, wait_s: float) -> None:
    """Wait until a location has no holder.

    Raises:
        CacheBusyError: It has one still; the message names it, and what to do.
    """
    if isinstance(wait_s, bool) or not isinstance(wait_s, (int, float)) or not wait_s >= 0:
        raise OptionError(f"wait_s is a number of seconds, at least 0, not {wait_s!r}")
    deadline = time.monotonic() + min(wait_s, _LONGEST_S)
    while (holder := holder_of()) is not None:
        if time.monotonic() >= deadline:
            raise CacheBusyError(
                f"the cache at {location} is held by {holder}: wait for it (execute(wait_s=600)), "
                f"or {_way_out(location)}",
                holder=str(holder),
            )
        time.sleep(0.2)


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """One write transaction: all of its rows, or none."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


class RunLock:
    """The lock as its holder sees it."""

    def __init__(self, connection: sqlite3.Connection, location: Path) -> None:
        self._connection = connection
        self._location = location
        self._epoch = 0
        self._beat = 0.0
        self._pid = os.getpid()

    def acquire(self, wait_s: float = 0.0) -> None:
        """Take the lock, or raise `CacheBusyError` naming the holder after ``wait_s`` seconds."""
        wait_for_holder(self._try, self._location, wait_s)

    def _try(self) -> Owner | None:
        with transaction(self._connection):
            row = self._connection.execute("SELECT epoch, owner, heartbeat FROM holder").fetchone()
            if row is None or not isinstance(row[0], int):
                self._connection.execute("INSERT OR REPLACE INTO holder VALUES (1, 0, NULL, NULL)")
            epoch, owner, heartbeat = row if row is not None and isinstance(row[0], int) else (0, None, None)
            if owner is not None and (holder := living_owner(owner, heartbeat)) is not None:
                return holder
            self._epoch, self._beat, self._pid = epoch + 1, time.time(), os.getpid()
            me = replace(current_owner(), since=self._beat)
            self._connection.execute(
                "UPDATE holder SET epoch = ?, owner = ?, heartbeat = ?",
                (self._epoch, json.dumps(asdict(me)), self._beat),
            )
        return None

    def check(self) -> None:
        """Inside a write transaction: stop a holder that was overtaken, and keep the heartbeat fresh."""
        if os.getpid() != self._pid:
            raise CacheBusyError(f"this process was forked off the one that holds {self._location}: it cannot write it")
        row = self._connection.execute("SELECT epoch FROM holder").fetchone()
        if row[0] != self._epoch:
            raise CacheBusyError(
                f"this process was stopped for so long that another one took over {self._location}: "
                "it ends here, nothing of it is written any more; run again"
            )
        now = time.time()
        if now - self._beat > HEARTBEAT_S:
            self._beat = now
            self._connection.execute("UPDATE holder SET heartbeat = ?", (now,))

    @property
    def is_beat_due(self) -> bool:
        """Whether the holder has been silent for so long that it should say that it lives."""
        return time.time() - self._beat > HEARTBEAT_S

    def release(self) -> None:
        """Give the lock back, if it is still ours; a forked child has nothing to give back."""
        if os.getpid() != self._pid:
            return
        self._connection.execute("UPDATE holder SET owner = NULL, heartbeat = NULL WHERE epoch = ?", (self._epoch,))


def _way_out(location: Path) -> str:
    """What to do beside waiting."""
    variable = array_variable()
    if variable is None:
        return "use another location for a job that runs beside it"
    return (
        "give each task of the job array a location of its own: "
        f'Pipeline(f"{location.name}-{{os.environ[{variable!r}]}}", ...)'
    )
