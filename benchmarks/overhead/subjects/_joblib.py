"""joblib.Memory with its defaults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from joblib import Memory


class Joblib:
    """One folder and two files a step."""

    def __init__(self, location: Path) -> None:
        self.memory = Memory(location, verbose=0)

    def cached(self, function: Callable[[Any], object]) -> Callable[[Any], object]:
        """The function with its results under a digest of its arguments."""
        return self.memory.cache(function)  # type: ignore[no-any-return]  # joblib has no types

    def finish(self, last: Any) -> int:
        """Everything is stored already."""
        return int(last)
