"""What a pipeline answers: results, statuses and rows of its steps, read from its location by any rank alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from ezpyp.errors import StepPendingError, UnknownStepError
from ezpyp.execution import PENDING
from ezpyp.pipeline._reading import Reader
from ezpyp.steps import Declarations, Step
from ezpyp.store import KnownStep, is_cache, mark_doubt


class Answers:
    """Answers questions about steps, by name or by the step itself.

    Args:
        location: Folder of the cache.
        declarations: The steps of the pipeline.
        trust: Whether pickles may be loaded that somebody else could have written.
    """

    def __init__(self, location: Path, declarations: Declarations, *, trust: bool) -> None:
        self._location = location
        self._declarations = declarations
        self._reader = Reader(location, trust=trust)

    def result(self, step: Step | str, revision: int | None, params: Mapping[str, object]) -> object:
        """The result of one step."""
        with self._reader:
            return self._reader.result(self._recorded(step, revision, params))

    def results(self, steps: Sequence[Step]) -> list[object]:
        """The results of several steps, by one opening of the index."""
        with self._reader:
            return [self.result(step, None, {}) for step in steps]

    def status(self, step: Step | str, revision: int | None, params: Mapping[str, object]) -> int:
        """The status of one step."""
        with self._reader:
            if isinstance(step, Step) and self._record_of(step) is None:
                self._check_own(step)
                return PENDING
            return self._reader.row(self._recorded(step, revision, params).id)[0]

    def table(self, steps: Sequence[Step]) -> list[dict[str, object]]:
        """Parameters, name, status, seconds and result of each step."""
        with self._reader:
            return [self._table_row(step) for step in steps]

    def close(self) -> None:
        """Close the index; the next question opens it again."""
        self._reader.close()

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
                if step.is_settled and is_cache(self._location):
                    mark_doubt(self._location)
                raise StepPendingError(f"{step!r} has not run yet: call pipeline.execute() first", step=repr(step))
            return recorded
        if not isinstance(step, str):
            raise UnknownStepError(
                f"a step is asked for by name or as the step itself, not by {step!r}", name=str(step)
            )
        try:
            return self._reader.find(step, revision, params)
        except UnknownStepError:
            if revision is None and not params and self._is_declared(step):
                mark_doubt(self._location)  # it was recorded: the next run writes its row anew
            raise

    def _is_declared(self, name: str) -> bool:
        return any(step.is_settled and step.name == name for step in self._declarations.steps)

    def _record_of(self, step: Step) -> KnownStep | None:
        if not step.is_settled or not is_cache(self._location):
            return None
        return self._reader.recorded(step.name, bytes.fromhex(step.key))

    def _check_own(self, step: Step) -> None:
        self._declarations.check_own(step, "get_result")
