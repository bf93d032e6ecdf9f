"""How deep a step's body stands below the script that calls ``execute()``."""

import inspect

from ezpyp import Pipeline


def test_at_most_seven_frames_between_execute_and_a_body(tmp_path):
    pipeline = Pipeline(tmp_path / "cache", "study")
    step = pipeline.step(lambda: len(inspect.stack()), name="depth")()
    pipeline.execute(output="none")
    assert step.get_result() - 1 - len(inspect.stack()) <= 7
