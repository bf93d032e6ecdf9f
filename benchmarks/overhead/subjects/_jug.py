"""jug with its file store, tasks run in this process as ``jug execute`` does."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jug
from jug.backends.file_store import file_store


class Jug:
    """One file a task, and a lock file while it runs."""

    def __init__(self, location: Path) -> None:
        jug.Task.store = file_store(str(location))
        self.tasks: list[Any] = []

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as a task."""

        def call(*arguments: Any) -> Any:
            self.tasks.append(jug.Task(function, *arguments))
            return self.tasks[-1]

        return call

    def uncached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as a task of this process alone."""
        return lambda *arguments: self.cached(_called_by)(os.getpid(), function, *arguments)

    def finish(self, calls: list[Any]) -> list[Any]:
        """Run what has no result, in the order of the calls."""
        for task in self.tasks:
            if not task.can_load() and task.lock():
                try:
                    task.run()
                finally:
                    task.unlock()
        return [jug.value(task) for task in calls]


def _called_by(_process: int, function: Callable[..., Any], *arguments: Any) -> Any:
    return function(*arguments)
