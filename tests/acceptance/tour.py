"""Many scripts in one job: the same ranks run them one after the other, for the price of one ``mpirun``.

What a script writes, with which code it ends and which bodies ran stand in files beside it. Its location is the folder
``cache`` beside it, of which a copy is kept when it has ended, because a later script may go on there.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.tools import expanded
from tests.mpi import mpirun, python


@dataclass(frozen=True, slots=True)
class Stage:
    """What one script of a tour wrote and left behind; `words` are those that its bodies noted with `ran`."""

    folder: Path
    location: Path
    stdout: str
    stderr: str
    codes: list[str]
    words: list[str]

    @property
    def lines(self) -> list[str]:
        """Lines of standard output."""
        return self.stdout.splitlines()


def run_tour(size: int, folder: Path, scripts: Mapping[str, str], timeout_s: float = 110) -> dict[str, Stage]:
    """Run scripts, each named ``study/stage``, in their order; of size 0 is a serial process without a launcher."""
    paths = {name: folder / f"{name}.py" for name in scripts}
    for name, path in paths.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(expanded(scripts[name]))
    arguments = [str(path) for path in paths.values()]
    if size:
        ended = mpirun(size, __file__, *arguments, timeout=timeout_s)
    else:
        ended = python(__file__, *arguments, timeout=timeout_s)
    stages = {name: _stage(path) for name, path in paths.items()}
    begun = [stage.stderr for stage in stages.values() if stage.stdout or stage.stderr]
    assert ended.returncode == 0, f"{ended.stdout}{ended.stderr}the last stage wrote:\n{begun[-1] if begun else ''}"
    return stages


def _stage(script: Path) -> Stage:
    texts = [_file(script, suffix) for suffix in ("stdout", "stderr", "codes", "words")]
    out, err, codes, words = (path.read_text() if path.exists() else "" for path in texts)
    return Stage(script.parent, _file(script, "cache"), out, err, codes.split(), words.splitlines())


def _file(script: Path, suffix: str) -> Path:
    return script.with_suffix(f".{suffix}")


def _run(script: Path) -> None:
    """Run one script on this rank, as Python would run it alone."""
    import runpy

    for suffix, descriptor in (("stdout", 1), ("stderr", 2)):
        _redirect(_file(script, suffix), descriptor)
    environment = dict(os.environ)
    os.environ["TRACE_FILE"] = str(_file(script, "words"))
    os.chdir(script.parent)
    code = 0
    try:
        runpy.run_path(str(script), run_name="__main__")
    except BaseException:
        # An error that not all ranks raise alike ends the whole tour here, as it ends a job.
        sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]  # there is an error
        code = 1
    os.environ.clear()
    os.environ.update(environment)
    with _file(script, "codes").open("a") as file:
        file.write(f"{code}\n")


def _redirect(path: Path, descriptor: int) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    opened = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.dup2(opened, descriptor)
    os.close(opened)


def _copy(location: Path, copy: Path) -> None:
    """Copy a cache, in a process of its own: to close a file of an index would drop this process's locks."""
    # Another rank may still close the index that it has read, which takes SQLite's helper files away under our hands.
    for attempt in range(5):
        subprocess.run(["rm", "-rf", copy], check=True)
        if subprocess.run(["cp", "-r", location, copy], check=attempt == 4).returncode == 0:
            break


def main(scripts: list[str]) -> None:
    """Run all scripts on this rank."""
    from ezpyp import Pipeline

    is_root = Pipeline("nowhere", "tour").is_root
    for script in map(Path, scripts):
        _run(script)
        location = script.parent / "cache"
        if is_root and location.exists():
            _copy(location, _file(script, "cache"))


if __name__ == "__main__":
    main(sys.argv[1:])
