"""What the ranks of a pipeline do together: agree on a program, freeze it, plan it, run it."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from ezpyp.errors import EzpypError, InitializationError, PipelineFailedError
from ezpyp.execution.mpi.communicator import Communicator
from ezpyp.execution.mpi.connect import connect, not_shared
from ezpyp.execution.mpi.work import work
from ezpyp.execution.output import Report
from ezpyp.execution.plan import Plan, look_up, plan_of
from ezpyp.execution.run import Run, RunOptions, Settings, worker_of
from ezpyp.graph.program import Program, collection_paused
from ezpyp.pipeline.cache import Answers
from ezpyp.pipeline.collective import Ranks
from ezpyp.pipeline.freeze import (
    Frozen,
    build_program,
    changed_by_steps,
    check_arguments,
    check_functions,
    freeze,
    step_ids_of,
)
from ezpyp.pipeline.settings import options_of
from ezpyp.schema.rule import asked_for
from ezpyp.steps.function import RUNNING, Declarations
from ezpyp.store.connection import damaged_index, translated
from ezpyp.store.files import filesystem_of
from ezpyp.store.index import Index
from ezpyp.store.trust import check_trust

# What rank 0 alone does at a location: it holds the lock, records the promise, and runs the steps.


class Root:
    """Rank 0 at its location; the index stays open from freezing to the end of a run."""

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
            return plan_of(program, look_up(program, self._opened().connection))

    def run(self, program: Program, communicator: Communicator, options: RunOptions) -> Report:
        """Run what is not cached, with the other ranks at work for this one."""
        index = self._opened(options.wait_s)
        with index.held(options.wait_s), translated(self._location):
            # Also when it was frozen before: another job may have held the location in between.
            frozen = self._freeze(program, options.revise)
            step_ids = partial(self._step_ids, program, frozen)
            return Run(index, communicator, program, options, revision=frozen.revision, step_ids=step_ids).execute()

    def _step_ids(self, program: Program, frozen: Frozen) -> list[int]:
        try:
            return frozen.step_ids or step_ids_of(self._opened().connection, program, frozen.revision)
        except KeyError as error:
            what = f"the row of {error.args[0][0]!r} is not there any more"
            raise damaged_index(self._location, what) from None

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


class Session:
    """The ranks of one pipeline; every method is collective.

    Args:
        settings: What the pipeline was told.
        declarations: Its steps.
        answers: What reads the location meanwhile; closed at the end of a run.
    """

    def __init__(self, settings: Settings, declarations: Declarations, answers: Answers) -> None:
        self.ranks = Ranks(connect())
        self._settings = settings
        self._declarations = declarations
        self._answers = answers
        self._root = Root(settings)
        self._program: Program | None = None
        self._told: set[str] = set()
        self._is_shared = False

    @property
    def program(self) -> Program:
        """The steps as they were frozen last.

        Raises:
            InitializationError: They were not frozen yet.
        """
        if self._program is None:
            raise InitializationError(
                "the schema is not frozen yet: call pipeline.initialize_schema() or pipeline.execute() first"
            )
        return self._program

    def freeze(self, revise: bool | Iterable[str] | None, wait_s: float) -> None:
        """Freeze the steps, and record them as what the location promises; nothing where that was done."""
        self._refuse_inside_step("initialize_schema")
        if self._declarations.frozen:
            return
        program = self._build("initialize_schema", {"revise": revise})
        self.ranks.from_root(lambda: self._root.freeze(program, revise, wait_s))
        self._declarations.frozen = True

    def plan(self) -> Plan:
        """What would run of the frozen steps, and why."""
        program = self.program
        return self.ranks.from_root(lambda: self._root.plan(program))

    def execute(self, options: RunOptions, *, check: bool) -> Report:
        """Run what is not cached; freezes first if that was not done."""
        self._refuse_inside_step("execute")
        program = self._program_to_run({"revise": options.revise, "barrier": options.barrier, "check": check})
        communicator = self.ranks.communicator
        self._declarations.frozen = True
        try:
            if communicator.size == 1:  # two frames fewer between the script and its steps
                report = self._root.run(program, communicator, options)
            else:
                report = self.ranks.side_by_side(
                    lambda: self._root.run(program, communicator, options),
                    lambda: work(communicator, worker_of(program, communicator, options.settings)),
                )
        finally:
            self._declarations.frozen = False
            self._answers.close()  # first: the last to close takes SQLite's helper files away
            self._root.close()
        self._answers.keep(report.run)
        if report.done or report.failed:
            self._tell_changed(program)
        if check and not report.ok:
            self.ranks.raise_everywhere(_failure_of(report))
        return report

    def _refuse_inside_step(self, call: str) -> None:
        """A body runs on one rank, and in it decorated functions are plain: no pipeline can be run there."""
        if RUNNING.depth:
            raise InitializationError(
                f"{call}() of pipeline {self._settings.pipeline_id!r} was called inside a running step: call the plain "
                "functions there, or run the pipeline outside and pass its results"
            )

    def _program_to_run(self, options: Mapping[str, object]) -> Program:
        """The frozen program, checked against what changed since; a new one otherwise."""
        if not self._declarations.frozen:
            return self._build("execute", options)
        program = self.program

        def check() -> bytes:
            check_functions(program)
            check_arguments(program)
            return program.digest

        self._agree("execute", check, options)
        return program

    def _agree(self, operation: str, act: Callable[[], bytes], options: Mapping[str, object]) -> None:
        given = options_of(self._settings, self.ranks.communicator.host, options)
        self.ranks.agree(operation, act, lambda: self.program, given)

    def _build(self, operation: str, options: Mapping[str, object]) -> Program:
        def build() -> bytes:
            with collection_paused():
                self._program = build_program(self._declarations.steps)
            check_arguments(self._program)
            return self._program.digest

        self._agree(operation, build, options)
        self._check_shared()
        program = self.program
        if self.ranks.rank == 0:
            self._tell_merged(program)
        return program

    def _check_shared(self) -> None:
        if not self._is_shared and (error := not_shared(self.ranks.communicator, self._settings.location)):
            self.ranks.raise_everywhere(error)
        self._is_shared = True

    def _tell_changed(self, program: Program) -> None:
        """Warn once, on rank 0, of each global that a step changed on any rank."""
        found = self.ranks.communicator.collect(changed_by_steps(program)) or ()
        for name, words in {name: words for changes in found for name, words in changes.items()}.items():
            if f"global {name}" not in self._told:
                self._told.add(f"global {name}")
                warnings.warn(
                    f"{words}: it was changed while steps ran. It counts as it was when the schema was frozen; what "
                    "a step finds there depends on which ran before it in its process. Pass it as an argument, and "
                    "return what changes",
                    stacklevel=4,
                )

    def _tell_merged(self, program: Program) -> None:
        for name, count in program.merged.items():
            if name not in self._told:
                self._told.add(name)
                warnings.warn(
                    f"{count} calls of {name} are one step (same arguments); for replicates pass a seed",
                    stacklevel=5,
                )


def _failure_of(report: Report) -> EzpypError:
    first = next(iter(report.failures.items()), None)
    why = f": {first[0]!r} with {first[1].type_name}: {first[1].message}" if first else ""
    more = f" (and {len(report.failed) - 1} more)" if len(report.failed) > 1 else ""
    return PipelineFailedError(
        f"{len(report.failed)} of {report.total} steps failed{why}{more}; {len(report.skipped)} were skipped",
        failed=report.failed,
    )
