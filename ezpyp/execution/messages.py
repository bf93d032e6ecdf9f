"""What travels between the ranks: tasks, outcomes, and where results are."""

from __future__ import annotations

from typing import NamedTuple

from ezpyp.execution.capture.capture import Captured
from ezpyp.store.rows import NewResult

DONE, FAILED, SKIPPED, PENDING, RUNNING = 0, 1, 2, -1, -2


# NamedTuples, not dataclasses: one or two are made for every step, and a frozen dataclass costs 1.2 us each.
class Ref(NamedTuple):
    """Where the bytes of a result are: with the record itself, or in the object of that digest."""

    digest: bytes
    size: int
    codec: str
    codec_version: int
    suffix: str
    payload: bytes | None


class Failure(NamedTuple):
    """An exception as text: exceptions with an odd ``__init__`` would not survive pickling."""

    type_name: str
    message: str
    file: str | None
    line: int | None
    traceback: str


class Task(NamedTuple):
    """A step to run, with the upstream results that the rank lacks, and how long it may take, as far as is known."""

    position: int
    refs: dict[int, Ref]
    seconds: float | None = None


class Outcome(NamedTuple):
    """What became of a step that was run.

    ``damaged`` are upstreams whose results could not be loaded; ``no_room``: the disk or the quota is full.
    """

    position: int
    started_at: float
    seconds: float
    rank: int
    host: str
    result: NewResult | None
    failure: Failure | None
    args: str | None
    kwargs: str | None
    reason: str | None
    damaged: tuple[int, ...] = ()
    captured: Captured | None = None
    no_room: bool = False


class Message(NamedTuple):
    """What a rank reports to rank 0: steps that ended, and at last why the rank did ("" at the end of the run)."""

    outcomes: list[Outcome]
    ended: str | None = None
