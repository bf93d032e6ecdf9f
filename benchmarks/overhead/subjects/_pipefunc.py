"""pipefunc: its disk cache for calls, its run folder for a map."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipefunc import PipeFunc, Pipeline

from benchmarks.overhead.subjects import Eager


class Cached(Eager):
    """One pickle file a call."""

    def __init__(self, location: Path) -> None:
        self.options = {"cache_dir": str(location), "with_lru_cache": False}

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with its results under its arguments."""
        pipeline = Pipeline(
            [PipeFunc(function, function.__name__, cache=True)], cache_type="disk", cache_kwargs=self.options
        )
        name, parameters = function.__name__, function.__code__.co_varnames
        return lambda *arguments: pipeline(name, **dict(zip(parameters, arguments, strict=False)))


class Mapped:
    """One file a value of a map."""

    def __init__(self, location: Path) -> None:
        self.location = location

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The argument alone: the map runs at the end."""
        self.pipeline = Pipeline([PipeFunc(function, "y", mapspec="x[i] -> y[i]")])
        return lambda number: number

    def finish(self, calls: list[Any]) -> list[Any]:
        """Map over the arguments."""
        found = self.pipeline.map(
            {"x": calls}, run_folder=self.location, parallel=False, cleanup=False, show_progress=False
        )
        return list(found["y"].output)
