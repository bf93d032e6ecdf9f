"""Rows and lines of a run: a line is printed after the commit that holds its row, or never."""

import io
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from pathlib import Path

import pytest

from ezpyp import Pipeline
from ezpyp.errors import CacheBusyError, StoreError
from ezpyp.execution import recorder as _recorder
from ezpyp.execution.capture.capture import Capture
from ezpyp.execution.messages import DONE, FAILED, SKIPPED, Failure, Outcome
from ezpyp.execution.output import Console
from ezpyp.execution.progress import CACHED
from ezpyp.execution.recorder import Recorder
from ezpyp.store.index import Index
from ezpyp.store.rows import NewResult
from tests.graph.programs import Study

RESULT = NewResult(b"k" * 16, None, None, b"d" * 16, 4, "pickle", 1, ".step", "9", "int", b"nine")


class Page:
    """A console that notes, with each text, the rows that another process sees at that moment."""

    def __init__(self, location: Path) -> None:
        self.location = location
        self.texts: list[str] = []
        self.rows: list[list[tuple[int, int]]] = []

    def write(self, text: str) -> None:
        self.texts.append(text)
        self.rows.append(rows(self.location))

    @property
    def text(self) -> str:
        return "".join(self.texts)


def rows(location: Path) -> list[tuple[int, int]]:
    """Step and status of each committed row."""
    with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection:
        return connection.execute("SELECT step, status FROM step_rows ORDER BY step").fetchall()


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    index = Index(tmp_path / "cache")
    with index.held():
        yield index
    index.close()


@pytest.fixture
def page(index: Index) -> Page:
    return Page(index.location)


@pytest.fixture
def recorder(index: Index, page: Page) -> Recorder:
    study = Study()
    study.function("alpha").map([1, 2, 3])
    return Recorder(index, study.freeze(), 1, [11, 12, 13], page)  # type: ignore[arg-type]  # it writes


def outcome(position: int, failure: Failure | None = None) -> Outcome:
    return Outcome(position, 1.0, 0.5, 0, "host", None if failure else RESULT, failure, None, None, None)


def done(recorder: Recorder, position: int) -> int:
    recorder.started(position, 0, "host")
    return recorder.done(outcome(position), RESULT)


def test_line_is_printed_after_the_commit_that_holds_its_row(recorder, page):
    done(recorder, 0)
    assert page.texts == []
    recorder.flush()
    assert "[PASS] 'alpha[x=1]'" in page.text
    assert page.rows == [[(11, 0)]]


def test_rows_wait_and_go_out_together(recorder, page):
    for position in range(3):
        done(recorder, position)
        recorder.flush_if_due()
    recorder.flush()
    assert len(page.texts) == 1
    assert page.text.count("[PASS]") == 3


def test_row_that_has_waited_long_enough_is_committed(recorder, page, monkeypatch):
    done(recorder, 0)
    monkeypatch.setattr(_recorder, "GROUP_S", 0.0)
    recorder.flush_if_due()
    assert page.rows == [[(11, 0)]]
    assert not recorder.has_waiting


def test_nothing_is_printed_of_what_could_not_be_committed(recorder, page, index):
    done(recorder, 0)
    index.connection.execute("UPDATE holder SET epoch = epoch + 1")
    for _ in range(2):
        with pytest.raises(CacheBusyError, match="took over"):
            recorder.flush()
    assert page.texts == []
    assert rows(index.location) == []


def test_result_rows_and_step_rows_are_of_one_commit(recorder, page, index):
    done(recorder, 0)
    recorder.failed(outcome(1, Failure("ValueError", "no", None, None, "")), "command")
    index.connection.execute("DROP TABLE errors")
    with pytest.raises(StoreError, match="no such table: errors"):
        recorder.flush()
    assert rows(index.location) == []
    assert index.connection.execute("SELECT count(*) FROM results").fetchone() == (0,)
    assert page.texts == []


def test_result_ids_go_on_from_those_of_earlier_runs(recorder, index):
    assert [done(recorder, 0), done(recorder, 1)] == [1, 2]
    recorder.flush()
    later = Recorder(index, recorder._program, 2, [11, 12, 13], None)
    assert done(later, 0) == 3


def test_failure_is_told_in_one_line_with_the_place_and_the_command(recorder, page, index):
    failure = Failure("ValueError", "first\nsecond", "script.py", 12, "Traceback ...")
    recorder.failed(outcome(1, failure), "python -m ezpyp.inspect cache show alpha")
    recorder.flush()
    assert "[FAIL] 'alpha[x=2]' ValueError: first (script.py:12)\n" in page.text
    assert "traceback: python -m ezpyp.inspect cache show alpha" in page.text
    assert "second" not in page.text
    assert page.rows == [[(12, 1)]]
    stored = index.connection.execute("SELECT step, type, message, file, line, traceback FROM errors").fetchone()
    assert stored == (12, "ValueError", "first\nsecond", "script.py", 12, "Traceback ...")


def test_skip_names_what_it_needs(recorder, page, index):
    recorder.skipped(2, "alpha[x=2]", ("[9]", "{}"))
    recorder.flush()
    assert "[SKIP] 'alpha[x=3]' (needs 'alpha[x=2]')" in page.text
    row = index.connection.execute("SELECT status, args, reason, seconds FROM step_rows").fetchone()
    assert row == (2, "[9]", "needs alpha[x=2]", None)
    assert index.connection.execute("SELECT blame FROM errors").fetchone() == ("alpha[x=2]",)


def test_cached_step_gets_a_row_but_a_line_only_where_that_is_news(recorder, page, index):
    recorder.cached(0, 7, (None, None), None)
    recorder.adopted(1, RESULT, (None, None), "upstream values are the same")
    recorder.flush()
    assert page.text.count("[CACHED]") == 1
    assert "[CACHED] 'alpha[x=2]' (upstream values are the same)" in page.text
    stored = index.connection.execute("SELECT step, cached, result FROM step_rows ORDER BY step").fetchall()
    assert stored == [(11, 1, 7), (12, 1, 1)]


def test_short_step_has_no_running_row(recorder, page):
    recorder.started(0, 0, "host")
    recorder.tick()
    assert not recorder.has_waiting
    assert page.texts == []


def test_long_step_is_announced_once_with_its_row(recorder, page, monkeypatch):
    monkeypatch.setattr(_recorder, "LONG_S", 0.0)
    recorder.started(0, 3, "host")
    for _ in range(3):
        recorder.tick()
    recorder.flush()
    assert page.text.count("[MPI process 03] [Running component of phase 00] [Executing Pickle Step Object") == 1
    assert page.rows == [[(11, -2)]]
    recorder.done(outcome(0), RESULT)
    recorder.flush()
    assert page.text.count("Executing") == 1
    assert page.rows[-1] == [(11, 0)]
    recorder.tick()
    assert not recorder.has_waiting


def test_without_a_console_rows_are_written_all_the_same(index, recorder):
    silent = Recorder(index, recorder._program, 1, [11, 12, 13], None)
    silent.say("nobody reads this")
    done(silent, 0)
    silent.failed(outcome(1, Failure("ValueError", "no", None, None, "")), "command")
    silent.skipped(2, "alpha[x=2]", (None, None))
    silent.flush()
    assert rows(index.location) == [(11, 0), (12, 1), (13, 2)]


class Line:
    """In the place of what says how far a run is: notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[object, ...]] = []
        self.screen = self

    def ended(self, *what: object) -> None:
        self.told.append(what)

    def put_back(self, position: int) -> None:
        self.told.append((position, "back"))

    def tick(self, running: dict[int, tuple[float, int, str]]) -> None:
        self.told.append(tuple(running))

    def suspended(self, last: bytes) -> AbstractContextManager[None]:
        return nullcontext()

    def close(self) -> None:
        self.told.append(("closed",))


def test_who_follows_a_run_is_told_of_every_end(index, recorder):
    line = Line()
    following = Recorder(index, recorder._program, 1, [11, 12, 13], None, follow=lambda _: line)
    following.cached(0, 7, (None, None), None)  # found before the run: it is planned so
    with following.beside(Capture("off")):
        following.started(0, 0, "host")
        following.tick()
        following.done(outcome(0), RESULT)
        following.failed(outcome(1, Failure("ValueError", "no", None, None, "")), "command")
        following.put_back(1)
        following.skipped(2, "alpha[x=2]", (None, None))
        following.adopted(1, RESULT, (None, None), "reason")
    following.put_back(1)

    assert line.told == [
        (0,), (0, DONE, 0.5), (1, FAILED, 0.5), (1, "back"), (2, SKIPPED, None), (1, CACHED, None), ("closed",),
    ]  # fmt: skip


class Stream(io.StringIO):
    """A stream that raises; it counts how often it was asked."""

    def __init__(self, error: BaseException) -> None:
        super().__init__()
        self.error, self.asked = error, 0

    def write(self, text: str) -> int:
        self.asked += 1
        raise self.error


def test_console_replaces_what_the_stream_cannot_show(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    console = Console()
    console.write("  ╰─> [PASS] 'alpha'\n")
    console.write("plain\n")
    assert raw.getvalue() == b"  ??> [PASS] 'alpha'\nplain\n"


def test_console_flushes_every_text(monkeypatch):
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw), encoding="utf-8"))
    Console().write("╰─>\n")
    assert raw.getvalue().decode() == "╰─>\n"


def test_console_without_a_stream_writes_nothing(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    Console().write("nobody reads this\n")


def test_console_of_a_closed_stream_writes_nothing(monkeypatch):
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stdout", stream)
    console = Console()
    stream.close()
    console.write("nobody reads this\n")
    console.write("nor this\n")


def test_console_gives_up_a_broken_pipe_at_once(monkeypatch):
    stream = Stream(BrokenPipeError())
    monkeypatch.setattr(sys, "stdout", stream)
    console = Console()
    console.write("one\n")
    console.write("two\n")
    assert stream.asked == 1


def test_console_keeps_the_stream_of_the_moment_it_was_made(monkeypatch):
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", first)
    console = Console()
    monkeypatch.setattr(sys, "stdout", second)
    console.write("line\n")
    assert (first.getvalue(), second.getvalue()) == ("line\n", "")


def test_serial_run_commits_what_is_done_before_a_body_that_may_be_long(tmp_path, monkeypatch):
    monkeypatch.setattr(_recorder, "GROUP_S", 600.0)
    monkeypatch.setattr("ezpyp.execution.run.GROUP_S", 600.0)  # nor does the ticker come to its help

    def committed(upstream, location):
        with closing(sqlite3.connect(f"{location}/ezpyp.sqlite")) as connection:
            return connection.execute("SELECT count(*) FROM step_rows").fetchone()[0]

    pipeline = Pipeline(tmp_path / "cache", "study")
    first = pipeline.step(abs)(-3)
    second = pipeline.step(committed)(first, str(tmp_path / "cache"))
    pipeline.execute(output="none")
    assert second.get_result() == 1


def test_a_run_in_which_nothing_ends_says_that_it_lives(recorder, index, monkeypatch):
    recorder.started(0, 0, "host")
    later = time.time() + 100
    monkeypatch.setattr("ezpyp.store.lock.time.time", lambda: later)
    recorder.tick()
    assert index.connection.execute("SELECT heartbeat FROM holder").fetchone() == (later,)
