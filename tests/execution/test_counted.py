"""The counts in a large run's row are those of its rows, at each commit."""

import json
from pathlib import Path

import pytest

from ezpyp import Pipeline, as_step
from ezpyp.execution import recorder as _counted
from ezpyp.execution.recorder import Recorder
from ezpyp.inspect.verbs.overview import COUNTS


@pytest.fixture
def commits(monkeypatch):
    """Compares what the run's row says with the rows, after each commit."""
    monkeypatch.setattr(_counted, "LEAST", 1)
    seen = []
    commit = Recorder._commit

    def watched(self):
        had_rows = self.has_waiting
        commit(self)
        if had_rows:
            connection = self._index.connection
            text, revision = connection.execute(
                "SELECT phases, revision FROM runs WHERE run = ?", [self._run]
            ).fetchone()
            said = {(int(phase), int(status)): n for phase, of in json.loads(text).items() for status, n in of.items()}
            rows = connection.execute(COUNTS, {"run": self._run, "revision": revision}).fetchall()
            assert said == {(phase, status): number for phase, status, number in rows}
            seen.append(said)

    monkeypatch.setattr(Recorder, "_commit", watched)
    return seen


def study(location, broken, more=0):
    pipeline = Pipeline(location, "study")
    told = str(location.parent / "broken.json")  # read in the body: what is broken is no part of a step's identity
    Path(told).write_text(json.dumps(broken))

    @as_step(pipeline)
    def first(x):
        if x in json.loads(Path(told).read_text()):
            raise ValueError(x)
        return x

    @as_step(pipeline)
    def second(x):
        return x

    for x in range(6 + more):
        second(first(x))
    return pipeline.execute(output="none")


def test_failed_skipped_and_cached_steps_are_counted_as_their_rows_say(tmp_path, commits):
    location = tmp_path / "cache"
    assert len(study(location, [2, 4]).failed) == 2
    assert commits[-1] == {(0, 0): 4, (0, 1): 2, (1, 0): 4, (1, 2): 2}

    commits.clear()
    assert study(location, [], more=3).ok
    # What failed and was skipped counts as that until it has run again.
    assert commits[0].keys() >= {(1, 2)} or len(commits) == 1
    assert commits[-1] == {(0, 0): 9, (1, 0): 9}


def test_a_small_run_writes_none_while_it_goes_on(tmp_path, monkeypatch):
    written = []
    monkeypatch.setattr("ezpyp.execution.recorder.record_counts", lambda *_: written.append(1))
    study(tmp_path / "cache", [])
    assert not written
