"""A disk that is full, has no inodes or no permission left in the middle of a run: clear errors, nothing lost."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import ezpyp
from tests.mpi import mpi_python, mpirun_command, run

from .tools import Bodies, traced

STUDY = """
import os, resource
import ezpyp
from tests.acceptance.tools import ran

pipeline = ezpyp.Pipeline(LOCATION, "full")

@ezpyp.as_pickle_step(pipeline)
def first(seed):
    ran(f"first {seed}")
    return [bytes([seed]) * 20_000]

@ezpyp.as_pickle_step(pipeline)
def large(part, seed):
    ran(f"large {seed}")
    exec(os.environ["SPOIL"])
    return [bytes([seed]) * 900_000, part]

@ezpyp.as_pickle_step(pipeline)
def count(part):
    return len(part[0])

counts = [count(large(first(seed), seed)) for seed in range(8)]
pipeline.execute()
"""
OBEDIENT = """
import os, sys
from tests.acceptance.tools import obey_permissions
obey_permissions()
os.execvp(sys.argv[1], sys.argv[1:])
"""
WITHIN_FILE_SIZE = "resource.setrlimit(resource.RLIMIT_FSIZE, (800_000, resource.RLIM_INFINITY))"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1.6 MB, or a folder in which no file grows beyond 800 kB where mounting is not allowed."""
    folder = tmp_path / "disk"
    folder.mkdir()
    is_mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1600k", "tmpfs", str(folder)]).returncode == 0
    yield folder
    if is_mounted:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def check_results(location: Path, names: set[str]) -> None:
    """What was printed as done is there, and right."""
    cache = ezpyp.open_cache(location)
    for name in names:
        value = cache.get_result(name)
        assert value == 900_000 if name.startswith("count") else len(value[0]) in (20_000, 900_000)  # type: ignore[index]


REFUSALS = {
    "disk": ("", r"No space left on device; make room|the disk is full|a limit on the size of files"),
    "permission": ("os.chmod(os.path.join(LOCATION, 'objects'), 0o555)", "you may not write there"),
    "file size": (WITHIN_FILE_SIZE, "a limit on the size of files"),
}


@pytest.mark.parametrize(
    ("refusal", "ranks"),
    [("disk", 1), pytest.param("disk", 2, marks=pytest.mark.mpi), ("permission", 1), ("file size", 1)],
)
def test_what_is_refused_in_the_middle_of_a_run_fails_steps_clearly_and_the_next_run_goes_on(
    tmp_path: Path, small_disk: Path, refusal: str, ranks: int
) -> None:
    is_mounted = small_disk.is_mount()
    location = (small_disk if refusal == "disk" else tmp_path) / "cache"
    spoil, message = REFUSALS[refusal]
    if refusal == "disk" and not is_mounted:
        spoil = WITHIN_FILE_SIZE
    script, trace = tmp_path / "study.py", Bodies(tmp_path / "trace")
    script.write_text(f"LOCATION = {str(location)!r}\n{STUDY}")
    launcher = [*mpirun_command(), "-n", str(ranks)] if ranks > 1 else []
    command = [sys.executable, "-c", OBEDIENT, *launcher, mpi_python(), str(script)]

    ended = run(command, env=traced(trace.path, SPOIL=spoil))
    done = set(re.findall(r"\[PASS\] '(.+)'", ended.stdout))

    failed = re.findall(r"\[FAIL\] .*", ended.stdout)
    assert len(done) < 24
    assert re.search(message, ended.stdout + ended.stderr)
    # Steps fail with errors of ours, and where the run itself ends, it ends with one; causes may stand above it.
    assert all(re.search(r"StoreError|CacheBusyError", line) for line in failed)
    assert re.findall(r"^([\w.]*Error)\b", ended.stderr, re.MULTILINE)[-1:] in ([], ["ezpyp.errors.StoreError"])
    check_results(location, done)

    trace.take()
    (location / "objects").chmod(0o755)
    if is_mounted:
        subprocess.run(["mount", "-o", "remount,size=30m", str(small_disk)], check=True)
    again = run(command, env=traced(trace.path, SPOIL=""))
    assert (again.returncode, "[FAIL]" in again.stdout) == (0, False), again.stdout + again.stderr
    assert not done & {"{}[seed={}]".format(*word.split()) for word in trace.take()}
    names = set(ezpyp.open_cache(location).names())
    assert len(names) == 24
    check_results(location, names)
