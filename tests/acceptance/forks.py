"""Many scripts, each in a process of its own, for the price of one start: a fresh process forks for each of them.

The process that forks has run a step with numpy, and has imported nothing of a script's.
"""

import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.mpi import clean_environ


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of a script: the words that its bodies noted, what it printed, its exit code."""

    words: list[str]
    output: str
    code: int


def run_scripts(scripts: list[Path], seed: int) -> list[Ended]:
    """Run scripts one after the other, each in its own folder, all with one hash seed."""
    environment = clean_environ({"PYTHONHASHSEED": str(seed), "EZPYP_REVISE": "1"})
    jobs = json.dumps([str(script) for script in scripts])
    subprocess.run([sys.executable, __file__, jobs], env=environment, check=True, timeout=100)
    return [_ended(script) for script in scripts]


def _ended(script: Path) -> Ended:
    words = script.with_suffix(".words")
    noted = words.read_text().splitlines() if words.exists() else []
    words.unlink(missing_ok=True)
    return Ended(noted, script.with_suffix(".output").read_text(), int(script.with_suffix(".code").read_text()))


def _serve(scripts: list[str]) -> None:
    # Once, not once a script: a run loads what ezpyp and NumPy load on demand.
    import numpy as np

    from ezpyp import Pipeline

    with tempfile.TemporaryDirectory() as folder:
        pipeline = Pipeline(folder, "warm")
        pipeline.step(np.sum, name="sum")(np.arange(3))
        pipeline.execute(output="none", progress=False)

    for script in scripts:
        if (child := os.fork()) == 0:
            _run(Path(script))
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        Path(script).with_suffix(".code").write_text(str(code))


def _run(script: Path) -> None:
    import runpy
    import traceback

    output = os.open(script.with_suffix(".output"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.chdir(script.parent)
    os.environ["TRACE_FILE"] = str(script.with_suffix(".words"))
    sys.argv = [str(script)]
    code = 1
    try:
        runpy.run_path(str(script), run_name="__main__")
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
