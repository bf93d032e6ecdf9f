"""How far each step of a run has come, as rank 0 knows it."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from ezpyp.execution._outcome import DONE, PENDING
from ezpyp.execution._recorder import Recorder
from ezpyp.execution._results import Results
from ezpyp.execution._scheduler import Scheduler
from ezpyp.graph import Program
from ezpyp.store import KnownResult


class Progress:
    """Status, result and input key of each step, and the queue of those that are left.

    Args:
        program: The steps.
        results: Their results so far.
        found: What is known before anything runs.
        recorder: Has to know of steps that run once more.
    """

    scheduler: Scheduler

    def __init__(
        self, program: Program, results: Results, found: Sequence[KnownResult | None], recorder: Recorder
    ) -> None:
        self.program = program
        self.results = results
        self.status = [DONE if result else PENDING for result in found]
        self.is_cached = [result is not None for result in found]
        self.inputs: dict[int, bytes] = {}
        self._recorder = recorder
        self._renewed: set[int] = set()

    @property
    def pending(self) -> list[int]:
        """The steps that have not come to an end."""
        return [position for position, status in enumerate(self.status) if status == PENDING]

    def is_running(self, position: int) -> bool:
        """Whether a step with upstreams was handed out and has not come back."""
        return self.status[position] == PENDING and position in self.inputs

    def unfinished(self, position: int) -> set[int]:
        """Upstreams of a step that have not come to an end."""
        return {up for up in self.program.upstreams(position) if self.status[up] == PENDING}

    def put_back(self, position: int) -> None:
        """A step that was taken has to wait for its upstreams once more."""
        self.inputs.pop(position, None)
        self._recorder.put_back(position)
        self.scheduler.put_back(position, self.unfinished(position))

    def reopen(self, position: int) -> None:
        """A step that was done is decided anew, and runs once more if nothing else gives its result."""
        self.results.forget(position)
        self.status[position] = PENDING
        self.is_cached[position] = False
        self.inputs.pop(position, None)
        self.renew(position)
        self._recorder.put_back(position)
        self.scheduler.reopen(position, self.unfinished(position))

    def renew(self, position: int) -> None:
        """Ranks have to be told of a result again."""
        self._renewed.add(position)

    def renewed(self) -> Collection[int]:
        """Results that ranks have to be told of again; empty until there are more."""
        if not self._renewed:
            return ()
        renewed, self._renewed = self._renewed, set()
        return renewed
