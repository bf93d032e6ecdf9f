"""How far a run is: on a terminal, under mpirun, into a pipe; nothing else that is shown may suffer from it."""

import contextlib
import os
import pty
import re
import subprocess
import termios
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.execution.test_progress_line import screen_lines
from tests.mpi import clean_environ, mpi_python, mpirun, mpirun_command, python

from .tools import executed

SCRIPT = """
import os, sys, time
import ezpyp
from ezpyp.execution import progress as _progress_screen

_progress_screen.PLAIN_EVERY_S = 0.3  # nobody wants to wait for ten seconds
options = eval(sys.argv[2])
count, seconds, last = eval(sys.argv[3])
pipeline = ezpyp.Pipeline(sys.argv[1], "study")

@ezpyp.as_pickle_step(pipeline)
def work(x):
    if last == "open":
        print("not the end of a line", end="", flush=True)
    time.sleep(seconds)
    if x == 1:
        print("said", x)
    if x == 2:
        os.system("echo child")
    if x == 3 and last == "fail":
        raise ValueError("no")
    if x == 3 and last == "exit":
        os._exit(7)
    return x

work.map(range(count))
pipeline.execute(**options)
if pipeline.is_root:
    print("rich" in sys.modules)
"""


@dataclass
class Shown:
    """What a terminal was sent by a job that has ended."""

    code: int
    data: str

    @property
    def lines(self) -> list[str]:
        """What stands there in the end."""
        return screen_lines(self.data)

    @property
    def is_live(self) -> bool:
        """Whether anything was drawn."""
        return "\x1b" in self.data


def on_terminal(
    *command: str | Path,
    env: Mapping[str, str] = {},
    stdout: int | None = None,
    keys: bytes = b"",
    controlling: bool = False,
) -> Shown:
    """Run a command on a terminal of its own; keys are pressed as soon as a line is drawn."""
    controller, terminal = pty.openpty()
    termios.tcsetwinsize(terminal, (50, 200))
    job = subprocess.Popen(
        [str(word) for word in command],
        stdin=terminal, stdout=terminal if stdout is None else stdout, stderr=terminal,
        env=clean_environ({"TERM": "xterm", **env}), preexec_fn=lambda: os.login_tty(os.dup(terminal))
        if keys or controlling else None,
    )  # fmt: skip
    os.close(terminal)
    data = b""
    with contextlib.suppress(OSError):  # EIO: the last one who had it open has ended
        while piece := os.read(controller, 100_000):
            data += piece
            if keys and b"\x1b[2K" in data:
                os.write(controller, keys)
                keys = b""
    os.close(controller)
    return Shown(job.wait(60), data.decode())


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "study.py"
    path.write_text(SCRIPT)
    return path


def serially(script: Path, *, options: str = "{}", steps: str = "(6, 0.2, '')") -> list[str | Path]:
    return [mpi_python(), script, script.parent / "cache", options, steps]


def expected(script: Path, steps: str = "(6, 0.2, '')") -> str:
    """What the same run prints that says nothing of how far it is."""
    cache = script.parent / "other"
    done = python(script, str(cache), "{'progress': False}", steps)
    return done.stdout.replace(str(cache), str(script.parent / "cache"))


def plain(lines: list[str]) -> list[str]:
    return [line for line in lines if re.match(r"ezpyp \d\d:\d\d:\d\d, after .*: \d of 6 steps done", line)]


def test_a_terminal_has_one_live_line_and_everything_else_as_ever(script: Path) -> None:
    shown = on_terminal(*serially(script))

    assert re.search(r"[1-5] of 6 steps done", shown.data)
    assert re.search(r"1 running: work\[x=", shown.data)
    assert [*shown.lines[:-2], "False", ""] == [*expected(script).split("\n")]
    assert shown.lines[-2:] == ["True", ""]
    assert "\x1b[?25l" not in shown.data  # the cursor is never hidden


def test_a_file_of_output_has_no_trace_of_the_live_line(script: Path, tmp_path: Path) -> None:
    with (tmp_path / "out.txt").open("wb") as file:
        shown = on_terminal(*serially(script), stdout=file.fileno())

    assert re.search(r"[1-5] of 6 steps done", shown.data)
    assert shown.lines == [""]
    assert (tmp_path / "out.txt").read_text().replace("True", "False") == expected(script)


def test_a_short_run_shows_nothing_and_does_not_load_rich(script: Path) -> None:
    shown = on_terminal(*serially(script, steps="(6, 0.02, '')"))

    assert not shown.is_live
    assert shown.lines[-2:] == ["False", ""]


def test_a_failed_step_is_counted(script: Path) -> None:
    shown = on_terminal(*serially(script, steps="(6, 0.2, 'fail')"))

    assert ", 1 failed" in shown.data
    assert sum("[FAIL]" in line for line in shown.lines) == 1
    assert [*shown.lines[:-2], "False", ""] == [*expected(script, "(6, 0.2, 'fail')").split("\n")]


def test_ctrl_c_leaves_the_terminal_clean(script: Path) -> None:
    shown = on_terminal(*serially(script, steps="(6, 0.6, '')"), keys=b"\x03")

    assert shown.code != 0
    assert "KeyboardInterrupt" in shown.lines[-2]
    assert shown.lines[-1] == ""
    assert not any("steps done" in line for line in shown.lines)
    assert "\x1b[?25l" not in shown.data


def test_a_background_job_does_not_draw_where_somebody_types(script: Path) -> None:
    job = serially(script)
    background = on_terminal("bash", "-c", 'set -m; "$@" & wait', "bash", *job, controlling=True)
    assert "[PASS]" in background.data
    assert not background.is_live

    script.write_text(SCRIPT.replace("return x", "return -x"))
    foreground = on_terminal("bash", "-c", 'set -m; "$@"', "bash", *job, controlling=True, env={"EZPYP_REVISE": "1"})
    assert foreground.is_live


def test_a_step_that_ends_the_process_leaves_the_terminal_clean(script: Path) -> None:
    shown = on_terminal(*serially(script, steps="(6, 0.3, 'exit')"))

    assert shown.code == 7
    assert shown.is_live
    assert not any("steps done" in line for line in shown.lines)


@pytest.mark.parametrize("to_file", [False, True])
def test_the_live_line_waits_behind_an_unfinished_line_on_its_terminal(
    script: Path, tmp_path: Path, to_file: bool
) -> None:
    with (tmp_path / "out.txt").open("wb") as file:
        stdout = file.fileno() if to_file else None
        shown = on_terminal(*serially(script, steps="(1, 1.0, 'open')"), stdout=stdout)

    assert shown.is_live == to_file


@pytest.mark.parametrize(
    ("options", "env", "is_live"),
    [
        ("{'progress': False}", {}, False),
        ("{'progress': True}", {"EZPYP_PROGRESS": "0"}, False),
        ("{'progress': False}", {"EZPYP_PROGRESS": "1"}, True),
        ("{'output': 'none'}", {}, False),
        ("{'output': 'none', 'progress': True}", {}, True),
        ("{'output': 'summary'}", {}, True),
        ("{}", {"TERM": "dumb"}, False),
        ("{}", {"EZPYP_CAPTURE": "python"}, False),  # children write to the terminal unseen
    ],
)
def test_who_decides(script: Path, options: str, env: dict[str, str], is_live: bool) -> None:
    shown = on_terminal(*serially(script, options=options, steps="(4, 0.2, '')"), env=env)

    assert shown.code == 0
    assert shown.is_live == is_live


def test_a_pipe_has_whole_lines_now_and_then_on_standard_error_alone(script: Path) -> None:
    done = python(script, str(script.parent / "cache"), "{}", "(6, 0.2, '')")

    assert 2 <= len(plain(done.stderr.splitlines())) == len(done.stderr.splitlines()) <= 5
    assert done.stdout == expected(script)


@pytest.mark.mpi
def test_mpirun_on_a_terminal_has_whole_lines_and_no_escapes(script: Path) -> None:
    shown = on_terminal(*mpirun_command(), "-n", "2", *serially(script, steps="(6, 0.4, '')"))

    assert shown.code == 0, shown.data
    assert not shown.is_live
    assert plain(shown.lines)
    others = [line for line in shown.lines if line not in plain(shown.lines)]
    strip = re.compile(r"MPI process \d+")
    wanted = expected(script, "(6, 0.4, '')").split("\n")
    assert sorted(strip.sub("", line) for line in others) == sorted(strip.sub("", line) for line in wanted)


@pytest.mark.mpi
def test_rank_0_alone_decides_under_mpirun(script: Path) -> None:
    script.write_text(
        SCRIPT.replace("options = eval", "options = {'progress': False} if ezpyp.Pipeline('x', 'x').is_root else eval")
    )
    done = mpirun(2, script, str(script.parent / "cache"), "{'progress': True}", "(6, 0.4, '')", cwd=script.parent)

    assert done.returncode == 0, done.stderr
    assert done.stderr == ""


def test_what_is_no_answer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="progress='loud' is none of True, False and None"):
        executed(tmp_path / "cache", "pipeline.step(abs)(-1)", progress="loud")
