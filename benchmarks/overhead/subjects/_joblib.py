"""joblib.Memory with its defaults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from joblib import Memory

from benchmarks.overhead.subjects import Eager


class Joblib(Eager):
    """One folder and two files a step."""

    def __init__(self, location: Path) -> None:
        self.memory = Memory(location, verbose=0, mmap_mode="r")

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with its results under a digest of its arguments."""
        return self.memory.cache(function)  # type: ignore[no-any-return]  # joblib has no types
