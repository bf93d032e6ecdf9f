"""ezpyp with its defaults: every row, every line of output, both exports."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import ezpyp


class Run:
    """Declare, freeze, execute, and load the last result alone."""

    def __init__(self, location: Path) -> None:
        self.pipeline = ezpyp.Pipeline(location, "overhead")

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as a step."""
        return self.pipeline.step(function)

    def uncached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as a step that runs each time."""
        return self.pipeline.step(function, cache=False)

    def finish(self, calls: list[Any]) -> list[Any]:
        """Run what was declared."""
        self.pipeline.execute()
        return [calls[-1].get_result()]


class ReadEach(Run):
    """The same, and load every value one by one."""

    def finish(self, calls: list[Any]) -> list[Any]:
        """Run what was declared and load all of it."""
        self.pipeline.execute()
        return [step.get_result() for step in calls]


class ReadAll(Run):
    """The same, and load every value by one call."""

    def finish(self, calls: list[Any]) -> list[Any]:
        """Run what was declared and load all of it."""
        self.pipeline.execute()
        return self.pipeline.get_results(calls)
