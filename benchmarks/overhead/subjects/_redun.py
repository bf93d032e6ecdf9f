"""redun with its SQLite backend and its thread executor."""

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

from redun import Scheduler, task
from redun.config import Config


class Redun:
    """Several rows a call, in SQLite through SQLAlchemy."""

    def __init__(self, location: Path) -> None:
        logging.getLogger("redun").setLevel(logging.ERROR)
        location.mkdir(exist_ok=True)
        self.scheduler = Scheduler(config=Config({"backend": {"db_uri": f"sqlite:///{location}/redun.db"}}))
        self.scheduler.load()

    def cached(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function as a task; a call is an expression."""
        made: Callable[..., Any] = task(namespace="overhead")(function)
        return made

    def finish(self, calls: list[Any]) -> list[Any]:
        """Evaluate the expressions."""
        return list(self.scheduler.run(calls))
