"""Results of a location, read without holding it: by any rank, any process, while a run writes."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from ezpyp.describe import describe, is_secret, plain
from ezpyp.errors import OptionError, StepPendingError, UnknownStepError
from ezpyp.explain.tree import secret_text
from ezpyp.graph.lookup import find_names
from ezpyp.steps.function import Declarations
from ezpyp.steps.step import Step
from ezpyp.store.reader import Reader
from ezpyp.store.rows import KnownStep, Status, StoredValue


def find_step(reader: Reader, name: str, revision: int | None, params: Mapping[str, object]) -> KnownStep:
    """The step that a name means in a revision.

    Raises:
        UnknownStepError: None or several do; the message lists what was meant perhaps.
        DamagedIndexError: None does, and rows of steps are missing.
    """
    if revision is not None and not isinstance(revision, int):
        raise OptionError(f"revision is a whole number, not {revision!r}")
    if not params and (exact := reader.declared_as(name, revision)) is not None:
        return exact
    by_name = reader.declared(revision)
    texts = {name: secret_text(value) if is_secret(name) else describe(value) for name, value in params.items()}
    try:
        return by_name[find_names(name, by_name, texts, lambda found: params_of(by_name[found]))]
    except UnknownStepError as error:
        reader.check_complete(revision)
        if revision is None:
            raise
        raise UnknownStepError(f"in revision {revision}: {error}", **vars(error)) from None


def plain_params(step: KnownStep) -> dict[str, object]:
    """Parameter -> its value where the recorded text says all of it, else the text."""
    return {name: _plain(text) for name, text in json.loads(step.params).items()}


def _plain(text: str) -> object:
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return plain(text)


def params_of(step: KnownStep) -> dict[str, str]:
    """Parameter -> text of its value, as recorded."""
    # Of a secret only the digest is recorded: that is what it is found by.
    return {name: text if is_secret(name) else plain(text) for name, text in json.loads(step.params).items()}


# What a pipeline answers: results, statuses and rows of its steps, read from its location by any rank alone.


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
        self._reader = Reader(location, trust=trust, stays_open=True)

    def result(self, step: Step | str, revision: int | None, params: Mapping[str, object]) -> object:
        """The result of one step."""
        return self._reader.value(self._recorded(step, revision, params))

    def results(self, steps: Sequence[Step]) -> list[object]:
        """The results of several steps, by one opening of the index."""
        for step in steps:
            self._check_own(step)
        found = self._reader.stored_many(step.known_as for step in steps)
        return [
            self._reader.value(row or self._recorded(step, None, {})) for step, row in zip(steps, found, strict=True)
        ]

    def status(self, step: Step | str, revision: int | None, params: Mapping[str, object]) -> int:
        """The status of one step."""
        with self._reader:
            if isinstance(step, Step) and self._record_of(step) is None:
                self._check_own(step)
                return Status.PENDING
            return self._recorded(step, revision, params).status

    def table(self, steps: Sequence[Step]) -> list[dict[str, object]]:
        """Parameters, name, status, seconds and result of each step."""
        found = self._reader.stored_many(step.known_as for step in steps)
        return list(map(self._table_row, steps, found))

    def close(self) -> None:
        """Close the index; the next question opens it again."""
        self._reader.close()

    def _table_row(self, step: Step, recorded: StoredValue | None) -> dict[str, object]:
        function = step.function
        row: dict[str, object] = dict(zip(function.binder.parameters, step.values, strict=True))
        row.update(zip(("name", "status", "seconds", "result"), (None, -1, None, None), strict=True))
        if recorded is not None:
            result = self._reader.value(recorded) if recorded.status == Status.DONE else None
            row.update(name=step.name, status=recorded.status, seconds=recorded.seconds, result=result)
        return row

    def _recorded(self, step: Step | str, revision: int | None, params: Mapping[str, object]) -> StoredValue:
        if isinstance(step, Step):
            self._check_own(step)
            recorded = self._record_of(step)
            if recorded is None:
                raise StepPendingError(f"{step!r} has not run yet: call pipeline.execute() first", step=repr(step))
            return recorded
        if not isinstance(step, str):
            raise UnknownStepError(
                f"a step is asked for by name or as the step itself, not by {step!r}", name=str(step)
            )
        with self._reader:
            return self._reader.stored_of(find_step(self._reader, step, revision, params))

    def _record_of(self, step: Step) -> StoredValue | None:
        known_as = step.known_as
        return known_as and self._reader.stored(*known_as)

    def _check_own(self, step: Step) -> None:
        self._declarations.check_own(step, "get_result")
