"""The pipeline: declares steps, freezes them, runs them, gives their results."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Unpack, overload

from ezpyp.errors import OptionError
from ezpyp.hashing.files import FILE_DIGESTS
from ezpyp.pipeline.cache import Answers
from ezpyp.pipeline.settings import checked_id, resolved, tersely
from ezpyp.steps.decorators import AllStepOptions, as_step, flag, tracking_of
from ezpyp.steps.function import Declarations, StepFunction
from ezpyp.steps.step import Step
from ezpyp.store.index import load_file_digests

if TYPE_CHECKING:
    from ezpyp.execution.output import Report
    from ezpyp.execution.plan import Plan

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
        observe: Whether files, folders and environment variables that steps read are observed; see `as_step`.

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
        Report(run 1, revision 1: 2 steps, 2 done, 0 cached, 0 failed, 0 skipped in ... s, ... % busy)
        >>> pipeline.get_result("beta")
        10
    """

    __ezpyp_untracked__ = True

    def __init__(  # noqa: PLR0913 - each option is a word of the user's, and all but three are keyword-only
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
        observe: bool = True,
    ) -> None:
        # What runs steps is imported by the first pipeline: half of what `import ezpyp` would take otherwise.
        from ezpyp.execution.run import Settings
        from ezpyp.pipeline.session import Session

        self.pipeline_id = checked_id(pipeline_id)
        self.location = resolved(cache_location)
        tracking = tracking_of(track, no_track, versions_where_used=track_versions)
        self.declarations = Declarations(self, pipeline_id, tracking, observe=flag("observe", observe))
        self._settings = Settings(self.location, pipeline_id, revise, trust, durable)
        self._answers = Answers(self.location, self.declarations, trust=trust)
        self._session = Session(self._settings, self.declarations, self._answers)
        FILE_DIGESTS.add_source(str(self.location), partial(load_file_digests, self.location))

    @property
    def rank(self) -> int:
        """Number of this process among the ranks; 0 in a serial run."""
        return self._session.ranks.rank

    @property
    def size(self) -> int:
        """Number of ranks; 1 in a serial run."""
        return self._session.ranks.size

    @property
    def is_root(self) -> bool:
        """Whether this is rank 0, which alone writes the index and prints."""
        return self.rank == 0

    @property
    def schema_path(self) -> Path:
        """Where ``pipeline.schema`` is, the promise as JSON."""
        return self.location / "pipeline.schema"

    @property
    def summary_path(self) -> Path:
        """Where ``pipeline.summary`` is, the last run as a table."""
        return self.location / "pipeline.summary"

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
        program = self._session.program
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
        self._session.freeze(revise, wait_s)

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
        self._session.freeze(revise, 0.0)
        return self._session.plan()

    @tersely
    def execute(
        self,
        check: bool = False,
        *,
        revise: bool | Iterable[str] | None = None,
        output: str = "steps",
        progress: bool | None = None,
        barrier: bool = False,
        wait_s: float = 0.0,
        restore: bool = False,
    ) -> Report:
        """Run what is not cached; freezes first if that was not done.

        Collective: every rank calls it, and it returns everywhere after the last commit.

        Args:
            check: Whether to raise, after the summary is written, when a step failed.
            revise: As for `Pipeline`, for this time.
            output: ``steps`` for the lines of every step, ``summary`` for the first line and the last,
                ``none``. ``EZPYP_OUTPUT`` beats it.
            progress: Whether to say on standard error how far the run is: on a terminal one line that changes, after
                half a second; in a log and under mpirun a line now and then, after ten. None is True unless ``output``
                is ``none``. ``EZPYP_PROGRESS=0`` (or ``1``) beats it.
            barrier: Whether a phase begins only when the one before has ended.
            wait_s: Seconds to wait for another job that holds the location.
            restore: Whether files that steps returned as `File` or `Folder` are put back also where they were changed
                since. Missing ones are put back in any case.

        Returns:
            Counts, failures and times of the run; the same on every rank.

        Raises:
            PipelineFailedError: ``check`` is set and a step failed.
            StateChangedError: Code or a global changed since the schema was frozen.
            ArgumentMutatedError: An argument changed in place since its step was declared.
            FileChangedError: A file that a step made holds something else that is kept nowhere, and ``restore`` is not
                set.
            SchemaConflictError: As for `initialize_schema`, whose other errors it raises too.
        """
        from ezpyp.execution.run import RunOptions

        output = _checked_output(os.environ.get("EZPYP_OUTPUT") or output)
        _check_progress(progress)
        options = RunOptions(self._settings, revise, output, progress, barrier, wait_s, flag("restore", restore))
        return self._session.execute(options, check=check)

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
        return self._answers.result(step, revision, params)

    @tersely
    def get_results(self, steps: Sequence[Step]) -> list[object]:
        """The results of several steps, by one opening of the index."""
        return self._answers.results(steps)

    @tersely
    def get_status(self, step: Step | str, /, revision: int | None = None, **params: object) -> int:
        """Status of a step: 0 done, 1 failed, 2 skipped, -1 never run, -2 running; local, like `get_result`."""
        return self._answers.status(step, revision, params)

    @tersely
    def table_rows(self, steps: Sequence[Step]) -> list[dict[str, object]]:
        """Parameters, name, status, seconds and result of each step: the rows of `Sweep.table`."""
        return self._answers.table(steps)

    def __repr__(self) -> str:
        return f"Pipeline({str(self.location)!r}, {self.pipeline_id!r}: {len(self.steps)} steps)"


def _check_progress(progress: object) -> None:
    if not (progress is None or isinstance(progress, bool)):
        raise OptionError(f"progress={progress!r} is none of True, False and None")


def _checked_output(output: str) -> str:
    if output not in _OUTPUTS:
        raise OptionError(f"output={output!r} is none of {', '.join(_OUTPUTS)}")
    return output
