"""The floor for arrays: np.save, and np.load of the file's pages that are wanted."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.overhead.subjects import Eager


class Save(Eager):
    """One file a function; the step that takes the array is not kept."""

    def __init__(self, location: Path) -> None:
        location.mkdir(exist_ok=True)
        self.location = location

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with its array in a file."""

        def lookup(*arguments: Any) -> Any:
            file = self.location / f"{function.__name__}.npy"
            if not file.exists():
                np.save(file, function(*arguments))
            return np.load(file, mmap_mode="r")

        return lookup
