"""What is measured: one file a tool."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

SUBJECTS = {
    "ezpyp": "_ezpyp:Ezpyp",
    "ezpyp-read": "_ezpyp:EzpypRead",
    "sqlite3": "_sqlite:CommitEach",
    "sqlite3-100": "_sqlite:CommitHundreds",
    "joblib": "_joblib:Joblib",
    "diskcache": "_diskcache:Diskcache",
}
"""Name -> module and class; imported by the worker alone, so that no tool pays for another's imports."""


class Subject(Protocol):
    """A tool that keeps the results of functions in a folder, made by ``Subject(location)``."""

    def cached(self, function: Callable[[Any], object]) -> Callable[[Any], object]:
        """The function with its results kept."""

    def finish(self, last: object) -> int:
        """Everything is stored when this returns; it returns the value of the last call."""


def load(name: str) -> Callable[[Path], Subject]:
    """The class that puts steps through the tool of that name."""
    module, subject = SUBJECTS[name].split(":")
    return getattr(import_module(f"{__name__}.{module}"), subject)  # type: ignore[no-any-return]  # by name
