"""Results of a location, read without holding it: by any rank, any process, while a run writes."""

from __future__ import annotations

import ast
import json
import os
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

from ezpyp.describe import describe, is_secret
from ezpyp.errors import (
    DamagedIndexError,
    DamagedResultError,
    OptionError,
    ResultUnavailableError,
    StepFailedError,
    StepPendingError,
    StepSkippedError,
    UnknownStepError,
)
from ezpyp.execution.messages import DONE, FAILED, PENDING, RUNNING, SKIPPED
from ezpyp.explain.argument_tree import secret_text
from ezpyp.explain.step_diff import plain
from ezpyp.graph.lookup import find_names
from ezpyp.steps.function import Declarations
from ezpyp.steps.step import Step
from ezpyp.store.connection import RECOVERY, index_path, translated
from ezpyp.store.damage import mark_damage
from ezpyp.store.encoded import decode_result
from ezpyp.store.index import is_cache
from ezpyp.store.objects import ObjectStore
from ezpyp.store.opening import SQL_ERRORS, OpenIndex, open_as_owner
from ezpyp.store.results import check_payload, digest_of, newest_results, payload_of, results_by_id
from ezpyp.store.rows import KnownStep
from ezpyp.store.runs import error_of
from ezpyp.store.schema_rows import (
    corrupt_rows,
    corrupt_steps,
    is_in_revision,
    latest_revision,
    steps_named,
    steps_of_revision,
    steps_recorded,
)
from ezpyp.store.trust import check_trust


class Reader:
    """Reads one location, inside ``with``: one moment of it, whatever a run writes meanwhile.

    Between questions the connection of an index that can be written stays open, because opening it anew costs
    0.3 ms; no transaction does. A forked child, or a location that was replaced, gets a new one.

    Args:
        location: Folder of the cache.
        trust: Whether its pickles may be loaded although somebody else could have written them.
    """

    def __init__(self, location: Path, *, trust: bool = False) -> None:
        self._location = location
        self._trust = trust
        self._objects = ObjectStore(location, trust=trust)
        self._opened: OpenIndex | None = None
        self._depth = 0
        self._mark: tuple[int, int, int] | None = None
        self._is_trusted = False

    def __enter__(self) -> None:
        if self._depth == 0:
            self._begin()
        self._depth += 1

    def _begin(self) -> None:
        if self._opened is not None and self._mark == self._current_mark():
            self._opened.connection.execute("BEGIN")
            return
        self.close()
        self._opened = open_as_owner(self._location)
        self._mark = self._current_mark()

    def _current_mark(self) -> tuple[int, int, int] | None:
        """What an open connection belongs to: this process, and the file that lies there now."""
        try:
            status = index_path(self._location).stat()
        except OSError:
            return None
        return os.getpid(), status.st_dev, status.st_ino

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._leave()
        if isinstance(error, SQL_ERRORS):
            with translated(self._location):
                raise error

    def _leave(self) -> None:
        self._depth -= 1
        if self._depth == 0 and self._opened is not None:
            self._is_trusted = False
            if self._opened.is_frozen or self._opened.is_copy:
                self.close()  # it would not see what is written later
            else:
                self._opened.connection.execute("ROLLBACK")

    def close(self) -> None:
        """Close the index; the last one to close it takes SQLite's helper files away."""
        if self._opened is not None and self._mark is not None and self._mark[0] == os.getpid():
            self._opened.close()
        self._opened = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The index, open for reading."""
        assert self._opened is not None, "ask a Reader inside `with`"
        return self._opened.connection

    def steps(self, revision: int | None = None) -> list[KnownStep]:
        """Steps of a revision; of the newest one by default.

        Raises:
            UnknownStepError: There is no such revision.
        """
        newest = latest_revision(self.connection)[0]
        if revision is not None and not 1 <= revision <= newest:
            raise UnknownStepError(f"there is no revision {revision}; the newest is {newest}", name=str(revision))
        steps = steps_of_revision(self.connection, newest if revision is None else revision)
        return self._intact(steps, corrupt_steps(self.connection))

    def _intact(self, steps: list[KnownStep], corrupt: Mapping[int, str]) -> list[KnownStep]:
        """Steps whose rows are what was written.

        Raises:
            DamagedIndexError: A row is not: a name or a parameter may lead to another step's result.
        """
        if names := [step.name for step in steps if step.id in corrupt]:
            raise corrupt_rows(self._location, names)
        return steps

    def find(self, name: str, revision: int | None, params: Mapping[str, object]) -> KnownStep:
        """The step that a name means in a revision.

        Raises:
            UnknownStepError: None or several do; the message lists what was meant perhaps.
            DamagedIndexError: None does, and rows of steps are missing.
        """
        if revision is not None and not isinstance(revision, int):
            raise OptionError(f"revision is a whole number, not {revision!r}")
        if not params and (exact := self._exactly(name, revision)) is not None:
            return exact
        by_name = {step.name: step for step in self.steps(revision)}
        texts = {name: secret_text(value) if is_secret(name) else describe(value) for name, value in params.items()}
        try:
            return by_name[find_names(name, by_name, texts, lambda found: params_of(by_name[found]))]
        except UnknownStepError as error:
            self._check_complete(len(by_name), revision)
            if revision is None:
                raise
            raise UnknownStepError(f"in revision {revision}: {error}", **vars(error)) from None

    def _check_complete(self, found: int, revision: int | None) -> None:
        """A step that is not there is one thing, one whose row cannot be read any more is another."""
        newest = latest_revision(self.connection)[0]
        recorded = steps_recorded(self.connection, newest if revision is None else revision)
        if found < recorded:
            raise DamagedIndexError(
                f"the index {index_path(self._location)} has rows of {found} of its {recorded} steps: it is damaged; "
                f"{RECOVERY}"
            )

    def _exactly(self, name: str, revision: int | None) -> KnownStep | None:
        """The step of that very name, without a look at all the others."""
        last = latest_revision(self.connection)[0] if revision is None else revision
        for step in steps_named(self.connection, [name]).get(name, ()):
            if is_in_revision(self.connection, step.id, last):
                return self._intact([step], corrupt_steps(self.connection, [step.id]))[0]
        return None

    def recorded(self, name: str, key: bytes) -> KnownStep | None:
        """The record of a step by name and key."""
        return next((step for step in steps_named(self.connection, [name]).get(name, []) if step.key == key), None)

    def row(self, step: int) -> tuple[int, int | None, float | None]:
        """Status, result and seconds of a step's newest row; status -1 if it has none."""
        row = self.connection.execute(
            "SELECT status, result, seconds FROM step_rows WHERE step = ? ORDER BY run DESC LIMIT 1", (step,)
        ).fetchone()
        return row or (PENDING, None, None)

    def result(self, step: KnownStep) -> object:
        """The result of a step.

        Raises:
            ResultUnavailableError: It failed, was skipped, runs, or has not run.
            DamagedResultError: What is stored is not what was stored.
            UntrustedCacheError: Somebody else could have written the pickle.
        """
        with translated(self._location):
            status, result, _ = self.row(step.id)
            if status != DONE or result is None:
                raise self._unavailable(step, status)
            if not self._is_trusted:
                check_trust(self._location, trust=self._trust)
                self._is_trusted = True
            return self._load(step.name, step.key, result)

    def _load(self, name: str, key: bytes, result: int) -> object:
        stored = results_by_id(self.connection, [result]).get(result)
        if stored is None and (digest := digest_of(self.connection, result)) is not None:
            mark_damage(self._location, digest)
            raise DamagedResultError(
                f"the row of {name!r}'s result is damaged: run the pipeline again to compute it anew", digest=""
            )
        if stored is None or stored.key != key:
            raise DamagedIndexError(
                f"{index_path(self._location)} is damaged: the row of step {name!r} leads to no result of its own; "
                f"{RECOVERY}"
            )
        try:
            payload = payload_of(self.connection, result)
            if payload is None:
                data = self._objects.open(stored.digest, stored.suffix, stored.size)
                return decode_result(data, stored.codec, stored.codec_version)
            check_payload(name, payload, stored.digest, stored.size)
            return decode_result(payload, stored.codec, stored.codec_version)
        except DamagedResultError:
            mark_damage(self._location, stored.digest)
            raise

    def _unavailable(self, step: KnownStep, status: int) -> ResultUnavailableError:
        error = error_of(self.connection, step.id)
        if status == FAILED and error is not None:
            return StepFailedError(
                f"step {step.name!r} failed with {error.type}: {error.message}\n\n{error.traceback}",
                step=step.name,
            )
        if status == SKIPPED and error is not None:
            return StepSkippedError(
                f"step {step.name!r} was skipped: it needs {self._root_cause(error.blame)}", step=step.name
            )
        way_on = "call pipeline.execute() first"
        if status != RUNNING and newest_results(self.connection, [step.key]):
            way_on += f"; if that does not help, the index is damaged, since a result is there: {RECOVERY}"
        what = "is running" if status == RUNNING else "has not run yet"
        return StepPendingError(f"step {step.name!r} {what}: {way_on}", step=step.name)

    def _root_cause(self, blame: str | None) -> str:
        """The dependency, and where that was skipped too, the failed step at the bottom."""
        text, bottom = repr(blame), blame
        by_name = {step.name: step for step in self.steps()}
        while bottom in by_name and (error := error_of(self.connection, by_name[bottom].id)) is not None:
            if error.blame is None:
                failed = f"which failed with {error.type}: {error.message}"
                return f"{text}, {failed}" if bottom == blame else f"{text}, which needs {bottom!r}, {failed}"
            bottom = error.blame
        return f"{text}, which has no result"


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
                raise StepPendingError(f"{step!r} has not run yet: call pipeline.execute() first", step=repr(step))
            return recorded
        if not isinstance(step, str):
            raise UnknownStepError(
                f"a step is asked for by name or as the step itself, not by {step!r}", name=str(step)
            )
        return self._reader.find(step, revision, params)

    def _record_of(self, step: Step) -> KnownStep | None:
        if not step.is_settled or not is_cache(self._location):
            return None
        return self._reader.recorded(step.name, bytes.fromhex(step.key))

    def _check_own(self, step: Step) -> None:
        self._declarations.check_own(step, "get_result")
