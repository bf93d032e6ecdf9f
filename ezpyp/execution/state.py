"""What a run starts from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ezpyp.graph.program import Program
from ezpyp.store.rows import KnownResult


@dataclass(frozen=True, slots=True)
class RunState:
    """What is known when a run begins.

    Attributes:
        program: The steps.
        known: The newest result of each key.
        found: The result of each step that is known before anything runs.
        rows: Status and result of each step's newest row, by position; None where all rows are current.
        location: The location.
        damaged: The newest damaged result of each key that has one.
    """

    program: Program
    known: dict[bytes, KnownResult]
    found: Sequence[KnownResult | None]
    rows: Sequence[tuple[int, int | None] | None] | None
    location: str
    damaged: dict[bytes, KnownResult] = field(default_factory=dict)
