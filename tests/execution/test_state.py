"""How far steps have come: what is opened again, and who has to hear of it."""

import sqlite3

import pytest

from ezpyp.execution.messages import DONE, PENDING
from ezpyp.execution.scheduler import Scheduler
from ezpyp.execution.state import RunStart, StepStates
from ezpyp.store.rows import KnownResult
from tests.graph.programs import Study


@pytest.fixture
def states() -> StepStates:
    """A chain of two steps: the first is known, the second was assigned."""
    study = Study()
    study.function("down")(study.function("up")(1))
    program = study.freeze()
    found = [KnownResult(7, program.keys[0], None, b"v" * 16, b"d" * 16, 4, ".pickle"), None]
    heard: list[int] = []
    states = StepStates(
        RunStart(program, {}, found, None, "cache", {}, {}, {}), sqlite3.connect(":memory:"), heard.append
    )
    states.heard = heard  # type: ignore[attr-defined]  # for the tests alone
    states.scheduler = Scheduler(program.values, states.pending, [0, 1])
    assert states.scheduler.take() == 1
    states.inputs[1] = b"i" * 16
    return states


def test_step_opened_again_has_no_result_and_everybody_hears_of_it(states):
    states.reopen(0)
    assert (states.status[0], states.is_cached[0], states.results[0]) == (PENDING, False, None)
    assert set(states.renewed()) == {0}
    assert set(states.renewed()) == set()
    assert states.heard == [0]


def test_step_put_back_waits_for_what_was_opened_again(states):
    assert states.is_running(1)
    states.reopen(0)
    states.put_back(1)
    assert not states.is_running(1)
    assert states.scheduler.take() == 0
    assert states.scheduler.take() is None
    states.status[0] = DONE
    states.scheduler.finish(0)
    assert states.scheduler.take() == 1
