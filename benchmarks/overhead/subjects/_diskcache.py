"""diskcache.Cache.memoize with its defaults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from diskcache import Cache

from benchmarks.overhead.subjects import Eager


class Diskcache(Eager):
    """One SQLite commit a step."""

    def __init__(self, location: Path) -> None:
        self.cache = Cache(str(location))

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with its results under its name and arguments."""
        if function.__name__ == "total":
            # Its key would hold the list itself, which cannot be hashed: hand it over as a tuple.
            kept = self.cache.memoize()(function)
            return lambda parts: kept(tuple(parts))
        return self.cache.memoize()(function)  # type: ignore[no-any-return]  # diskcache has no types
