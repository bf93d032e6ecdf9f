"""The floor: a key-value table in bare sqlite3, no code hashed, no rows about steps, no output."""

import pickle
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

from xxhash import xxh3_128_digest


class CommitEach:
    """One commit a step."""

    steps_per_commit = 1

    def __init__(self, location: Path) -> None:
        location.mkdir(exist_ok=True)
        self.database = sqlite3.connect(location / "results.sqlite", isolation_level=None)
        self.database.execute("PRAGMA journal_mode = WAL")
        self.database.execute("PRAGMA synchronous = NORMAL")
        self.database.execute("CREATE TABLE IF NOT EXISTS results (key BLOB PRIMARY KEY, payload BLOB)")
        self.open_steps = 0

    def cached(self, function: Callable[[Any], object]) -> Callable[[Any], object]:
        """The function with its results under a digest of its name and argument."""

        def lookup(argument: Any) -> object:
            key = xxh3_128_digest(pickle.dumps((function.__name__, argument), 5))
            row = self.database.execute("SELECT payload FROM results WHERE key = ?", (key,)).fetchone()
            if row:
                return pickle.loads(row[0])
            value = function(argument)
            self.store(key, pickle.dumps(value, 5))
            return value

        return lookup

    def store(self, key: bytes, payload: bytes) -> None:
        """Insert one result, and commit where it is time."""
        if not self.open_steps:
            self.database.execute("BEGIN IMMEDIATE")
        self.database.execute("INSERT INTO results VALUES (?, ?)", (key, payload))
        self.open_steps += 1
        if self.open_steps == self.steps_per_commit:
            self.commit()

    def commit(self) -> None:
        """Make what was inserted last."""
        if self.open_steps:
            self.database.execute("COMMIT")
        self.open_steps = 0

    def finish(self, last: Any) -> int:
        """Commit the rest."""
        self.commit()
        self.database.close()
        return int(last)


class CommitHundreds(CommitEach):
    """One commit per hundred steps: cheaper, and a kill loses up to a hundred results."""

    steps_per_commit = 100
