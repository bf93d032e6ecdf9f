"""The pipeline: declares steps, freezes them, runs them, gives their results."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Unpack, overload

from ezpyp.errors import (
    EzpypError,
    InitializationError,
    OptionError,
    PipelineFailedError,
    StepPendingError,
    StoreError,
    UnknownStepError,
)
from ezpyp.execution import (
    PENDING,
    SUMMARY_NAME,
    Plan,
    Report,
    RunRequest,
    Worker,
    connect,
    found_results,
    plan_of,
    run_on_rank_0,
    work,
)
from ezpyp.graph import Program
from ezpyp.hashing import FILE_DIGESTS
from ezpyp.pipeline._agreeing import Ranks
from ezpyp.pipeline._freezing import SCHEMA_NAME, Frozen, freeze, step_ids_of
from ezpyp.pipeline._identifying import build_program, check_arguments, check_functions
from ezpyp.pipeline._pausing import collection_paused
from ezpyp.pipeline._reading import Reader
from ezpyp.pipeline._telling import tersely
from ezpyp.schema import asked_for
from ezpyp.steps import RUNNING, AllStepOptions, Declarations, Step, StepFunction, as_step, tracking_of
from ezpyp.store import (
    Index,
    KnownStep,
    check_trust,
    filesystem_of,
    is_cache,
    load_file_digests,
    mark_doubt,
    newest_results,
    translated,
)
from ezpyp.version import __version__

_OUTPUTS = ("steps", "summary", "none")


class Pipeline:
    """A pipeline: functions become its steps, and their results are kept at its location.

    Args:
        cache_location: Folder of the cache; made when it is first written to.
        pipeline_id: Name of the pipeline; a location belongs to one.
        revise: Whether steps that have results may change their meaning: True, or names of steps that may,
            with what depends on them. ``EZPYP_REVISE`` beats it.
        trust: Whether the location's pickles may be loaded although somebody else could have written them;
            ``EZPYP_TRUST=1`` says the same.
        durable: Whether what was printed as ``[PASS]`` shall outlive a loss of power, not only a kill: each result
            and each commit waits for the disk, some ms.
        track: Packages whose code counts by content although they are installed, in every step; each step's own add
            to these and the following.
        no_track: Packages whose code counts by name although it is yours.
        track_versions: Libraries whose version counts in the key of every step whose code leads to them.

    Raises:
        StoreError: The location is a file.
        OptionError: A package that is named is not installed.
        LaunchError: Started by an MPI launcher whose MPI library is missing or is another one.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ezpyp import Pipeline, as_pickle_step
        >>> from ezpyp.steps import PlaceHolder
        >>> pipeline = Pipeline(mkdtemp(), "doc")
        >>> @as_pickle_step(pipeline)
        ... def alpha(x):
        ...     return x**2
        >>> @as_pickle_step(pipeline)
        ... def beta(a):
        ...     return a + 1
        >>> last = beta(PlaceHolder(alpha(3)))
        >>> pipeline.execute(output="none")  # doctest: +ELLIPSIS
        Report(run 1, revision 1: 2 steps, 2 done, 0 cached, 0 failed, 0 skipped in ... s)
        >>> pipeline.get_result("beta")
        10
    """

    __ezpyp_untracked__ = True

    def __init__(
        self,
        cache_location: str | os.PathLike[str],
        pipeline_id: str,
        revise: bool | Iterable[str] = False,
        *,
        trust: bool = False,
        durable: bool = False,
        track: Iterable[str] = (),
        no_track: Iterable[str] = (),
        track_versions: Iterable[str] = (),
    ) -> None:
        if not pipeline_id or type(pipeline_id) is not str:
            raise OptionError(f"pipeline_id must be a name, not {pipeline_id!r}")
        self.location = _resolved(cache_location)
        self.pipeline_id = pipeline_id
        tracking = tracking_of(track, no_track, versions_where_used=track_versions)
        self.declarations = Declarations(self, pipeline_id, tracking)
        self._revise = revise
        self._ranks = Ranks(connect())
        self._reader = Reader(self.location, trust=trust)
        self._trust = trust
        self._durable = durable
        self._index: Index | None = None
        self._program: Program | None = None
        self._frozen: Frozen | None = None
        self._told: set[str] = set()
        FILE_DIGESTS.add_source(str(self.location), partial(load_file_digests, self.location))

    @property
    def rank(self) -> int:
        """Number of this process among the ranks; 0 in a serial run."""
        return self._ranks.rank

    @property
    def size(self) -> int:
        """Number of ranks; 1 in a serial run."""
        return self._ranks.size

    @property
    def is_root(self) -> bool:
        """Whether this is rank 0, which alone writes the index and prints."""
        return self.rank == 0

    @property
    def schema_path(self) -> Path:
        """Where ``pipeline.schema`` is, the promise as JSON."""
        return self.location / SCHEMA_NAME

    @property
    def summary_path(self) -> Path:
        """Where ``pipeline.summary`` is, the last run as a table."""
        return self.location / SUMMARY_NAME

    @property
    def steps(self) -> list[Step]:
        """The declared steps, in order; once they were frozen, each call once."""
        return [step for step in self.declarations.steps if step.twin is None]

    @property
    def phases(self) -> list[list[Step]]:
        """The steps by phase; known once the schema is frozen.

        Raises:
            InitializationError: It is not frozen yet.
        """
        program = self._last_program()
        phases: list[list[Step]] = [[] for _ in range(max(program.phases, default=-1) + 1)]
        for step, phase in zip(program.steps, program.phases, strict=True):
            phases[phase].append(step)
        return phases

    @overload
    def step(self, function: Callable[..., object], **options: Unpack[AllStepOptions]) -> StepFunction: ...
    @overload
    def step(
        self, function: None = None, **options: Unpack[AllStepOptions]
    ) -> Callable[[Callable[..., object]], StepFunction]: ...
    def step(
        self, function: Callable[..., object] | None = None, **options: Unpack[AllStepOptions]
    ) -> StepFunction | Callable[[Callable[..., object]], StepFunction]:
        """Make steps of a function: as a call, ``pipeline.step(labpkg.simulate, codec="numpy")``, or a decorator.

        Args:
            function: The function; left out in ``@pipeline.step(codec="json")``.
            **options: Those of `as_step`.

        Example:
            >>> from tempfile import mkdtemp
            >>> pipeline = Pipeline(mkdtemp(), "doc")
            >>> root = pipeline.step(abs)
            >>> step = root(-3)
            >>> report = pipeline.execute(output="none")
            >>> step.get_result()
            3
        """
        decorate = as_step(self, **options)
        return decorate if function is None else decorate(function)

    @tersely
    def initialize_schema(self, revise: bool | Iterable[str] | None = None, wait_s: float = 0.0) -> None:
        """Freeze the steps: names, keys and phases are known, and the location records the promise.

        Collective: every rank calls it. Until `execute` has ended no step can be declared.

        Args:
            revise: As for `Pipeline`, for this time.
            wait_s: Seconds to wait for another job that holds the location.

        Raises:
            SchemaConflictError: A name that has a result would change its meaning. Nothing was written.
            DuplicateNameError: Two different functions or steps have one name.
            CacheBusyError: Another job holds the location.
            RanksDisagreeError: The ranks declared different steps.
        """
        self._refuse_inside_step("initialize_schema")
        if self.declarations.frozen:
            return
        program = self._build("initialize_schema")

        def on_root() -> Frozen:
            with self._opened().held(wait_s):
                return self._freeze(program, revise)

        self._frozen = self._ranks.from_root(on_root)
        self.declarations.frozen = True

    @tersely
    def plan(self, revise: bool | Iterable[str] | None = None) -> Plan:
        """Freeze, and say what would run and why.

        Collective, like `initialize_schema`, whose errors it raises.

        Example:
            >>> from tempfile import mkdtemp
            >>> pipeline = Pipeline(mkdtemp(), "doc")
            >>> step = pipeline.step(abs)(-3)
            >>> print(pipeline.plan())
            1 step: 0 cached, 1 to run, 0 decided on the way
            run     abs  no result under its key
        """
        self.initialize_schema(revise)
        program = self._last_program()

        def on_root() -> Plan:
            with translated(self.location):
                known = newest_results(self._opened().connection, program.keys)
            return plan_of(program, known, found_results(program, known))

        return self._ranks.from_root(on_root)

    @tersely
    def execute(
        self,
        check: bool = False,
        *,
        revise: bool | Iterable[str] | None = None,
        output: str = "steps",
        barrier: bool = False,
        wait_s: float = 0.0,
    ) -> Report:
        """Run what is not cached; freezes first if that was not done.

        Collective: every rank calls it, and it returns everywhere after the last commit.

        Args:
            check: Whether to raise, after the summary is written, when a step failed.
            revise: As for `Pipeline`, for this time.
            output: ``steps`` for the lines of every step, ``summary`` for the first line and the last,
                ``none``. ``EZPYP_OUTPUT`` beats it.
            barrier: Whether a phase begins only when the one before has ended.
            wait_s: Seconds to wait for another job that holds the location.

        Returns:
            Counts, failures and times of the run; the same on every rank.

        Raises:
            PipelineFailedError: ``check`` is set and a step failed.
            StateChangedError: Code or a global changed since the schema was frozen.
            ArgumentMutatedError: An argument changed in place since its step was declared.
            SchemaConflictError: As for `initialize_schema`, whose other errors it raises too.
        """
        self._refuse_inside_step("execute")
        output = _checked_output(os.environ.get("EZPYP_OUTPUT") or output)
        program = self._program_to_run()
        self.declarations.frozen = True
        try:
            report = self._ranks.side_by_side(
                lambda: self._run_as_root(program, revise, output, barrier, wait_s),
                lambda: work(self._ranks.communicator, self._worker(program)),
            )
        finally:
            self.declarations.frozen = False
            self._frozen = None
            self._close()
        if check and not report.ok:
            self._ranks.raise_everywhere(_failure_of(report))
        return report

    @tersely
    def get_result(self, step: Step | str, /, revision: int | None = None, **params: object) -> object:
        """The result of a step, from the cache; local: any rank may call it alone.

        Args:
            step: A step, or what names it: its name, the function's name with ``params``, a glob, a prefix.
            revision: Revision of the schema to look in; the newest by default.
            **params: Parameters that the step was called with.

        Raises:
            UnknownStepError: No step, or more than one, is meant.
            ResultUnavailableError: The step failed, was skipped or has not run; the message says which.
            DamagedResultError: What is stored is not what was stored.
        """
        with self._reader:
            return self._reader.result(self._recorded(step, revision, params))

    def get_results(self, steps: Sequence[Step]) -> list[object]:
        """The results of several steps, by one opening of the index."""
        with self._reader:
            return [self.get_result(step) for step in steps]

    @tersely
    def get_status(self, step: Step | str, /, revision: int | None = None, **params: object) -> int:
        """Status of a step: 0 done, 1 failed, 2 skipped, -1 never run, -2 running; local, like `get_result`."""
        with self._reader:
            if isinstance(step, Step) and self._record_of(step) is None:
                self._check_own(step)
                return PENDING
            return self._reader.row(self._recorded(step, revision, params).id)[0]

    def table_rows(self, steps: Sequence[Step]) -> list[dict[str, object]]:
        """Parameters, name, status, seconds and result of each step: the rows of `Sweep.table`."""
        with self._reader:
            return [self._table_row(step) for step in steps]

    def _table_row(self, step: Step) -> dict[str, object]:
        function = step.function
        row: dict[str, object] = dict(zip(function.binder.parameters, step.values, strict=True))
        row.update(zip(("name", "status", "seconds", "result"), (None, PENDING, None, None), strict=True))
        recorded = self._record_of(step)
        if recorded is not None:
            status, _, seconds = self._reader.row(recorded.id)
            result = self._reader.result(recorded) if status == 0 else None
            row.update(name=step.name, status=status, seconds=seconds, result=result)
        return row

    def _recorded(self, step: Step | str, revision: int | None, params: Mapping[str, object]) -> KnownStep:
        if isinstance(step, Step):
            self._check_own(step)
            recorded = self._record_of(step)
            if recorded is None:
                if step.is_settled and is_cache(self.location):
                    mark_doubt(self.location)
                raise StepPendingError(f"{step!r} has not run yet: call pipeline.execute() first", step=repr(step))
            return recorded
        if not isinstance(step, str):
            raise UnknownStepError(
                f"a step is asked for by name or as the step itself, not by {step!r}", name=str(step)
            )
        try:
            return self._reader.find(step, revision, params)
        except UnknownStepError:
            if revision is None and self._program is not None and step in self._program.names:
                mark_doubt(self.location)  # it was recorded: the next run writes its row anew
            raise

    def _record_of(self, step: Step) -> KnownStep | None:
        if not step.is_settled or not is_cache(self.location):
            return None
        return self._reader.recorded(step.name, bytes.fromhex(step.key))

    def _check_own(self, step: Step) -> None:
        self.declarations.check_own(step, "get_result")

    def _refuse_inside_step(self, call: str) -> None:
        """A body runs on one rank, and in it decorated functions are plain: no pipeline can be run there."""
        if RUNNING.depth:
            raise InitializationError(
                f"{call}() of pipeline {self.pipeline_id!r} was called inside a running step: call the plain "
                "functions there, or run the pipeline outside and pass its results"
            )

    def _program_to_run(self) -> Program:
        """The frozen program, checked against what changed since; a new one otherwise."""
        if not self.declarations.frozen:
            return self._build("execute")
        program = self._last_program()

        def check() -> bytes:
            check_functions(program)
            check_arguments(program)
            return program.digest

        self._ranks.agree("execute", check, lambda: program)
        return program

    def _build(self, operation: str) -> Program:
        def build() -> bytes:
            with collection_paused():
                self._program = build_program(self.declarations.steps)
            check_arguments(self._program)
            return self._program.digest

        self._ranks.agree(operation, build, self._last_program)
        program = self._last_program()
        if self.is_root:
            self._tell_merged(program)
        return program

    def _last_program(self) -> Program:
        if self._program is None:
            raise InitializationError(
                "the schema is not frozen yet: call pipeline.initialize_schema() or pipeline.execute() first"
            )
        return self._program

    def _tell_merged(self, program: Program) -> None:
        for name, count in program.merged.items():
            if name not in self._told:
                self._told.add(name)
                warnings.warn(
                    f"{count} calls of {name} are one step (same arguments); for replicates pass a seed",
                    stacklevel=4,
                )

    def _freeze(self, program: Program, revise: bool | Iterable[str] | None) -> Frozen:
        check_trust(self.location, trust=self._trust)
        index = self._opened()
        index.claim(self.pipeline_id)
        with collection_paused():
            return freeze(index, program, asked_for(os.environ, revise, self._revise))

    def _run_as_root(
        self, program: Program, revise: bool | Iterable[str] | None, output: str, barrier: bool, wait_s: float
    ) -> Report:
        index = self._opened()
        with index.held(wait_s):
            # Also when it was frozen before: another job may have held the location in between.
            frozen = self._freeze(program, revise)

            def step_ids() -> list[int]:
                try:
                    return frozen.step_ids or step_ids_of(index.connection, program, frozen.revision)
                except KeyError as error:
                    mark_doubt(self.location)
                    raise StoreError(
                        f"the index at {self.location} is damaged, the row of {error.args[0][0]!r} is not there any "
                        "more: run again, and it is written anew"
                    ) from None

            request = RunRequest(
                program, self.pipeline_id, frozen.revision, step_ids, output, barrier, __version__, self._durable
            )
            return run_on_rank_0(index, self._ranks.communicator, request)

    def _worker(self, program: Program) -> Worker:
        return Worker(program, self.location, self.rank, self._ranks.communicator.host, durable=self._durable)

    def _opened(self) -> Index:
        if self._index is None:
            # SQLite forbids WAL where other hosts may write.
            self._index = Index(self.location, shared=filesystem_of(self.location).is_network, durable=self._durable)
        return self._index

    def _close(self) -> None:
        self._reader.close()  # first: the last to close takes SQLite's helper files away
        if self._index is not None:
            self._index.close()
            self._index = None

    def __repr__(self) -> str:
        return f"Pipeline({str(self.location)!r}, {self.pipeline_id!r}: {len(self.steps)} steps)"


def _resolved(cache_location: str | os.PathLike[str]) -> Path:
    """The location's one spelling: links resolved, as SQLite does, so that exports and views agree."""
    if not os.fspath(cache_location):
        raise OptionError("cache_location is empty: name a folder, such as 'cache'")
    try:
        location = Path(os.path.realpath(cache_location))
        is_other = location.exists() and not location.is_dir()
    except (OSError, ValueError) as error:
        raise StoreError(f"{cache_location!r} cannot be a cache location: {error}") from error
    if is_other:
        raise StoreError(f"{location} is a file; a cache location must be a folder: choose another path")
    return location


def _checked_output(output: str) -> str:
    if output not in _OUTPUTS:
        raise OptionError(f"output={output!r} is none of {', '.join(_OUTPUTS)}")
    return output


def _failure_of(report: Report) -> EzpypError:
    first = next(iter(report.failures.items()), None)
    why = f": {first[0]!r} with {first[1].type_name}: {first[1].message}" if first else ""
    more = f" (and {len(report.failed) - 1} more)" if len(report.failed) > 1 else ""
    return PipelineFailedError(
        f"{len(report.failed)} of {report.total} steps failed{why}{more}; {len(report.skipped)} were skipped",
        failed=report.failed,
    )
