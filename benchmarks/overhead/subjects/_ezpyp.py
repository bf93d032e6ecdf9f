"""ezpyp with its defaults: every row, every line of output, both exports."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ezpyp


class Ezpyp:
    """Declare, freeze, execute, and load the last result."""

    def __init__(self, location: Path) -> None:
        self.pipeline = ezpyp.Pipeline(location, "overhead")

    def cached(self, function: Callable[[Any], object]) -> Callable[[Any], object]:
        """The function as a step."""
        return self.pipeline.step(function)

    def finish(self, last: Any) -> int:
        """Run what was declared."""
        self.pipeline.execute()
        return int(last.get_result())


class EzpypRead(Ezpyp):
    """The same, and then load every result, which the others do by the way in their warm runs."""

    def finish(self, last: Any) -> int:
        """Run what was declared and load all of it."""
        value = super().finish(last)
        for step in self.pipeline.steps:
            step.get_result()
        return value
