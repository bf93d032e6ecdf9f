"""The run lock: who may write, who counts as dead, and that nobody overtaken writes."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from ezpyp.errors import CacheBusyError, OptionError, StoreError
from ezpyp.store.index import Index
from ezpyp.store.lock import HEARTBEAT_LIMIT_S, HEARTBEAT_S, Owner, batch_job, current_owner, process_start

ROOT = Path(__file__).parents[2]
ME = current_owner()
ELSEWHERE = Owner("other-host", "other-boot", os.getpid(), ME.started, None)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "cache")
    yield index
    index.close()


@pytest.fixture
def rival(index: Index) -> Iterator[Index]:
    rival = Index(index.location)
    yield rival
    rival.close()


def give(index: Index, owner: Owner, age_s: float | None = 0.0) -> None:
    """Let another process hold the location."""
    heartbeat = None if age_s is None else time.time() - age_s
    statement = "UPDATE holder SET epoch = epoch + 1, owner = ?, heartbeat = ?"
    index.connection.execute(statement, (json.dumps(asdict(owner)), heartbeat))


def holder(index: Index) -> tuple[int, Owner | None, float | None]:
    epoch, owner, heartbeat = index.connection.execute("SELECT epoch, owner, heartbeat FROM holder").fetchone()
    return epoch, None if owner is None else Owner(**json.loads(owner)), heartbeat


def ended_process() -> int:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    return child.pid


def parent() -> Owner:
    return replace(ME, pid=os.getppid(), started=process_start(os.getppid()) or "")


JOB = replace(ELSEWHERE, job="4711")
RESTARTED = {"SLURM_JOB_ID": "4711", "SLURM_RESTART_COUNT": "1"}


@pytest.mark.parametrize(
    ("owner", "ages_s", "variables", "is_busy"),
    [
        pytest.param(parent, (0, 10 * HEARTBEAT_LIMIT_S, None), {}, True, id="a living process of this host"),
        pytest.param(lambda: replace(ME, pid=ended_process()), (0,), {}, False, id="an ended process of this boot"),
        pytest.param(lambda: replace(ME, started="1"), (0,), {}, False, id="a later process of the same pid"),
        *(
            pytest.param(lambda other=other: other, (age_s,), {}, is_busy, id=f"{name}, {age_s:.0f} s silent")
            for name, other in {
                "another host and boot": ELSEWHERE,
                "an earlier boot": replace(ME, boot="an earlier boot"),
                "another host": replace(ME, host="other-host"),
                "another container": replace(ME, pid=2**22 + 1, space="another container"),
            }.items()
            for age_s, is_busy in ((HEARTBEAT_LIMIT_S - 20, True), (HEARTBEAT_LIMIT_S + 1, False))
        ),
        pytest.param(lambda: ELSEWHERE, (None,), {}, False, id="elsewhere, never a heartbeat"),
        pytest.param(lambda: ELSEWHERE, (20 - HEARTBEAT_LIMIT_S,), {}, True, id="a clock a little ahead"),
        pytest.param(lambda: ELSEWHERE, (-365 * 24 * 3600.0,), {}, False, id="a clock far ahead"),
        pytest.param(lambda: JOB, (0,), RESTARTED | {"SLURM_JOB_ID": "4712"}, True, id="another job"),
        pytest.param(lambda: JOB, (0,), RESTARTED, False, id="the same job, started anew"),
        pytest.param(lambda: JOB, (0,), {"SLURM_JOB_ID": "4711"}, True, id="another task of the same job"),
        pytest.param(lambda: JOB, (4 * HEARTBEAT_S,), {"SLURM_JOB_ID": "4711"}, False, id="a silent task of it"),
    ],
)
def test_who_holds_a_location_and_who_is_dead(index, monkeypatch, owner, ages_s, variables, is_busy):
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    other = owner()
    for age_s in ages_s:
        give(index, other, age_s)
        if is_busy:
            message = rf"held by process {other.pid} on {other.host}.*execute\(wait_s="
            with pytest.raises(CacheBusyError, match=message), index.held():
                pass
            assert holder(index)[1] == other
        else:
            with index.held():
                assert holder(index)[1] == current_owner()


def test_holder_is_named_while_it_holds_and_gone_afterwards_also_when_the_run_raises(index):
    with index.held():
        assert holder(index)[:2] == (1, ME)
    assert holder(index) == (1, None, None)
    with pytest.raises(ZeroDivisionError), index.held():
        raise ZeroDivisionError
    assert holder(index) == (2, None, None)


def test_zombie_is_dead(index):
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    try:
        started = process_start(child.pid)
        assert started
        child.kill()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and not reaped
        assert Path(f"/proc/{child.pid}/stat").exists()
        give(index, replace(ME, pid=child.pid, started=started))
        with index.held():
            assert holder(index)[1] == ME
    finally:
        child.communicate()


def test_process_whose_name_holds_brackets_and_blanks(tmp_path):
    # The kernel puts the program's name in brackets into the line that is read.
    program = tmp_path / "a) S 1 ("
    program.symlink_to("/bin/sleep")
    child = subprocess.Popen([str(program), "60"])
    try:
        start = process_start(child.pid)
        assert start is not None
        assert start.isdecimal()
        assert int(start) >= int(process_start(os.getpid()) or 0)
    finally:
        child.kill()
        child.wait()


def test_a_process_that_has_given_its_memory_back_is_gone(monkeypatch):
    stat = Path(f"/proc/{os.getpid()}/stat").read_text()
    before, _, after = stat.rpartition(")")
    fields = after.split()
    fields[20] = "0"  # as between the end of its memory and its last state, Z
    monkeypatch.setattr(Path, "read_text", lambda path: f"{before}) {' '.join(fields)}\n")

    assert process_start(os.getpid()) is None


@pytest.mark.parametrize("owner", ["not json", "{}", "null", "[1]", b"\xff", '{"host": 1}', 7])
def test_damaged_row_of_a_holder_names_nobody(index, owner):
    index.connection.execute("UPDATE holder SET owner = ?, heartbeat = 'x'", (owner,))
    with index.held():
        assert holder(index)[1] == ME


@pytest.mark.parametrize("statement", ["DELETE FROM holder", "UPDATE holder SET epoch = 'x'"])
def test_lost_row_of_the_holder_is_made_anew(index, statement):
    index.connection.execute(statement)
    with index.held(), index.writing() as connection:
        assert connection.execute("SELECT count(*) FROM holder").fetchone() == (1,)


@pytest.mark.parametrize("wait_s", [-1, float("nan"), "1", True, None])
def test_time_to_wait_must_be_one(index, wait_s):
    with pytest.raises(OptionError, match="wait_s is a number of seconds, at least 0"), index.held(wait_s):
        pass
    with index.held(10**400):  # very long is fine
        pass


def test_removed_index_is_noticed_at_the_next_commit(index):
    def lose() -> None:
        with index.held():
            with index.writing():
                pass
            (index.location / "ezpyp.sqlite").unlink()
            with index.writing():
                raise AssertionError("written into a file without a name")

    with pytest.raises(StoreError, match="was removed or replaced while this process wrote it"):
        lose()


def test_waiting_ends_when_the_holder_lets_go(index, monkeypatch):
    give(index, ELSEWHERE)
    naps = []

    def nap(seconds):
        naps.append(seconds)
        if len(naps) == 3:
            index.connection.execute("UPDATE holder SET owner = NULL")

    monkeypatch.setattr("ezpyp.store.lock.time.sleep", nap)
    with index.held(wait_s=60):
        assert holder(index)[1] == ME
    assert len(naps) == 3


def test_overtaken_holder_writes_nothing_and_does_not_unlock_its_successor(index, rival):
    with index.held():
        give(rival, ELSEWHERE)
        for _ in range(2):
            with pytest.raises(CacheBusyError, match="another one took over"), index.writing() as connection:
                connection.execute("INSERT INTO meta VALUES ('stale', '1')")
    assert index.noted("stale") is None
    assert holder(index)[1] == ELSEWHERE


def test_a_pause_that_another_run_used_completely_is_noticed_too(index, rival):
    with index.held():
        index.connection.execute("UPDATE holder SET owner = NULL")
        with rival.held():
            pass
        with pytest.raises(CacheBusyError, match="another one took over"), index.writing():
            pass


@pytest.mark.parametrize("is_writing", [True, False])
def test_the_heartbeat_is_kept_fresh_but_not_with_every_commit(index, monkeypatch, is_writing):
    def commit():
        if not is_writing:
            index.beat()
            return
        with index.writing():
            pass

    with index.held():
        first = holder(index)[2]
        commit()
        assert holder(index)[2] == first
        later = time.time() + HEARTBEAT_S + 1
        monkeypatch.setattr("ezpyp.store.lock.time.time", lambda: later)
        commit()
        assert holder(index)[2] == later


@pytest.mark.parametrize(
    ("variables", "job"),
    [
        ({"SLURM_JOB_ID": "12", "SLURM_ARRAY_TASK_ID": "3"}, "12"),
        ({"PBS_JOBID": "12[3].server", "PBS_ARRAY_INDEX": "3"}, "12[3].server"),
        ({"LSB_JOBID": "12", "LSB_JOBINDEX": "3"}, "12[3]"),
        ({"JOB_ID": "12", "SGE_TASK_ID": "3"}, "12[3]"),
    ],
)
def test_tasks_of_a_job_array_are_told_apart_and_the_way_out_is_named(index, monkeypatch, variables, job):
    give(index, replace(ELSEWHERE, job="12[2]", since=time.time()))
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert batch_job() == job
    variable = list(variables)[1]
    way_out = rf"job 12\[2\], since \d{{4}}-.*job array a location of its own: .*cache-\{{os.environ\['{variable}'\]"
    with pytest.raises(CacheBusyError, match=way_out) as caught, index.held():
        pass
    assert caught.value.holder.startswith(f"process {os.getpid()} on other-host, job 12[2], since ")


@pytest.mark.parametrize(
    "variables", [{"LSB_JOBID": "12", "LSB_JOBINDEX": "0"}, {"JOB_ID": "12", "SGE_TASK_ID": "undefined"}]
)
def test_a_job_that_is_no_array_is_not_taken_for_one(index, monkeypatch, variables):
    for name, text in variables.items():
        monkeypatch.setenv(name, text)
    assert batch_job() == "12"
    give(index, ELSEWHERE)
    with pytest.raises(CacheBusyError, match="use another location for a job that runs beside it"), index.held():
        pass


def in_child(act):
    """What a forked child finds: its exit code is 0 where nothing is raised."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            act()
            code = 0
        except CacheBusyError as error:
            code = 2 if "forked off" in str(error) else 3
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def test_forked_child_can_neither_write_nor_give_the_lock_back(index):
    def write():
        with index.writing() as connection:
            connection.execute("INSERT INTO meta VALUES ('child', '1')")

    with index.held():
        assert in_child(write) == 2
        assert in_child(index._lock.release) == 0
        assert holder(index)[:2] == (1, ME)
        assert index.noted("child") is None
