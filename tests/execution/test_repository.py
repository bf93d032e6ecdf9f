"""The commit and the changes of the repository that a script lies in."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ezpyp.execution import git as _repository
from ezpyp.execution.git import Repository
from tests.acceptance.tools import query
from tests.mpi import ROOT

NO_FILE = str(ROOT / "no such file")
QUIET = {"GIT_CONFIG_GLOBAL": NO_FILE, "GIT_CONFIG_SYSTEM": NO_FILE}
ME = ["-c", "user.name=me", "-c", "user.email=me@example.org"]


def git(folder: Path, *words: str) -> str:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | QUIET
    done = subprocess.run(["git", *ME, *words], cwd=folder, env=environ, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(autouse=True)
def _patient(monkeypatch):
    monkeypatch.setattr(_repository, "PATIENCE_S", 30.0)


@pytest.fixture
def script(tmp_path: Path) -> Path:
    """A committed script, in a folder of a repository."""
    folder = tmp_path / "study"
    (folder / "deep").mkdir(parents=True)
    git(folder, "init", "-q")
    script = folder / "deep" / "script.py"
    script.write_text("print(1)\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "first")
    return script


def dirty(place):
    """Tell whether the repository of a place is dirty, having looked."""
    found = Repository(place)
    found.look()
    return found.is_dirty()


def test_commit_of_a_clean_repository(script):
    found = Repository(script)
    assert found.is_dirty() is None  # nobody looked
    found.look()

    assert found.commit == git(script.parent, "rev-parse", "HEAD")
    assert found.is_dirty() is False
    assert found.is_dirty() is None  # git is asked once


def test_what_was_changed_is_dirty_and_what_was_only_touched_is_not(script):
    os.utime(script, (1, 1))
    assert dirty(script) is False
    (script.parent / "untracked").touch()
    assert dirty(script) is False
    script.write_text("print(2)\n")
    assert dirty(script) is True
    git(script.parent, "add", ".")
    assert dirty(script) is True


def test_commit_in_packed_names_at_a_detached_head_and_in_a_worktree(script, tmp_path):
    commit = git(script.parent, "rev-parse", "HEAD")
    git(script.parent, "worktree", "add", "-q", str(tmp_path / "tree"), "-b", "other")
    git(script.parent, "pack-refs", "--all")

    assert Repository(script).commit == commit
    assert Repository(tmp_path / "tree" / "deep" / "script.py").commit == commit
    assert dirty(tmp_path / "tree") is False
    git(script.parent, "checkout", "-q", "--detach")
    assert Repository(script).commit == commit


def test_no_repository_no_commit_no_git(tmp_path, script, monkeypatch):
    outside = Repository(tmp_path)
    outside.look()
    assert (outside.commit, outside.is_dirty()) == (None, None)
    git(tmp_path, "init", "-q", "new")
    assert Repository(tmp_path / "new").commit is None
    (tmp_path / "new" / ".git" / "HEAD").write_bytes(b"\xff\xfe")
    assert Repository(tmp_path / "new").commit is None
    monkeypatch.setenv("PATH", str(tmp_path))
    without = Repository(script)
    without.look()
    assert (without.commit is None, without.is_dirty()) == (False, None)


def test_no_hook_and_no_program_of_the_repository_runs(script, tmp_path):
    trace = tmp_path / "ran"
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\ntouch {trace}\n")
    hook.chmod(0o755)
    for name in ("core.fsmonitor", "diff.external", "diff.x.textconv"):
        git(script.parent, "config", name, str(hook))
    own = script.parents[1] / ".git"
    for folder in ("hooks", "info"):
        (own / folder).mkdir(exist_ok=True)
    for name in ("post-index-change", "post-checkout"):
        (own / "hooks" / name).symlink_to(hook)
    (own / "info" / "attributes").write_text("* diff=x\n")
    script.write_text("print(3)\n")

    assert dirty(script) is True
    assert not trace.exists()


def test_a_run_does_not_wait_for_a_slow_git(script, tmp_path, monkeypatch):
    (tmp_path / "git").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(_repository, "PATIENCE_S", 0.0)

    found = Repository(script)
    found.look()
    process = found._process

    assert found.commit
    assert found.is_dirty() is None
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)


def test_a_run_records_commit_and_changes(script):
    script.write_text(
        "import ezpyp\n"
        "from ezpyp.execution import git\n"
        "git.PATIENCE_S = 30\n"
        "pipeline = ezpyp.Pipeline('cache', 'toy')\n"
        "pipeline.step(abs)(-1)\npipeline.execute()\n"
    )
    for _ in range(2):
        command = [sys.executable, "script.py"]
        subprocess.run(command, cwd=script.parent, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=True, timeout=60)

    runs = query(script.parent / "cache", "SELECT git_commit, git_dirty FROM runs ORDER BY run")
    # A run that computes nothing does not wait for git.
    assert runs == [(git(script.parent, "rev-parse", "HEAD"), dirty) for dirty in (1, None)]
