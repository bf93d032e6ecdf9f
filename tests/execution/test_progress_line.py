"""What a run says of itself, without a terminal and with one; time is told by the tests."""

import io
import os
import pty
import re
import subprocess
import sys
import termios
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from unittest import mock

import pytest

from ezpyp.execution.messages import DONE, FAILED, SKIPPED
from ezpyp.execution.progress import (
    CACHED,
    LiveLine,
    PlainLines,
    Planned,
    ProgressLine,
    Screen,
    duration,
    is_wanted,
    screen_for,
)
from ezpyp.execution.scheduler import Estimate
from tests.mpi import clean_environ


class Clock:
    """Time stands still until it is told to go on."""

    now: float = 0.0

    def __call__(self) -> float:
        return self.now


class Paper:
    """A screen that keeps what it was shown last."""

    said = ""
    fraction = 0.0

    def is_due(self, elapsed_s: float) -> bool:
        return True

    def show(self, fraction: float, parts: Sequence[tuple[str, str]], elapsed_s: float) -> None:
        self.fraction, self.said = fraction, "".join(text for text, _ in parts)

    def suspended(self, last: bytes) -> AbstractContextManager[object]:
        return nullcontext()

    def close(self) -> None:
        pass


class Run:
    """A run as its recorder tells of it; it has lasted for a second already."""

    def __init__(self, plan: Planned, screen: Screen, clock: Clock) -> None:
        self.clock = clock
        self.line = ProgressLine(lambda: plan, screen, clock)
        self.running: dict[int, tuple[float, int, str]] = {}
        self.clock.now += 1.0

    def started(self, position: int) -> None:
        self.running[position] = (self.clock.now, 0, "host")

    def ended(self, position: int, end: int | str, seconds: float | None = None) -> None:
        self.running.pop(position, None)
        self.line.ended(position, end, seconds)

    def put_back(self, position: int) -> None:
        self.running.pop(position, None)
        self.line.put_back(position)

    def tick(self) -> None:
        self.clock.now += 0.1
        self.line.tick(self.running)


def planned(count: int, pending: Sequence[int], *, expected: float | None = None, ranks: int = 1) -> Planned:
    return Planned([f"s{n}" for n in range(count)], ["f"] * count, [expected] * count, pending, ranks)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_counts_follow_the_events(clock: Clock) -> None:
    paper = Paper()
    run = Run(planned(10, range(2, 10)), paper, clock)

    run.tick()
    assert paper.said == "2 of 10 steps done, 2 cached"

    for position in (2, 3, 4):
        run.started(position)
    run.ended(2, DONE, 1.0)
    run.ended(3, FAILED, 1.0)
    run.ended(5, SKIPPED)
    run.ended(6, CACHED)
    run.tick()

    assert paper.said.startswith("4 of 10 steps done, 3 cached, 1 failed, 1 skipped, ")
    assert paper.said.endswith(" left, 1 running: s4 0 s")
    assert paper.fraction == 0.4


def test_the_longest_running_steps_are_named(clock: Clock) -> None:
    paper = Paper()
    run = Run(planned(9, range(9)), paper, clock)
    for position in range(5):
        run.started(position)
        clock.now += 60

    run.tick()

    assert paper.said == "0 of 9 steps done, 5 running: s0 5 min, s1 4 min, s2 3 min, ..."


def test_a_step_that_runs_again_counts_once(clock: Clock) -> None:
    paper = Paper()
    run = Run(planned(3, [1, 2]), paper, clock)
    run.started(1)
    run.ended(1, DONE, 1.0)

    run.started(2)
    run.put_back(2)  # an upstream is damaged: it waits again
    run.put_back(0)  # was cached
    run.put_back(0)  # and waits for a damaged upstream of its own
    run.put_back(1)  # was done
    run.tick()
    assert paper.said == "0 of 3 steps done, 3 s left"

    for position in (0, 1, 2):
        run.started(position)
        run.ended(position, DONE, 1.0)
    run.tick()
    assert paper.said == "3 of 3 steps done"


def test_a_short_run_does_not_even_ask_for_what_is_planned(clock: Clock) -> None:
    asked = []
    line = ProgressLine(lambda: asked.append(1) or planned(2, range(2)), Paper(), clock)  # type: ignore[func-returns-value]
    for clock.now in (0.0, 0.2, 0.4):
        line.ended(0, DONE, 0.1)
        line.tick({})
    assert not asked

    clock.now = 0.6
    line.tick({})
    assert asked


def test_nothing_is_foretold_while_nothing_is_known() -> None:
    assert Estimate(["f"] * 3, [None] * 3, range(3), 1).seconds_left({}) is None


def test_a_function_that_never_ran_is_judged_by_its_own_steps_first() -> None:
    estimate = Estimate(["f", "f", "g", "g", "g"], [None] * 5, range(5), 1)
    estimate.ended(0, 10.0)
    assert estimate.seconds_left({}) == 40.0
    estimate.ended(2, 1.0)
    assert estimate.seconds_left({}) == 12.0


def test_a_step_that_is_new_takes_as_long_as_others_of_its_function_did() -> None:
    estimate = Estimate(["f", "f", "g", "g"], [10.0, None, 1.0, None], [1, 3], 1)
    assert estimate.seconds_left({}) == 11.0
    estimate.ended(1, 20.0)
    assert estimate.seconds_left({}) == 1.0


def test_recorded_durations_count_times_how_this_run_compares() -> None:
    estimate = Estimate(["f"] * 3, [10.0, 10.0, 20.0], range(3), 1)
    assert estimate.seconds_left({}) == 40.0
    estimate.ended(0, 5.0)
    assert estimate.seconds_left({}) == 15.0


def test_a_step_that_does_not_run_is_not_waited_for() -> None:
    estimate = Estimate(["f"] * 2, [10.0, 20.0], range(2), 1)
    estimate.ended(0, None)
    assert estimate.seconds_left({}) == 20.0


def test_ranks_share_the_work_but_no_step_is_shared() -> None:
    estimate = Estimate(["f"] * 5, [10.0, 10.0, 10.0, 10.0, 100.0], range(5), 4)
    assert estimate.seconds_left({}) == 35.0
    assert estimate.seconds_left({4: 1.0}) == 99.0


def test_a_step_over_its_time_never_makes_time_negative() -> None:
    estimate = Estimate(["f"], [10.0], range(1), 1)
    assert estimate.seconds_left({0: 500.0}) == 0.0


def test_durations_as_people_say_them() -> None:
    told = [duration(seconds) for seconds in (0, 59.4, 90, 3599.9, 86_399, 86_400)]
    assert told == ["0 s", "59 s", "2 min", "1 h", "1 d", "1 d"]


def test_a_batch_log_has_a_line_after_ten_seconds_and_fewer_later(clock: Clock) -> None:
    stream = io.StringIO()
    run = Run(planned(4, range(4), expected=100_000.0), PlainLines(stream, lambda: "12:00:00"), clock)

    times = []
    for clock.now in range(0, 86_400, 5):
        before = stream.tell()
        run.line.tick({})
        times += [clock.now] if stream.tell() > before else []

    assert times[:5] == [10, 20, 30, 40, 50]
    assert times[-1] - times[-2] == 1800
    assert 50 <= len(times) <= 90
    assert stream.getvalue().splitlines()[0] == "ezpyp 12:00:00, after 10 s: 0 of 4 steps done, 4 d 15 h left"


def test_a_short_run_in_a_batch_log_says_nothing(clock: Clock) -> None:
    stream = io.StringIO()
    run = Run(planned(4, range(4)), PlainLines(stream), clock)
    clock.now = 9.0
    run.tick()
    run.line.close()
    clock.now = 100.0
    run.tick()

    assert not stream.getvalue()


def test_a_plain_line_begins_a_line(clock: Clock) -> None:
    stream = io.StringIO()
    lines = PlainLines(stream, lambda: "")
    run = Run(planned(4, range(4)), lines, clock)
    with lines.suspended(b"%"):
        stream.write("\r 10%")
    clock.now = 10.0
    run.tick()
    clock.now = 30.0
    run.tick()

    assert stream.getvalue().splitlines() == ["", " 10%", *["ezpyp , after 10 s: 0 of 4 steps done"], mock.ANY]


def test_a_log_of_another_encoding_is_no_error(clock: Clock) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii")
    run = Run(Planned(["größe"], ["f"], [None], [0], 1), PlainLines(stream, lambda: ""), clock)
    run.started(0)
    clock.now = 61.0
    run.tick()

    assert raw.getvalue().endswith(b"1 running: gr??e 1 min\n")


class Terminal:
    """A pseudo-terminal, and a small reading of what stands on its last line."""

    def __init__(self) -> None:
        self.controller, self.descriptor = pty.openpty()
        self.stream = open(self.descriptor, "w", encoding="utf-8", closefd=False)  # noqa: SIM115 - closed below

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


def test_the_live_line_changes_in_its_place(terminal: Terminal, clock: Clock) -> None:
    run = Run(planned(2, range(2)), LiveLine(terminal.stream, lambda: 80), clock)
    run.tick()
    run.ended(0, DONE, 1.0)
    run.tick()

    assert screen_lines(terminal.shown()) == ["━━━━━━━━━━────────── 1 of 2 steps done, 1 s left"]
    run.line.close()
    run.tick()
    assert screen_lines("x" + terminal.shown()) == [""]


def test_a_short_run_shows_no_live_line(terminal: Terminal, clock: Clock) -> None:
    run = Run(planned(2, range(2)), LiveLine(terminal.stream), clock)
    clock.now = 0.3
    run.tick()
    run.line.close()

    assert not terminal.shown()


def test_the_live_line_is_drawn_ten_times_a_second_at_most(terminal: Terminal, clock: Clock) -> None:
    live = LiveLine(terminal.stream, lambda: 80)
    run = Run(planned(100, range(100)), live, clock)
    for step in range(100):
        clock.now = 1.0 + step / 100
        run.ended(step, DONE, 0.01)
        run.line.tick({})

    assert 8 <= terminal.shown().count("\x1b[2K") <= 11


def test_a_line_that_says_the_same_is_not_drawn_again(terminal: Terminal, clock: Clock) -> None:
    run = Run(planned(2, range(2)), LiveLine(terminal.stream, lambda: 80), clock)
    for _ in range(10):
        run.tick()

    assert terminal.shown().count("\x1b[2K") == 1


def test_other_lines_go_above_the_live_line(terminal: Terminal, clock: Clock) -> None:
    live = LiveLine(terminal.stream, lambda: 80, clock)
    run = Run(planned(2, range(2)), live, clock)
    for text in (b"[PASS] 'a'\n", b"two\nlines\n"):
        run.tick()
        with live.suspended(text[-1:]):
            os.write(terminal.descriptor, text)

    *above, last = screen_lines(terminal.shown())
    assert above == ["[PASS] 'a'", "two", "lines"]
    assert "0 of 2" in last


def test_the_live_line_waits_for_the_end_of_an_unfinished_line(terminal: Terminal, clock: Clock) -> None:
    live = LiveLine(terminal.stream, lambda: 80, clock)
    run = Run(planned(2, range(2)), live, clock)
    with live.suspended(b"."):
        os.write(terminal.descriptor, b"working .")
    run.tick()
    assert screen_lines(terminal.shown()) == ["working ."]

    with live.suspended(b"\n"):
        os.write(terminal.descriptor, b".\n")
    assert "0 of 2" in screen_lines(terminal.shown())[-1]


@pytest.mark.parametrize("width", [1, 2, 10, 30, 200])
def test_the_live_line_fits_the_terminal(terminal: Terminal, clock: Clock, width: int) -> None:
    plan = Planned(["漢字[x=1]" * 20] * 3, ["f"] * 3, [5.0] * 3, range(3), 1)
    run = Run(plan, LiveLine(terminal.stream, lambda: width), clock)
    run.started(0)
    run.tick()

    from rich.cells import cell_len

    assert cell_len(screen_lines(terminal.shown())[-1]) < max(2, width)


def test_a_terminal_that_is_gone_is_no_error(clock: Clock) -> None:
    terminal = Terminal()
    run = Run(planned(2, range(2)), LiveLine(terminal.stream), clock)
    os.close(terminal.controller)
    run.tick()
    run.line.close()
    os.close(terminal.descriptor)
    run.tick()


def test_a_terminal_of_unknown_width_is_one_of_eighty_columns(terminal: Terminal, clock: Clock) -> None:
    assert os.get_terminal_size(terminal.descriptor).columns == 0
    run = Run(planned(2, range(2), expected=1.0), LiveLine(terminal.stream), clock)
    run.tick()

    assert screen_lines(terminal.shown())[-1].endswith("0 of 2 steps done, 2 s left")


def test_a_terminal_that_is_halted_halts_nothing(terminal: Terminal, clock: Clock) -> None:
    run = Run(planned(2, range(2)), LiveLine(terminal.stream, lambda: 80), clock)
    termios.tcflow(terminal.descriptor, termios.TCOOFF)  # as Ctrl-S
    run.tick()
    termios.tcflow(terminal.descriptor, termios.TCOON)
    assert not terminal.shown()

    run.tick()
    assert "0 of 2" in terminal.shown()


def test_the_setting_beats_the_script() -> None:
    assert not is_wanted(True, {"EZPYP_PROGRESS": "0"})
    assert is_wanted(False, {"EZPYP_PROGRESS": "1"})
    assert not is_wanted(False, {"EZPYP_PROGRESS": ""})


def test_the_screen_fits_the_stream(terminal: Terminal) -> None:
    xterm, dumb = {"TERM": "xterm"}, {"TERM": "dumb"}

    assert isinstance(screen_for(terminal.stream, terminal.stream, xterm, alone=True), LiveLine)
    assert isinstance(screen_for(terminal.stream, terminal.stream, xterm, alone=False), PlainLines)
    assert isinstance(screen_for(terminal.stream, terminal.stream, dumb, alone=True), PlainLines)
    assert isinstance(screen_for(terminal.stream, io.StringIO(), xterm, alone=True), PlainLines)
    assert screen_for(terminal.stream, None, xterm, alone=True) is None


def test_output_through_another_program_into_the_same_terminal_gets_plain_lines(terminal: Terminal) -> None:
    read, write = os.pipe()
    with open(write, "w") as piped, open(os.devnull, "w") as nowhere:
        assert isinstance(screen_for(piped, terminal.stream, {"TERM": "xterm"}, alone=True), PlainLines)
        assert isinstance(screen_for(nowhere, terminal.stream, {"TERM": "xterm"}, alone=True), LiveLine)
    os.close(read)


def test_rich_is_loaded_by_a_live_line_that_is_drawn_alone() -> None:
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
