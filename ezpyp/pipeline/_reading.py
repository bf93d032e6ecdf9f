"""Results of a location, read without holding it: by any rank, any process, while a run writes."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path

from xxhash import xxh3_128_digest

from ezpyp.errors import (
    DamagedResultError,
    ResultUnavailableError,
    StepFailedError,
    StepPendingError,
    StepSkippedError,
    UnknownStepError,
)
from ezpyp.execution import DONE, FAILED, PENDING, RUNNING, SKIPPED
from ezpyp.graph import find_names
from ezpyp.hashing import describe
from ezpyp.store import (
    KnownStep,
    ObjectStore,
    decode_result,
    error_of,
    is_cache,
    latest_revision,
    open_for_reading,
    payload_of,
    results_by_id,
    steps_named,
    steps_of_revision,
    translated,
)


class Reader:
    """Reads one location; opens the index when it is first asked.

    Args:
        location: Folder of the cache.
    """

    def __init__(self, location: Path) -> None:
        self._location = location
        self._objects = ObjectStore(location)
        self._opened: sqlite3.Connection | None = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The index, open for reading."""
        if self._opened is None:
            self._opened = open_for_reading(self._location)
        return self._opened

    def exists(self) -> bool:
        """Whether there is an index to read."""
        return self._opened is not None or is_cache(self._location)

    def close(self) -> None:
        """Close the index; the next question opens it again."""
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def steps(self, revision: int | None = None) -> list[KnownStep]:
        """Steps of a revision; of the newest one by default.

        Raises:
            UnknownStepError: There is no such revision.
        """
        newest = latest_revision(self.connection)[0]
        if revision is not None and not 1 <= revision <= newest:
            raise UnknownStepError(f"there is no revision {revision}; the newest is {newest}", name=str(revision))
        return steps_of_revision(self.connection, newest if revision is None else revision)

    def find(self, name: str, revision: int | None, params: Mapping[str, object]) -> KnownStep:
        """The step that a name means in a revision.

        Raises:
            UnknownStepError: None or several do; the message lists what was meant perhaps.
        """
        by_name = {step.name: step for step in self.steps(revision)}
        texts = {name: describe(value) for name, value in params.items()}
        return by_name[find_names(name, by_name, texts, lambda found: params_of(by_name[found]))]

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
        """
        with translated(self._location):
            status, result, _ = self.row(step.id)
            if status != DONE or result is None:
                raise self._unavailable(step, status)
            return self._load(step.name, result)

    def _load(self, name: str, result: int) -> object:
        stored = results_by_id(self.connection, [result]).get(result)
        if stored is None:
            raise DamagedResultError(
                f"the row of {name!r}'s result is damaged: run the pipeline again to compute it anew", digest=""
            )
        data = payload_of(self.connection, result)
        if data is None:
            data = self._objects.open(stored.digest, stored.suffix, stored.size)
        else:
            check_payload(name, data, stored.digest, stored.size)
        return decode_result(data, stored.codec, stored.codec_version)

    def _unavailable(self, step: KnownStep, status: int) -> ResultUnavailableError:
        error = error_of(self.connection, step.id)
        if status == FAILED and error is not None:
            return StepFailedError(
                f"step {step.name!r} failed with {error.type}: {error.message}\n\n{error.traceback}", step=step.name
            )
        if status == SKIPPED and error is not None:
            return StepSkippedError(
                f"step {step.name!r} was skipped: it needs {error.blame!r}, which has no result", step=step.name
            )
        what = "is running" if status == RUNNING else "has not run yet"
        return StepPendingError(f"step {step.name!r} {what}: call pipeline.execute() first", step=step.name)


def check_payload(name: str, data: bytes, digest: bytes, size: int) -> None:
    """Compare a small result with its digest before anything unpickles it."""
    if len(data) != size or xxh3_128_digest(data) != digest:
        raise DamagedResultError(
            f"the stored result of {name!r} is damaged (its digest is not {digest.hex()}): "
            "run the pipeline again to compute it anew",
            digest=digest.hex(),
        )


def params_of(step: KnownStep) -> dict[str, str]:
    """Parameter -> text of its value, as recorded."""
    return {name: text.rpartition(" #")[0] or text for name, text in json.loads(step.params).items()}
