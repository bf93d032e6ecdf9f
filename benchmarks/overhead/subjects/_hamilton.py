"""hamilton: one node a step, by its parameterize decorator, and its cache on disk."""

import os
from collections.abc import Callable
from pathlib import Path
from types import FunctionType
from typing import Any

os.environ["HAMILTON_TELEMETRY_ENABLED"] = "false"  # it would wait for a server

from hamilton import ad_hoc_utils, driver
from hamilton.function_modifiers import group, parameterize, source, value


class Hamilton:
    """One pickle file a node and a row in SQLite."""

    def __init__(self, location: Path) -> None:
        self.location = location
        self.nodes: dict[Callable[..., Any], dict[str, Any]] = {}

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """A call makes a node, and gives its name."""
        nodes = self.nodes.setdefault(function, {})
        parameter = function.__code__.co_varnames[0]

        def call(argument: Any) -> str:
            name = f"{function.__name__}_{len(nodes)}"
            nodes[name] = {parameter: _dependency(argument)}
            return name

        return call

    def finish(self, calls: list[Any]) -> list[Any]:
        """Build the driver and ask for every node."""
        functions = [parameterize(**nodes)(_copy(function)) for function, nodes in self.nodes.items()]
        module = ad_hoc_utils.create_temporary_module(*functions, module_name=f"steps_of_{self.location.parent.name}")
        built = driver.Builder().with_modules(module).with_cache(path=self.location).build()
        found = built.execute(calls)
        return [found[name] for name in calls]


def _dependency(argument: Any) -> Any:
    if isinstance(argument, list):
        return group(*(source(name) for name in argument))
    return source(argument) if isinstance(argument, str) else value(argument)


def _copy(function: Any) -> Callable[..., Any]:
    """A function of its own: a second parameterize of one function is an error."""
    copied = FunctionType(function.__code__, function.__globals__)
    copied.__annotations__, copied.__module__ = function.__annotations__, function.__module__
    return copied
