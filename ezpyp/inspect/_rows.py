"""What the reader hands to the verbs: frozen rows."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

# Something ready for JSON, and as various.
Fact = dict[str, Any]


class Status(IntEnum):
    """What became of a step."""

    RUNNING = -2
    PENDING = -1
    DONE = 0
    FAILED = 1
    SKIPPED = 2

    @property
    def word(self) -> str:
        """The status in words.

        Example:
            >>> Status.SKIPPED.word
            'skipped'
        """
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Run:
    """One ``execute()``; the fields are the columns of ``runs``."""

    run: int
    revision: int
    started_at: float
    finished_at: float | None
    status: str
    ranks: int
    host: str | None
    pid: int | None
    user: str | None
    command: str | None
    directory: str | None
    python: str | None
    ezpyp: str | None
    job: str | None
    total: int
    cached: int | None
    done: int | None
    failed: int | None
    skipped: int | None
    seconds: float | None
    busy_seconds: float | None
    git_commit: str | None
    git_dirty: bool | None


@dataclass(frozen=True, slots=True)
class Revision:
    """One recorded state of the schema."""

    revision: int
    recorded_at: float
    steps: int
    note: str


@dataclass(frozen=True, slots=True)
class View:
    """What a question is about: the steps of a revision, as they stood after a run.

    Args:
        revision: Number of the revision, 0 when none is recorded.
        run: Number of the run, 0 when none was made.
    """

    revision: int
    run: int


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step as it stood after a run.

    Args:
        step: Number of the step's row, for further questions.
        key: 32 hex characters.
        cached: The run took the result from the cache.
        args: Values that stood in the call, as text; results of upstream steps filled in where known.
        result: Path of the object, or ``INDEX#DIGEST`` for a small one.
        result_id: Number of the result's row.
        run: The run that wrote the row.
    """

    step: int
    name: str
    phase: int
    status: Status
    cached: bool
    result: str | None
    key: str
    function: str
    args: str
    kwargs: str
    result_id: int | None
    seconds: float | None
    rank: int | None
    host: str | None
    codec: str
    run: int | None
    started_at: float | None
    reason: str | None
