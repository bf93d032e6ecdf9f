"""What rank 0 alone does at a location: it holds the lock, records the promise, and runs the steps."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass

from ezpyp.errors import StoreError
from ezpyp.execution import Communicator, Plan, Report, RunRequest, found_results, plan_of, run_on_rank_0
from ezpyp.graph import Program
from ezpyp.pipeline._freezing import Frozen, freeze, step_ids_of
from ezpyp.pipeline._pausing import collection_paused
from ezpyp.pipeline._settings import Settings
from ezpyp.schema import asked_for
from ezpyp.store import Index, check_trust, filesystem_of, mark_doubt, newest_results, translated
from ezpyp.version import __version__


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of one ``execute()`` that rank 0 acts on.

    Attributes:
        revise: As for `Settings`, for this time.
        output: ``steps``, ``summary`` or ``none``.
        progress: Whether to show how far the run is; None for: unless the output is ``none``.
        barrier: Whether a phase begins only when the one before has ended.
        wait_s: Seconds to wait for another job that holds the location.
    """

    revise: bool | Iterable[str] | None
    output: str
    progress: bool | None
    barrier: bool
    wait_s: float


class Root:
    """Rank 0 at its location; the index stays open from freezing to the end of a run.

    Args:
        settings: What the pipeline was told.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._location = settings.location
        self._index: Index | None = None

    def freeze(self, program: Program, revise: bool | Iterable[str] | None, wait_s: float) -> None:
        """Record a program as what the location promises.

        Raises:
            SchemaConflictError: A name that has a result would change its meaning.
            CacheBusyError: Another job holds the location.
        """
        with self._opened(wait_s).held(wait_s):
            self._freeze(program, revise)

    def plan(self, program: Program) -> Plan:
        """What would run of a program, and why."""
        with translated(self._location):
            known = newest_results(self._opened().connection, program.keys)
        return plan_of(program, known, found_results(program, known))

    def run(self, program: Program, communicator: Communicator, options: RunOptions) -> Report:
        """Run what is not cached, with the other ranks at work for this one."""
        index = self._opened(options.wait_s)
        with index.held(options.wait_s):
            # Also when it was frozen before: another job may have held the location in between.
            frozen = self._freeze(program, options.revise)
            request = RunRequest(
                program, self._settings.pipeline_id, frozen.revision, lambda: self._step_ids(program, frozen),
                options.output, options.progress, options.barrier, __version__, self._settings.durable,
                self._settings.trust,
            )  # fmt: skip
            return run_on_rank_0(index, communicator, request)

    def _step_ids(self, program: Program, frozen: Frozen) -> list[int]:
        try:
            return frozen.step_ids or step_ids_of(self._opened().connection, program, frozen.revision)
        except KeyError as error:
            mark_doubt(self._location)
            raise StoreError(
                f"the index at {self._location} is damaged, the row of {error.args[0][0]!r} is not there any "
                "more: run again, and it is written anew"
            ) from None

    def _freeze(self, program: Program, revise: bool | Iterable[str] | None) -> Frozen:
        settings = self._settings
        check_trust(self._location, trust=settings.trust)
        index = self._opened()
        index.claim(settings.pipeline_id)
        with collection_paused():
            return freeze(index, program, asked_for(os.environ, revise, settings.revise))

    def _opened(self, wait_s: float = 0.0) -> Index:
        if self._index is None:
            # SQLite forbids WAL where other hosts may write.
            shared = filesystem_of(self._location).is_network
            self._index = Index(self._location, shared=shared, durable=self._settings.durable, wait_s=wait_s)
        return self._index

    def close(self) -> None:
        """Close the index."""
        if self._index is not None:
            self._index.close()
            self._index = None
