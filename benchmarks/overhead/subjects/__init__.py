"""What is measured: one file a tool, in its fastest sensible use."""

from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

STEPS = ("independent", "chain", "fan-in", "start-up")

SUBJECTS: dict[str, tuple[str, tuple[str, ...], str]] = {
    "sqlite3": ("_sqlite:CommitEach", STEPS, "sqlite3"),
    "numpy": ("_numpy:Save", ("array",), "numpy"),
    "ezpyp": ("_ezpyp:ReadEach", (*STEPS, "array"), "ezpyp"),
    "ezpyp-results": ("_ezpyp:ReadAll", STEPS, "ezpyp"),
    "ezpyp-run": ("_ezpyp:Run", STEPS, "ezpyp"),
    "pipefunc": ("_pipefunc:Cached", (*STEPS, "array"), "pipefunc"),
    "pipefunc-map": ("_pipefunc:Mapped", ("independent",), "pipefunc"),
    "diskcache": ("_diskcache:Diskcache", (*STEPS, "array"), "diskcache"),
    "joblib": ("_joblib:Joblib", (*STEPS, "array"), "joblib"),
    "jug": ("_jug:Jug", (*STEPS, "array"), "jug"),
    "hamilton": ("_hamilton:Hamilton", STEPS, "hamilton"),
    # A chain of 1,000 is more than redun's recursion bears.
    "redun": ("_redun:Redun", ("independent", "fan-in", "start-up"), "redun"),
}
"""Name -> module and class, the shapes it is made for, the package it needs. The worker alone imports the module."""


class Subject(Protocol):
    """A tool that keeps the results of functions in a folder, made by ``Subject(location)``."""

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with its results kept; a call gives the value or a promise of it."""

    def uncached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function so that it takes such promises and runs in each process."""

    def finish(self, calls: list[Any]) -> list[Any]:
        """The values of the calls; everything is stored when this returns."""


class Eager:
    """A tool whose calls give values at once, and whose results are stored by then."""

    def uncached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as it is."""
        return function

    def finish(self, calls: list[Any]) -> list[Any]:
        """The calls are the values."""
        return calls


def installed() -> list[str]:
    """The tools whose packages are here."""
    return [name for name, (_, _, package) in SUBJECTS.items() if find_spec(package)]


def load(name: str) -> Callable[[Path], Subject]:
    """The class that puts steps through the tool of that name."""
    module, subject = SUBJECTS[name][0].split(":")
    return getattr(import_module(f"{__name__}.{module}"), subject)  # type: ignore[no-any-return]  # by name
