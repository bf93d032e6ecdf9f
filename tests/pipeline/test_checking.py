"""What changed between freezing and running."""

import pytest

from ezpyp import Pipeline
from ezpyp.errors import ArgumentMutatedError, StateChangedError

RATE = 0.1


def alpha(x, *, options=None):
    return RATE


@pytest.fixture
def pipeline(tmp_path):
    return Pipeline(tmp_path / "cache", "study")


@pytest.mark.parametrize("mutable", [[1], {"a": [1]}, [{1}]])
def test_argument_changed_after_the_call_is_refused(pipeline, mutable):
    pipeline.step(alpha)(3, options=mutable)
    mutable.clear()
    with pytest.raises(ArgumentMutatedError, match=r"argument \w+ of 'alpha' .*was changed in place"):
        pipeline.initialize_schema()


def test_argument_changed_between_two_calls_is_refused(pipeline):
    mutable, step = [1], pipeline.step(alpha)
    step(mutable)
    mutable.append(2)
    step(mutable)

    with pytest.raises(ArgumentMutatedError, match="changed in place after the step was declared"):
        pipeline.initialize_schema()


def test_argument_changed_after_freezing_is_refused(pipeline):
    mutable = [1]
    pipeline.step(alpha)(mutable)
    pipeline.initialize_schema()
    mutable.append(2)
    with pytest.raises(ArgumentMutatedError, match=r"argument \w+ of 'alpha' .*was changed in place"):
        pipeline.execute(output="none")


def test_list_that_holds_a_step_may_be_changed_because_the_step_has_a_copy(pipeline):
    step = pipeline.step(alpha)(3)
    parts = [step]
    user = pipeline.step(len)(parts)
    parts.append(4)
    pipeline.execute(output="none")
    assert user.get_result() == 1


def test_global_changed_after_freezing_is_named(pipeline, monkeypatch):
    pipeline.step(alpha)(3)
    pipeline.initialize_schema()
    monkeypatch.setitem(globals(), "RATE", 0.2)
    with pytest.raises(StateChangedError, match=r"'alpha' changed after the schema was frozen: .*RATE.*0\.1 -> 0\.2"):
        pipeline.execute(output="none")


def test_global_changed_before_freezing_counts_as_it_is_then(pipeline, monkeypatch):
    step = pipeline.step(alpha)(3)
    monkeypatch.setitem(globals(), "RATE", 0.2)
    pipeline.execute(output="none")
    assert step.get_result() == 0.2
