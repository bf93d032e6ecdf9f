"""What a run says of itself, without a terminal and with one; time is told by the tests."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator

import pytest

from ezpyp.execution.messages import DONE, FAILED, SKIPPED
from ezpyp.execution.progress import (
    CACHED,
    LiveLine,
    PlainLines,
    Planned,
    ProgressLine,
    duration,
    is_wanted,
    screen_for,
)
from ezpyp.execution.scheduler import Estimate
from tests.mpi import clean_environ


class Paper:
    """A screen that keeps what it was shown last."""

    def show(self, fraction, parts, elapsed_s):
        self.fraction, self.said = fraction, "".join(text for text, _ in parts)

    def is_due(self, elapsed_s):
        return True


class Run:
    """A run as its recorder tells of it; it has lasted for a second already. Time stands still but for its ticks."""

    def __init__(self, screen, steps=2, pending=None, *, expected=None, names=None):
        pending = range(steps) if pending is None else pending
        self.now = 0.0
        self.screen = screen
        self.plan = Planned(names or [f"s{n}" for n in range(steps)], ["f"] * steps, [expected] * steps, pending, 1)
        self.line = ProgressLine(lambda: self.plan, screen, lambda: self.now)
        self.running = {}
        self.now = 1.0

    def started(self, *positions):
        self.running |= dict.fromkeys(positions, (self.now, 0, "host"))

    def ended(self, position, end=DONE, seconds=1.0):
        self.running.pop(position, None)
        self.line.ended(position, end, seconds)

    def put_back(self, *positions):
        for position in positions:
            self.running.pop(position, None)
            self.line.put_back(position)

    def tick(self, now=None):
        self.now = self.now + 0.1 if now is None else now
        self.line.tick(self.running)
        return getattr(self.screen, "said", "")


def test_counts_follow_the_events():
    run = Run(Paper(), 10, range(2, 10))
    assert run.tick() == "2 of 10 steps done, 2 cached"

    run.started(2, 3, 4)
    for position, end, seconds in ((2, DONE, 1.0), (3, FAILED, 1.0), (5, SKIPPED, None), (6, CACHED, None)):
        run.ended(position, end, seconds)
    said = run.tick()
    assert said.startswith("4 of 10 steps done, 3 cached, 1 failed, 1 skipped, ")
    assert said.endswith(" left, 1 running: s4 0 s")
    assert run.screen.fraction == 0.4


def test_the_longest_running_steps_are_named():
    run = Run(Paper(), 9)
    for position in range(5):
        run.started(position)
        run.now += 60

    assert run.tick() == "0 of 9 steps done, 5 running: s0 5 min, s1 4 min, s2 3 min, ..."


def test_a_step_that_runs_again_counts_once():
    run = Run(Paper(), 3, [1, 2])
    run.started(1)
    run.ended(1)
    run.started(2)
    # 2 waits again for a damaged upstream; 0, which was cached, waits for one of its own too; 1 was done.
    run.put_back(2, 0, 0, 1)
    assert run.tick() == "0 of 3 steps done, 3 s left"

    for position in (0, 1, 2):
        run.started(position)
        run.ended(position)
    assert run.tick() == "3 of 3 steps done"


def test_a_short_run_does_not_even_ask_for_what_is_planned():
    run = Run(Paper())
    del run.plan
    for now in (0.0, 0.2, 0.4):
        run.ended(0)
        run.tick(now)
    with pytest.raises(AttributeError, match="plan"):
        run.tick(0.6)


X = None
ESTIMATES = {
    "nothing is known": ("fff", [X, X, X], range(3), 1, [], {}, None),
    "a function that never ran, by its own steps": ("ffggg", [X] * 5, range(5), 1, [(0, 10.0), (2, 1.0)], {}, 12.0),
    "by others where it has none": ("ffggg", [X] * 5, range(5), 1, [(0, 10.0)], {}, 40.0),
    "a new step, by others of its function": ("ffgg", [10.0, X, 1.0, X], [1, 3], 1, [], {}, 11.0),
    "whatever other functions take": ("ffgg", [10.0, X, 1.0, X], [1, 3], 1, [(1, 20.0)], {}, 1.0),
    "as before": ("fff", [10.0, 10.0, 20.0], range(3), 1, [], {}, 40.0),
    "times how this run compares": ("fff", [10.0, 10.0, 20.0], range(3), 1, [(0, 5.0)], {}, 15.0),
    "a step that does not run": ("ff", [10.0, 20.0], range(2), 1, [(0, None)], {}, 20.0),
    "ranks share the work": ("f" * 5, [10.0] * 4 + [100.0], range(5), 4, [], {}, 35.0),
    "but no step": ("f" * 5, [10.0] * 4 + [100.0], range(5), 4, [], {4: 1.0}, 99.0),
    "a step over its time": ("f", [10.0], range(1), 1, [], {0: 500.0}, 0.0),
}


@pytest.mark.parametrize(
    ("groups", "expected", "pending", "ranks", "ended", "running", "left_s"), ESTIMATES.values(), ids=ESTIMATES
)
def test_time_left(groups, expected, pending, ranks, ended, running, left_s):
    estimate = Estimate(groups, expected, pending, ranks)
    for position, seconds in ended:
        estimate.ended(position, seconds)

    assert estimate.seconds_left(running) == left_s


def test_durations_as_people_say_them():
    told = [duration(seconds) for seconds in (0, 59.4, 90, 3599.9, 86_399, 86_400)]
    assert told == ["0 s", "59 s", "2 min", "1 h", "1 d", "1 d"]


def test_a_batch_log_has_a_line_after_ten_seconds_and_fewer_later():
    stream = io.StringIO()
    run = Run(PlainLines(stream, lambda: "12:00:00"), 4, expected=100_000.0)

    times = []
    for now in range(0, 86_400, 5):
        before = stream.tell()
        run.tick(now)
        times += [now] if stream.tell() > before else []

    assert times[:5] == [10, 20, 30, 40, 50]
    assert times[-1] - times[-2] == 1800
    assert 50 <= len(times) <= 90
    assert stream.getvalue().splitlines()[0] == "ezpyp 12:00:00, after 10 s: 0 of 4 steps done, 4 d 15 h left"
    written = stream.tell()
    run.line.close()
    run.tick(200_000)
    assert stream.tell() == written


def test_a_plain_line_begins_a_line():
    stream = io.StringIO()
    run = Run(PlainLines(stream, lambda: ""), 4)
    with run.screen.suspended(b"%"):
        stream.write("\r 10%")
    run.tick(10.0)
    run.tick(30.0)

    assert stream.getvalue().splitlines()[:3] == ["", " 10%", "ezpyp , after 10 s: 0 of 4 steps done"]
    assert len(stream.getvalue().splitlines()) == 4


def test_a_log_of_another_encoding_is_no_error():
    raw = io.BytesIO()
    run = Run(PlainLines(io.TextIOWrapper(raw, encoding="ascii"), lambda: ""), 1, names=["größe"])
    run.started(0)
    run.tick(61.0)

    assert raw.getvalue().endswith(b"1 running: gr??e 1 min\n")


class Terminal:
    """A pseudo-terminal, and a small reading of what stands on its last line."""

    def __init__(self) -> None:
        self.controller, self.descriptor = pty.openpty()
        self.stream = open(self.descriptor, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - closed below

    def run(self, steps=2, width=80, **planned) -> Run:
        """A run that draws here; of no width where the terminal is to say it."""
        run = Run(None, steps, **planned)
        run.line.screen = run.screen = LiveLine(self.stream, (lambda: width) if width else None, lambda: run.now)
        return run

    def write(self, run: Run, data: bytes) -> None:
        with run.screen.suspended(data[-1:]):
            os.write(self.descriptor, data)

    def shown(self) -> str:
        """What came since the last call, to a bell rung now: the kernel hands a terminal's text on when it likes."""
        os.write(self.descriptor, b"\a")
        data = b""
        while not data.endswith(b"\a"):
            data += os.read(self.controller, 100_000)
        return data.decode().removesuffix("\a")

    def close(self) -> None:
        self.stream.close()
        os.close(self.descriptor)
        os.close(self.controller)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    terminal = Terminal()
    yield terminal
    terminal.close()


def screen_lines(text: str) -> list[str]:
    """What stands on the terminal in the end, colours left out."""
    lines = [""]
    for piece in re.findall(r"\x1b\[[0-9;]*[A-Za-z]|\r\n|\r|\n|[^\x1b\r\n]+", text):
        if piece == "\x1b[2K":
            lines[-1] = ""
        elif piece in ("\r\n", "\n"):
            lines.append("")
        elif piece[0] not in "\x1b\r":
            lines[-1] += piece
    return lines


def test_the_live_line_changes_in_its_place(terminal):
    run = terminal.run()
    run.tick(0.3)
    assert not terminal.shown()

    run.tick(1.0)
    run.ended(0)
    run.tick()
    assert screen_lines(terminal.shown()) == ["━━━━━━━━━━────────── 1 of 2 steps done, 1 s left"]
    run.line.close()
    run.tick()
    assert screen_lines("x" + terminal.shown()) == [""]


def test_the_live_line_is_drawn_ten_times_a_second_at_most_and_when_it_changes(terminal):
    run = terminal.run(100)
    for step in range(100):
        run.ended(step, DONE, 0.01)
        run.tick(1.0 + step / 100)
    assert 8 <= terminal.shown().count("\x1b[2K") <= 11

    for _ in range(10):
        run.tick()
    assert terminal.shown().count("\x1b[2K") == 1


def test_other_lines_go_above_the_live_line(terminal):
    run = terminal.run()
    for text in (b"[PASS] 'a'\n", b"two\nlines\n"):
        run.tick()
        terminal.write(run, text)

    *above, last = screen_lines(terminal.shown())
    assert above == ["[PASS] 'a'", "two", "lines"]
    assert "0 of 2" in last


def test_the_live_line_waits_for_the_end_of_an_unfinished_line(terminal):
    run = terminal.run()
    terminal.write(run, b"working .")
    run.tick()
    assert screen_lines(terminal.shown()) == ["working ."]

    terminal.write(run, b".\n")
    assert "0 of 2" in screen_lines(terminal.shown())[-1]


@pytest.mark.parametrize("width", [1, 2, 10, 30, 200])
def test_the_live_line_fits_the_terminal(terminal, width):
    run = terminal.run(3, width, names=["漢字[x=1]" * 20] * 3, expected=5.0)
    run.started(0)
    run.tick()

    from rich.cells import cell_len

    assert cell_len(screen_lines(terminal.shown())[-1]) < max(2, width)


def test_a_terminal_that_is_gone_is_no_error():
    terminal = Terminal()
    run = terminal.run()
    os.close(terminal.controller)
    run.tick()
    run.line.close()
    os.close(terminal.descriptor)
    run.tick()


def test_a_terminal_of_unknown_width_is_one_of_eighty_columns(terminal):
    assert os.get_terminal_size(terminal.descriptor).columns == 0
    terminal.run(width=None, expected=1.0).tick()

    assert screen_lines(terminal.shown())[-1].endswith("0 of 2 steps done, 2 s left")


def test_a_terminal_that_is_halted_halts_nothing(terminal):
    run = terminal.run()
    termios.tcflow(terminal.descriptor, termios.TCOOFF)  # as Ctrl-S
    run.tick()
    termios.tcflow(terminal.descriptor, termios.TCOON)
    assert not terminal.shown()

    run.tick()
    assert "0 of 2" in terminal.shown()


def test_the_setting_beats_the_script():
    wanted = [is_wanted(asked, {"EZPYP_PROGRESS": text}) for asked, text in ((True, "0"), (False, "1"), (False, ""))]
    assert wanted == [False, True, False]


def test_the_screen_fits_the_stream(terminal):
    read, write = os.pipe()
    stream = terminal.stream
    with open(write, "w") as piped, open(os.devnull, "w") as nowhere:
        for out, err, term, alone, kind in [
            (stream, stream, "xterm", True, LiveLine),
            (stream, stream, "xterm", False, PlainLines),
            (stream, stream, "dumb", True, PlainLines),
            (stream, io.StringIO(), "xterm", True, PlainLines),
            (stream, None, "xterm", True, type(None)),
            (piped, stream, "xterm", True, PlainLines),  # through another program into the same terminal
            (nowhere, stream, "xterm", True, LiveLine),
        ]:
            assert type(screen_for(out, err, {"TERM": term}, alone=alone)) is kind
    os.close(read)


def test_rich_is_loaded_by_a_live_line_that_is_drawn_alone():
    code = (
        "import sys; from ezpyp.execution.progress import *\n"
        "for screen in (PlainLines(sys.stderr), LiveLine(sys.stderr, lambda: 80)):\n"
        "    if isinstance(screen, PlainLines): screen.show(0.5, [('x', '')], 61)\n"
        "assert 'rich' not in sys.modules\n"
        "screen.show(0.5, [('x', '')], 1.0)\n"
        "assert 'rich' in sys.modules\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=clean_environ())

    assert done.returncode == 0, done.stderr
