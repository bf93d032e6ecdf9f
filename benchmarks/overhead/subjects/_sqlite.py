"""The floor: a key-value table in bare sqlite3, no code hashed, no rows about steps, no output."""

import pickle
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xxhash import xxh3_128_digest

from benchmarks.overhead.subjects import Eager


class CommitEach(Eager):
    """One commit a step."""

    def __init__(self, location: Path) -> None:
        location.mkdir(exist_ok=True)
        self.database = sqlite3.connect(location / "results.sqlite", isolation_level=None)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = NORMAL")
        self.database.execute("CREATE TABLE IF NOT EXISTS results (key BLOB PRIMARY KEY, payload BLOB)")

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function with its results under a digest of its name and argument."""

        def lookup(argument: Any) -> object:
            key = xxh3_128_digest(pickle.dumps((function.__name__, argument), 5))
            row = self.database.execute("SELECT payload FROM results WHERE key = ?", (key,)).fetchone()
            if row:
                return pickle.loads(row[0])
            value = function(argument)
            self.database.execute("BEGIN IMMEDIATE")
            self.database.execute("INSERT INTO results VALUES (?, ?)", (key, pickle.dumps(value, 5)))
            self.database.execute("COMMIT")
            return value

        return lookup
