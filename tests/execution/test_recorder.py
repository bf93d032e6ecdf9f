"""Rows and lines of a run: a line is printed after the commit that holds its row, or never."""

import io
import sqlite3
import sys
import time
from contextlib import closing, nullcontext

import pytest

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
NO = Failure("ValueError", "no", None, None, "")
NOBODY = (None, None)


class Page:
    """A console that notes, with each text, the rows that another process sees at that moment."""

    def __init__(self, location):
        self.location = location
        self.texts = []
        self.rows = []

    def write(self, text):
        self.texts.append(text)
        self.rows.append(rows(self.location))

    @property
    def text(self):
        return "".join(self.texts)


def rows(location):
    """Step and status of each committed row."""
    with closing(sqlite3.connect(location / "ezpyp.sqlite")) as connection:
        return connection.execute("SELECT step, status FROM step_rows ORDER BY step").fetchall()


@pytest.fixture
def index(tmp_path):
    index = Index(tmp_path / "cache")
    with index.held():
        yield index
    index.close()


@pytest.fixture
def page(index):
    return Page(index.location)


@pytest.fixture
def recorder(index, page):
    return recorder_of(index, page)


def recorder_of(index, page=None, **options):
    """The recorder of three steps."""
    study = Study()
    study.function("alpha").map([1, 2, 3])
    return Recorder(index, study.freeze(), 1, [11, 12, 13], page, **options)


def outcome(position, failure=None):
    return Outcome(position, 1.0, 0.5, 0, "host", None if failure else RESULT, failure, None, None, None)


def done(recorder, position):
    recorder.started(position, 0, "host")
    return recorder.done(outcome(position), RESULT)


def test_lines_wait_for_the_commit_that_holds_their_rows_and_go_out_together(recorder, page):
    for position in range(3):
        done(recorder, position)
        recorder.flush_if_due()
    assert page.texts == []
    recorder.flush()
    assert len(page.texts) == 1
    assert page.text.count("[PASS]") == 3
    assert page.rows == [[(11, 0), (12, 0), (13, 0)]]


def test_row_that_has_waited_long_enough_is_committed(recorder, page, monkeypatch):
    done(recorder, 0)
    monkeypatch.setattr(_recorder, "GROUP_S", 0.0)
    recorder.flush_if_due()
    assert page.rows == [[(11, 0)]]
    assert not recorder.has_waiting


@pytest.mark.parametrize(
    ("statement", "error", "match"),
    [
        ("UPDATE holder SET epoch = epoch + 1", CacheBusyError, "took over"),
        ("DROP TABLE errors", StoreError, "no such table: errors"),
    ],
)
def test_rows_are_of_one_commit_and_nothing_is_printed_of_what_could_not_be_committed(
    recorder, page, index, statement, error, match
):
    done(recorder, 0)
    recorder.failed(outcome(1, NO), "command")
    index.connection.execute(statement)
    for _ in range(2):
        with pytest.raises(error, match=match):
            recorder.flush()
    assert page.texts == []
    assert rows(index.location) == []
    assert index.connection.execute("SELECT count(*) FROM results").fetchone() == (0,)


def test_result_ids_go_on_from_those_of_earlier_runs(recorder, index):
    assert [done(recorder, 0), done(recorder, 1)] == [1, 2]
    recorder.flush()
    assert done(recorder_of(index), 0) == 3


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
    recorder.cached(0, 7, NOBODY, None)
    recorder.adopted(1, RESULT, NOBODY, "upstream values are the same")
    recorder.flush()
    assert page.text.count("[CACHED]") == 1
    assert "[CACHED] 'alpha[x=2]' (upstream values are the same)" in page.text
    stored = index.connection.execute("SELECT step, cached, result FROM step_rows ORDER BY step").fetchall()
    assert stored == [(11, 1, 7), (12, 1, 1)]


def test_long_step_is_announced_once_with_its_row_and_a_short_one_has_none(recorder, page, monkeypatch):
    recorder.started(0, 3, "host")
    recorder.tick()
    assert not recorder.has_waiting
    monkeypatch.setattr(_recorder, "LONG_S", 0.0)
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


class Line:
    """In the place of what says how far a run is: notes what it is told."""

    def __init__(self):
        self.told = []
        self.screen = self
        self.ended = lambda *what: self.told.append(what)
        self.put_back = lambda position: self.told.append((position, "back"))
        self.tick = lambda running: self.told.append(tuple(running))
        self.suspended = lambda last: nullcontext()
        self.close = lambda: self.told.append(("closed",))


def test_without_a_console_rows_are_written_and_who_follows_the_run_is_told_of_every_end(index):
    line = Line()
    recorder = recorder_of(index, follow=lambda _: line)
    recorder.cached(0, 7, NOBODY, None)  # found before the run: it is planned so
    with recorder.beside(Capture("off")):
        recorder.say("nobody reads this")
        recorder.started(0, 0, "host")
        recorder.tick()
        recorder.done(outcome(0), RESULT)
        recorder.failed(outcome(1, NO), "command")
        recorder.put_back(1)
        recorder.skipped(2, "alpha[x=2]", NOBODY)
        recorder.adopted(1, RESULT, NOBODY, "reason")
    recorder.put_back(1)
    recorder.flush()

    assert line.told == [
        (0,), (0, DONE, 0.5), (1, FAILED, 0.5), (1, "back"), (2, SKIPPED, None), (1, CACHED, None), ("closed",),
    ]  # fmt: skip
    assert {(11, 0), (12, 0), (13, 2)} <= set(rows(index.location))


class Broken(io.StringIO):
    """A pipe whose reader has gone; it counts how often it was asked."""

    asked = 0

    def write(self, text):
        self.asked += 1
        raise BrokenPipeError


def test_console_flushes_every_text_and_replaces_what_the_stream_cannot_show(monkeypatch):
    for encoding, shown in (("ascii", "??>"), ("utf-8", "╰─>")):
        raw = io.BytesIO()
        monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BufferedWriter(raw), encoding=encoding))
        console = Console()
        console.write("╰─>\n")
        console.write("plain\n")
        assert raw.getvalue().decode() == f"{shown}\nplain\n"


def test_console_of_a_stream_that_is_missing_closed_or_broken_writes_nothing(monkeypatch):
    closed, broken = io.StringIO(), Broken()
    closed.close()
    for stream in (None, closed, broken):
        monkeypatch.setattr(sys, "stdout", stream)
        console = Console()
        console.write("nobody reads this\n")
        console.write("nor this\n")
    assert broken.asked == 1


def test_console_keeps_the_stream_of_the_moment_it_was_made(monkeypatch):
    first, second = io.StringIO(), io.StringIO()
    monkeypatch.setattr(sys, "stdout", first)
    console = Console()
    monkeypatch.setattr(sys, "stdout", second)
    console.write("line\n")
    assert (first.getvalue(), second.getvalue()) == ("line\n", "")


def test_a_run_in_which_nothing_ends_says_that_it_lives(recorder, index, monkeypatch):
    recorder.started(0, 0, "host")
    later = time.time() + 100
    monkeypatch.setattr("ezpyp.store.lock.time.time", lambda: later)
    recorder.tick()
    assert index.connection.execute("SELECT heartbeat FROM holder").fetchone() == (later,)
