"""A disk that is full, has no inodes or no permission left in the middle of a run: clear errors, nothing lost."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import ezpyp
from tests.mpi import clean_environ, mpi_python, mpirun_command, run

from .tools import Bodies, launch, obey_permissions, traced

STUDY = """
import os, resource, sys
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
    if "SPOIL" in os.environ:
        exec(os.environ["SPOIL"])
    return [bytes([seed]) * 900_000, part]

@ezpyp.as_pickle_step(pipeline)
def count(part):
    return len(part[0])

counts = [count(large(first(seed), seed)) for seed in range(8)]
pipeline.execute()
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


def passed(output: str) -> set[str]:
    return set(re.findall(r"\[PASS\] '(.+)'", output))


def failed(output: str) -> list[str]:
    return re.findall(r"\[FAIL\] .*", output)


def check_results(location: Path, names: set[str]) -> None:
    """What was printed as done is there, and right."""
    cache = ezpyp.open_cache(location)
    for name in names:
        value = cache.get_result(name)
        assert value == 900_000 if name.startswith("count") else len(value[0]) in (20_000, 900_000)  # type: ignore[index]


def no_foreign_error(ended: subprocess.CompletedProcess[str]) -> None:
    """Steps fail with errors of ours, and where the run itself ends, it ends with one; causes may stand above it."""
    assert all(re.search(r"StoreError|CacheBusyError", line) for line in failed(ended.stdout))
    assert re.findall(r"^([\w.]*Error)\b", ended.stderr, re.MULTILINE)[-1:] in ([], ["ezpyp.errors.StoreError"])


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.mpi)])
def test_a_full_disk_fails_steps_clearly_and_the_next_run_goes_on_when_there_is_room(
    tmp_path: Path, small_disk: Path, ranks: int
) -> None:
    script, location = tmp_path / "study.py", small_disk / "cache"
    script.write_text(STUDY.replace("LOCATION", repr(str(location))))
    trace = Bodies(tmp_path / "trace")
    env = traced(trace.path)
    command = [*([*mpirun_command(), "-n", str(ranks)] if ranks > 1 else []), mpi_python(), str(script)]
    is_mounted = small_disk.is_mount()

    ended = run(command, env=env if is_mounted else env | {"SPOIL": WITHIN_FILE_SIZE}, timeout=60)
    done = passed(ended.stdout)
    output = ended.stdout + ended.stderr

    assert len(done) < 24
    assert re.search(r"No space left on device; make room|the disk is full|a limit on the size of files", output)
    no_foreign_error(ended)
    check_results(location, done)

    trace.take()
    if is_mounted:
        subprocess.run(["mount", "-o", "remount,size=30m", str(small_disk)], check=True)
    again = run(command, env=env, timeout=60)
    assert again.returncode == 0, again.stderr
    assert not {name for name in trace.take() if f"{name.split()[0]}[seed={name.split()[1]}]" in done}
    check_results(location, set(ezpyp.open_cache(location).names()))
    assert len(ezpyp.open_cache(location).names()) == 24


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        ("os.chmod(os.path.join(LOCATION, 'objects'), 0o555)", "you may not write there"),
        (WITHIN_FILE_SIZE, "a limit on the size of files"),
    ],
    ids=["permission", "file size"],
)
def test_what_is_refused_in_the_middle_of_a_run_fails_the_step_clearly(
    tmp_path: Path, spoil: str, message: str
) -> None:
    script, location = tmp_path / "study.py", tmp_path / "cache"
    script.write_text(STUDY.replace("LOCATION", repr(str(location))))
    trace = Bodies(tmp_path / "trace")
    env = traced(trace.path, SPOIL=spoil.replace("LOCATION", repr(str(location))))

    ended = launch(script, env=env, before=obey_permissions)

    done = passed(ended.stdout)
    assert {f"first[seed={seed}]" for seed in range(8)} <= done
    assert failed(ended.stdout) != []
    assert re.search(message, ended.stdout + ended.stderr)
    no_foreign_error(ended)
    (location / "objects").chmod(0o755)
    check_results(location, done)
    again = launch(script, env=clean_environ(traced(trace.path)), before=obey_permissions)
    assert (again.returncode, failed(again.stdout)) == (0, []), again.stdout + again.stderr
