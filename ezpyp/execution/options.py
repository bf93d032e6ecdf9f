"""What a pipeline and a call of ``execute()`` were asked for: two frozen records that travel whole."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """The arguments of `Pipeline` that count at its location.

    Attributes:
        location: Folder of the cache.
        pipeline_id: Name of the pipeline.
        revise: Which steps with results may change their meaning.
        trust: Whether pickles may be loaded that somebody else could have written.
        durable: Whether results and commits wait for the disk.
    """

    location: Path
    pipeline_id: str
    revise: bool | Iterable[str] = False
    trust: bool = False
    durable: bool = False


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The arguments of one ``execute()``, with the settings of its pipeline; rank 0's count.

    Attributes:
        settings: Those of the pipeline.
        revise: As for `Settings`, for this time.
        output: ``steps``, ``summary`` or ``none``.
        progress: Whether to show how far the run is; None for: unless the output is ``none``.
        barrier: Whether a phase begins only when the one before has ended.
        wait_s: Seconds to wait for another job that holds the location.
    """

    settings: Settings
    revise: bool | Iterable[str] | None = None
    output: str = "steps"
    progress: bool | None = None
    barrier: bool = False
    wait_s: float = 0.0
