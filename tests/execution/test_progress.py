"""How far steps have come: what is opened again, and who has to hear of it."""

import sqlite3

import pytest

from ezpyp.execution.messages import DONE, PENDING
from ezpyp.execution.scheduler import Scheduler
from ezpyp.execution.state import Progress, Results
from ezpyp.store.rows import KnownResult
from tests.graph.programs import Study


@pytest.fixture
def progress() -> Progress:
    """A chain of two steps: the first is known, the second was handed out."""
    study = Study()
    study.function("down")(study.function("up")(1))
    program = study.freeze()
    found = [KnownResult(7, program.keys[0], None, b"v" * 16, b"d" * 16, 4, ".pickle"), None]
    results = Results(program, found, sqlite3.connect(":memory:"), "cache")
    heard: list[int] = []
    progress = Progress(program, results, found, heard.append)
    progress.heard = heard  # type: ignore[attr-defined]  # for the tests alone
    progress.scheduler = Scheduler(program.values, progress.pending, [0, 1])
    assert progress.scheduler.take() == 1
    progress.inputs[1] = b"i" * 16
    return progress


def test_step_opened_again_has_no_result_and_everybody_hears_of_it(progress):
    progress.reopen(0)
    assert (progress.status[0], progress.is_cached[0], progress.results[0]) == (PENDING, False, None)
    assert set(progress.renewed()) == {0}
    assert set(progress.renewed()) == set()
    assert progress.heard == [0]


def test_step_put_back_waits_for_what_was_opened_again(progress):
    assert progress.is_running(1)
    progress.reopen(0)
    progress.put_back(1)
    assert not progress.is_running(1)
    assert progress.scheduler.take() == 0
    assert progress.scheduler.take() is None
    progress.status[0] = DONE
    progress.scheduler.finish(0)
    assert progress.scheduler.take() == 1
