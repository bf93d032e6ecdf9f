"""Reading a location without holding it: what a pipeline answers, and a cache read without its script."""

from __future__ import annotations

import ast
import json
import os
import pickle
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

from ezpyp.describe import describe, is_secret, plain
from ezpyp.errors import OptionError, StepPendingError, UnknownStepError
from ezpyp.explain.tree import secret_text
from ezpyp.graph.lookup import find_names
from ezpyp.pipeline.settings import path_text, tersely
from ezpyp.steps.function import Declarations
from ezpyp.steps.step import Step
from ezpyp.store.connection import open_as_owner
from ezpyp.store.reader import HOLDS_S, Reader
from ezpyp.store.rows import KnownStep, Status, StoredValue

if TYPE_CHECKING:
    from sqlite_utils import Database


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
        self._run: int | None = None
        self._holds_until = 0.0

    def result(self, step: Step | str, revision: int | None, params: Mapping[str, object]) -> object:
        """The result of one step; where the run that has just ended stored it, and nobody wrote since, from memory."""
        if isinstance(step, Step) and step.kept is not None and self._is_newest():
            self._check_own(step)
            with suppress(Exception):  # reading it back says what is wrong
                return pickle.loads(step.kept)
        return self._reader.value(self._recorded(step, revision, params))

    def keep(self, run: int) -> None:
        """A run has ended: what it stored and its steps keep at hand holds until there is a newer run."""
        self._run = run

    def _is_newest(self) -> bool:
        """Whether the run that filled the steps' memory is still the newest; asked once a millisecond."""
        if time.monotonic() < self._holds_until:
            return True
        if self._run is None:
            return False
        now = time.monotonic()
        with self._reader:
            newest = self._reader.number("SELECT max(run) FROM runs")
        if newest != self._run:
            self._run = None
            return False
        self._holds_until = now + HOLDS_S
        return True

    def results(self, steps: Sequence[Step]) -> list[object]:
        """The results of several steps, by one opening of the index."""
        if all(step.kept for step in steps):
            return [self.result(step, None, {}) for step in steps]
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
        """Close the index; the next question opens it again, and reads what it needs."""
        self._run, self._holds_until = None, 0.0
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


class Cache:
    """A location, read only; see `open_cache`, which makes one.

    Args:
        location: Folder of the cache.
        trust: Whether its pickles may be loaded although somebody else could have written them.

    Example:
        >>> from tempfile import mkdtemp
        >>> import ezpyp
        >>> folder = mkdtemp()
        >>> pipeline = ezpyp.Pipeline(folder, "doc")
        >>> step = pipeline.step(abs)(-3)
        >>> report = pipeline.execute(output="none")
        >>> cache = ezpyp.open_cache(folder)
        >>> cache.names(), cache.get_status("abs"), cache.get_result("abs")
        (['abs'], 0, 3)
    """

    def __init__(self, location: Path, *, trust: bool = False) -> None:
        self.location = location
        self._reader = Reader(location, trust=trust, stays_open=True)
        with self._reader:
            pass  # now, so that a missing cache is told where it is opened

    @tersely
    def names(self, pattern: str = "*", revision: int | None = None) -> list[str]:
        """Names of the steps of a revision that fit a pattern, by phase.

        Args:
            pattern: A glob in which brackets are literal.
            revision: The newest one by default.
        """
        literal = pattern.replace("[", "[[]")
        with self._reader:
            return [step.name for step in self._steps(revision) if fnmatchcase(step.name, literal)]

    @tersely
    def get_result(self, name: str, /, revision: int | None = None, **params: object) -> object:
        """The result of a step.

        Args:
            name: Its name, the function's name with ``params``, a glob, or a prefix.
            revision: Revision of the schema to look in; the newest by default.
            **params: Parameters that the step was called with.

        Raises:
            UnknownStepError: No step, or more than one, is meant.
            ResultUnavailableError: The step failed, was skipped or has not run; the message says which.
            DamagedResultError: What is stored is not what was stored.
        """
        stored = self._reader.at_hand(name) if revision is None and not params else None
        if stored is None:
            with self._reader:
                stored = self._reader.stored_of(find_step(self._reader, name, revision, params))
        return self._reader.value(stored)

    @tersely
    def get_status(self, name: str, /, revision: int | None = None, **params: object) -> int:
        """Status of a step: 0 done, 1 failed, 2 skipped, -1 never run, -2 running."""
        with self._reader:
            return self._reader.stored_of(find_step(self._reader, name, revision, params)).status

    @tersely
    def table(self, name: str = "*", revision: int | None = None) -> list[dict[str, object]]:
        """A row for each step of a function, or for each that fits a glob: parameters, status, seconds, result.

        A parameter whose recorded text does not say all of it is that text; the result of a step that has none
        is None.
        """
        literal = name.replace("[", "[[]")
        with self._reader:
            steps = self._steps(revision)
            found = [s for s in steps if s.name.split("[")[0] == name or fnmatchcase(s.name, literal)]
            return list(map(self._row, found, self._reader.stored_many(step.id for step in found)))

    @property
    def database(self) -> Database:
        """The index for questions of your own: sqlite-utils' ``Database``, which cannot write here.

        The views ``summary``, ``latest``, ``failures``, ``timeline`` and ``edges`` are what docs/views.md describes.
        Each access opens the index anew, and each query sees what runs have written by then.

        Example:
            >>> from tempfile import mkdtemp
            >>> import ezpyp
            >>> folder = mkdtemp()
            >>> pipeline = ezpyp.Pipeline(folder, "doc")
            >>> sweep = pipeline.step(abs).map([-1, -2])
            >>> report = pipeline.execute(output="none")
            >>> database = ezpyp.open_cache(folder).database
            >>> list(database.query("SELECT name, state FROM latest WHERE seconds < :longest", {"longest": 60}))
            [{'name': 'abs[x=-1]', 'state': 'done'}, {'name': 'abs[x=-2]', 'state': 'done'}]
            >>> database.close()
        """
        from sqlite_utils import Database  # 200 ms at import

        connection = open_as_owner(self.location).connection
        connection.execute(
            "ROLLBACK"
        )  # it is opened at one moment, and a long transaction would hold up a run's checkpoints
        return Database(connection, recursive_triggers=False)

    def _steps(self, revision: int | None) -> list[KnownStep]:
        return sorted(self._reader.declared(revision).values(), key=lambda step: (step.phase, step.id))

    def _row(self, step: KnownStep, stored: StoredValue | None) -> dict[str, object]:
        assert stored is not None, "a known step has a row"
        return {
            **plain_params(step),
            "name": step.name,
            "status": stored.status,
            "seconds": stored.seconds,
            "result": self._reader.value(stored) if stored.status == Status.DONE else None,
        }

    def __repr__(self) -> str:
        return f"Cache({str(self.location)!r})"


@tersely
def open_cache(location: str | os.PathLike[str], *, trust: bool = False) -> Cache:
    """Open a cache to read it: without its script, never creating anything, also while a run writes.

    Args:
        location: Folder of the cache.
        trust: Whether its pickles may be loaded although somebody else could have written them; ``EZPYP_TRUST=1``
            says the same.

    Raises:
        OptionError: ``location`` is no path.
        CacheNotFoundError: There is no cache.
        CacheFormatError: The index is none of ezpyp, or is of a newer format.

    Example:
        >>> from tempfile import mkdtemp
        >>> import ezpyp
        >>> folder = mkdtemp()
        >>> pipeline = ezpyp.Pipeline(folder, "doc")
        >>> sweep = pipeline.step(abs).map([-1, -2])
        >>> report = pipeline.execute(output="none")
        >>> cache = ezpyp.open_cache(folder)
        >>> cache.names("ab*")
        ['abs[x=-1]', 'abs[x=-2]']
        >>> cache.get_result("abs", x=-2)
        2
    """
    return Cache(Path(os.path.realpath(path_text(location, "location"))), trust=trust)
