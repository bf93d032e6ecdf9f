"""Which commit of the user's repository a run was of, and whether its files had been changed since.

The commit is read from ``.git`` itself: some small files, 0.1 ms. What is changed only git can tell; it looks while the
run runs, without hooks, filters of diffs or locks, and what it has not found out when the run ends stays unknown.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

# At the end of a run git is waited for so long. A small repository takes it 5 ms, which most runs cover.
PATIENCE_S = 0.02
_GIT = (
    "git", "--no-optional-locks", "-c", "core.fsmonitor=false", "-c", f"core.hooksPath={os.devnull}", "diff", "--quiet",
    "--no-ext-diff", "--no-textconv", "--ignore-submodules", "HEAD",
)  # fmt: skip
_COMMIT = re.compile("[0-9a-f]{40,64}")


class Repository:
    """The repository that a script lies in, if it does in one."""

    def __init__(self, script: Path) -> None:
        self._folder = _top(script)
        self.commit: str | None = _commit(self._folder / ".git") if self._folder else None
        self._process: int | None = None

    def look(self) -> None:
        """Let git look for changes while the run runs; a run that computes nothing need not pay for it."""
        if not self.commit:
            return
        # No shell, no pipe, and none of `subprocess`, whose import takes longer than git.
        silent = [(os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0) for number in range(3)]
        environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
        with suppress(OSError):  # there is no git
            command = [_GIT[0], "-C", str(self._folder), *_GIT[1:]]
            self._process = os.posix_spawnp("git", command, environ, file_actions=silent)

    def is_dirty(self) -> bool | None:
        """Whether a file that git tracks differs from the commit; None where that is not known. Ask once."""
        process, self._process = self._process, None
        if process is None:
            return None
        deadline = time.perf_counter() + PATIENCE_S
        try:
            while (ended := os.waitpid(process, os.WNOHANG))[0] == 0:
                if time.perf_counter() > deadline:
                    os.kill(process, signal.SIGKILL)
                    os.waitpid(process, 0)
                    return None
                time.sleep(0.001)
        except ChildProcessError:
            return None  # a step waited for any child, and got this one
        return {0: False, 1: True}.get(os.waitstatus_to_exitcode(ended[1]))


def repository() -> Repository:
    """The repository of the script that runs, or of the current folder in a notebook."""
    script = Path(sys.argv[0] or ".")
    return Repository(script if script.exists() else Path())


def _top(script: Path) -> Path | None:
    try:
        script = script.resolve()
    except (OSError, RuntimeError):
        return None  # the folder the script was started in may be gone
    return next((folder for folder in (script, *script.parents) if (folder / ".git").exists()), None)


def _commit(git: Path) -> str | None:
    """The commit that HEAD leads to; None before the first, or where the repository keeps its names in another way."""
    try:
        if git.is_file():  # of a worktree or a submodule: it names the real folder
            git = git.parent / git.read_text().removeprefix("gitdir:").strip()
        head = (git / "HEAD").read_text().strip()
        if not head.startswith("ref:"):
            return head if _COMMIT.fullmatch(head) else None
        return _named(git, head.removeprefix("ref:").strip())
    except (OSError, ValueError):
        return None


def _named(git: Path, name: str) -> str | None:
    shared = git / "commondir"
    homes = [git, git / shared.read_text().strip()] if shared.is_file() else [git]
    for home in homes:
        if (home / name).is_file():
            return (home / name).read_text().strip()
        packed = home / "packed-refs"
        for line in packed.read_text().splitlines() if packed.is_file() else ():
            commit, _, packed_name = line.partition(" ")
            if packed_name == name:
                return commit
    return None
