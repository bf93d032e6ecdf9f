"""Reading a location: by any rank, process or thread, also while a run writes it."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ezpyp.errors import (
    DamagedResultError,
    ResultUnavailableError,
    StepFailedError,
    StepPendingError,
    StepSkippedError,
    StoreError,
    UnknownStepError,
)
from ezpyp.store.connection import (
    SQL_ERRORS,
    OpenIndex,
    damaged_index,
    index_error,
    index_path,
    open_as_owner,
    open_index,
    translated,
)
from ezpyp.store.results import check_payload, files_of, has_checksum, newest_results
from ezpyp.store.rows import KnownStep, Revision, RunView, Status, StepView, StoredValue, View
from ezpyp.store.runs import error_of
from ezpyp.store.schema_rows import (
    ALL_PRESENT,
    PRESENT,
    check_intact,
    corrupt_steps,
    latest_revision,
    step_named,
    steps_of_revision,
    steps_recorded,
)
from ezpyp.store.tables import RESULT_PATH
from ezpyp.store.trust import check_trust

if TYPE_CHECKING:
    from ezpyp.store.objects import ObjectStore

Value = str | int | float | bytes | None
# What a column holds is known by the query alone.
Columns = tuple[Any, ...]


# Rows are written only when something changed, so of several the newest up to the run counts.
NEWEST = "w.run = (SELECT max(x.run) FROM step_rows x WHERE x.step = s.id AND x.run <= :run)"
WITH_ROW = f"steps s LEFT JOIN step_rows w ON w.step = s.id AND {NEWEST}"
FROM_STEPS = f"{WITH_ROW} WHERE {ALL_PRESENT}"
# CROSS JOIN keeps SQLite from walking all steps to find the few whose rows pass a filter.
FROM_ROWS = f"step_rows w CROSS JOIN steps s ON s.id = w.step WHERE {NEWEST} AND {PRESENT}"
FUNCTION = "(SELECT f.name FROM functions f WHERE f.id = s.function)"
DECLARED = ("s.phase", "s.id")
"""The order of declaration within each phase."""

_RUNS = f"SELECT {', '.join(RunView._fields)} FROM runs "
# The inner query finds and sorts numbers alone, and the outer one looks up everything else for those that are left.
# LIMIT keeps SQLite from dropping the inner ORDER BY, and CROSS from taking another table first: under a join it may.
_STEPS = f"""
SELECT s.id AS step, s.name, s.phase, coalesce(w.status, -1) AS status,
    coalesce(w.status = 0 AND (w.cached OR w.run < :run), 0) AS cached, {RESULT_PATH} AS result,
    lower(hex(s.key)) AS key, {FUNCTION} AS function, coalesce(w.args, s.args) AS args,
    coalesce(w.kwargs, s.kwargs) AS kwargs, w.result AS result_id, w.seconds, w.rank, w.host, s.codec, w.run,
    w.started_at, w.reason
FROM (SELECT s.id FROM {{source}} ORDER BY {{order}} LIMIT :limit) q CROSS JOIN steps s ON s.id = q.id
LEFT JOIN step_rows w ON w.step = s.id AND {NEWEST}
LEFT JOIN results r ON r.id = w.result LEFT JOIN results o ON o.id = coalesce(r.origin, r.id)
"""
# All that a value needs, in one indexed search. An adopted result shares the bytes of its origin.
_VALUE = """
SELECT s.id AS step, s.name, s.key AS step_key, coalesce(w.status, -1) AS status, w.seconds, w.result, r.key,
    r.input_key, r.value_digest, r.digest, r.size, r.codec, r.codec_version, r.suffix, r.checksum,
    coalesce(r.payload, (SELECT o.payload FROM results o WHERE o.id = r.origin)) AS payload,
    EXISTS (SELECT 1 FROM damages d WHERE d.result = r.id) AS is_damaged
"""
_STORED = f"""{_VALUE}FROM steps s
LEFT JOIN step_rows w ON w.step = s.id AND w.run = (SELECT max(x.run) FROM step_rows x WHERE x.step = s.id)
LEFT JOIN results r ON r.id = w.result
WHERE """
# Of several rows of a step the last one counts.
_STORED_AHEAD = f"""{_VALUE}FROM step_rows w JOIN steps s ON s.id = w.step LEFT JOIN results r ON r.id = w.result
WHERE w.step > ? AND w.step <= ? ORDER BY w.step, w.run
"""


# Values are mostly asked for in the order of declaration: from the second on so many rows are read at a time, which
# takes 1.5 us a row in place of 8. A row that was read ahead holds for so long without a look at the index, 4 us each.
_AHEAD = 512
HOLDS_S = 0.001


class Reader:
    """Reads one location, inside ``with``: one moment of it, whatever a run writes meanwhile.

    One thread at a time is inside; others wait. `stored` and `value` may be called by any thread, outside of it too.
    Between sessions the index may stay open, because opening it costs 0.3 ms; no transaction does. Trust is checked
    once for an open index. A forked child, or an index that was replaced or has another owner, is opened anew.

    Args:
        location: Folder of the cache.
        trust: Whether its pickles may be loaded although somebody else could have written them.
        stays_open: Whether the index stays open between sessions, until `close`.

    Raises:
        StoreError: On entering: there is no cache, or not one that can be read.
    """

    def __init__(self, location: str | Path, *, trust: bool = False, stays_open: bool = False) -> None:
        self.location = Path(os.path.abspath(location))
        self.file = index_path(self.location)
        self._trust = trust
        self._stays_open = stays_open
        self._index: OpenIndex | None = None
        self._parents: list[OpenIndex | None] = []
        self._begin_anew()

    def _begin_anew(self) -> None:
        """Forget what is open; a forked child neither uses nor closes its parent's connection."""
        self._pid = os.getpid()
        self._parents.append(self._index)  # dropping it would close it
        self._lock = threading.RLock()
        self._depth = 0
        self._index = None
        self._mark: object = None
        self._is_trusted = False
        self._forget()

    def _forget(self) -> None:
        """What was read holds no more: somebody wrote, or the index is opened anew."""
        self._version = 0
        self._newest: int | None = None
        self._by_name: dict[int, dict[str, KnownStep]] = {}
        self._looked_up = 0
        self._ahead: dict[int | tuple[str, bytes], StoredValue] = {}
        self._last_ahead = self._block = 0
        self._fresh_until = 0.0
        self._naming_files: frozenset[int] = frozenset()

    def __enter__(self) -> Self:
        if self._pid != os.getpid():
            self._begin_anew()
        self._lock.acquire()
        try:
            if self._depth == 0:
                self._begin()
        except BaseException:
            self._lock.release()
            raise
        self._depth += 1
        return self

    def _begin(self) -> None:
        if self._index is not None and self._mark != self._current_mark():
            self.close()
        if self._index is None:
            self._index = open_as_owner(self.location) if self._stays_open else open_index(self.location)
            self._mark = self._current_mark()
        else:
            self._index.connection.execute("BEGIN")
        (version,) = self._index.connection.execute("PRAGMA data_version").fetchone()
        if version != self._version:
            self._forget()
            self._version = version
            rows = self._index.connection.execute("SELECT DISTINCT result FROM result_files")
            self._naming_files = frozenset(result for (result,) in rows)
        self._fresh_until = time.monotonic() + HOLDS_S

    def _current_mark(self) -> tuple[int | None, ...] | None:
        """What an open connection belongs to: the file that lies there now, and whose it is; None where there is none.

        What is written later is not seen through a connection to a copy or to a read-only file: there it counts too.
        """
        try:
            status = os.stat(self.file)
        except OSError:
            return None
        mark = (status.st_dev, status.st_ino, status.st_uid, status.st_mode)
        if self._index is None or not (self._index.is_frozen or self._index.copy):
            return mark
        return *mark, status.st_mtime_ns, status.st_size, *_state_of(f"{self.file}-wal")

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._depth -= 1
        try:
            if self._depth == 0 and self._index is not None:
                if self._stays_open:
                    self._index.connection.execute("ROLLBACK")
                else:
                    self.close()
        finally:
            self._lock.release()
        if isinstance(error, SQL_ERRORS):
            raise index_error(self.location, error) from error

    def close(self) -> None:
        """Close the index; the last one to close it takes SQLite's helper files away."""
        if self._pid != os.getpid():
            return
        with self._lock:
            if self._index is not None:
                self._index.close()
            self._index, self._is_trusted = None, False
            self._forget()

    @property
    def connection(self) -> sqlite3.Connection:
        """The index, open for reading."""
        assert self._index is not None, "ask a Reader inside `with`"
        return self._index.connection

    # Questions in SQL, and what goes wrong with them.

    def ask(self, query: str, values: Sequence[Value] | dict[str, Value] = ()) -> Iterator[Columns]:
        """Rows of a query, one by one; what SQLite says against it becomes an error of ours."""
        with self.translated():
            # Not `yield from`: it would close the cursor of a generator that is dropped after the connection.
            for row in self.connection.execute(query, values):  # noqa: UP028
                yield row

    def load(self, text: str | None) -> Any:
        """What a column holds as JSON; an empty object for NULL."""
        with self.translated():
            return json.loads(text or "{}")

    def one(self, query: str, values: Sequence[Value] | dict[str, Value] = ()) -> Columns | None:
        """First row of a query, or None."""
        return next(self.ask(query, values), None)

    def must(self, query: str, values: Sequence[Value] | dict[str, Value] = ()) -> Columns:
        """The one row of a query that other rows promise."""
        row = self.one(query, values)
        if row is None:
            raise damaged_index(self.location, "a row that others refer to is not there")
        return row

    def number(self, query: str, values: Sequence[Value] = ()) -> int:
        """First column of the first row; 0 where there is none."""
        row = self.one(query, values)
        return int(row[0] or 0) if row else 0

    @contextmanager
    def translated(self) -> Iterator[None]:
        """What SQLite says, and values that mean nothing, as errors of ours with the index's path."""
        try:
            yield
        except (sqlite3.Error, ValueError) as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                raise KeyboardInterrupt from error
            if self._index is not None and self._index.is_frozen and self._mark != self._current_mark():
                raise StoreError(f"a run changed {self.file} in this very moment: ask again") from error
            raise index_error(self.location, error) from error

    # Runs and revisions.

    def meta(self) -> dict[str, str]:
        """Facts about the cache: format, pipeline_id, created_at, ezpyp."""
        return {str(name): str(value) for name, value in self.ask("SELECT name, value FROM meta")}

    def runs(self) -> list[RunView]:
        """All runs, oldest first."""
        return [_run(row) for row in self.ask(f"{_RUNS} ORDER BY run")]

    def run(self, number: int | None = None) -> RunView | None:
        """The run of that number, or the last one."""
        row = self.one(f"{_RUNS} WHERE ? IN (run, -1) ORDER BY run DESC", [-1 if number is None else number])
        return _run(row) if row else None

    def revisions(self) -> list[Revision]:
        """All revisions, oldest first."""
        rows = self.ask("SELECT revision, recorded_at, steps, note FROM revisions ORDER BY revision")
        return [Revision(*row) for row in rows]

    def view(self, *, run: int | None = None, revision: int | None = None) -> View:
        """The newest state, or that of a run (with its revision), or of a revision (with its last run).

        Raises:
            StoreError: There is no such run or revision.
        """
        newest = self.number("SELECT max(revision) FROM revisions")
        last = self.number("SELECT max(run) FROM runs")
        if run is None and revision is None:
            return View(newest, last)
        if run is not None:
            found = self.run(run)
            if found is None:
                raise StoreError(f"no run {run} at {self.location}; {_range('run', last)}")
            return View(found.revision if revision is None else revision, run)
        if revision is not None and not 1 <= revision <= newest:
            raise StoreError(f"no revision {revision} at {self.location}; {_range('revision', newest)}")
        later = self.number("SELECT min(run) - 1 FROM runs WHERE revision > ?", [revision])
        return View(revision or newest, later or last)

    # Steps as they stood after a run.

    def steps(
        self,
        view: View,
        where: str = "",
        values: dict[str, Value] | None = None,
        *,
        order: Sequence[str] = DECLARED,
        limit: int | None = None,
        have_run: bool = False,
    ) -> Iterator[StepView]:
        """Steps of a view.

        Args:
            view: Which revision, after which run.
            where: Condition over ``s`` (steps) and ``w`` (step_rows).
            values: Values of the condition's names.
            order: What to sort by.
            limit: How many at most; None for all.
            have_run: Leave out the steps that never ran; much faster where few of many rows pass.
        """
        source = FROM_ROWS if have_run else FROM_STEPS
        source += f" AND ({where})" if where else ""
        bound = {"run": view.run, "revision": view.revision, "limit": -1 if limit is None else limit} | (values or {})
        with self.translated():
            if limit is not None and order == DECLARED and not have_run:
                # Steps of one phase stand in the order of the table, so that the search ends with the last one wanted.
                first = list(self.ask(_steps(f"{source} AND s.phase = 0", order), bound))
                if len(first) == limit:
                    yield from map(self._step, first)
                    return
            for row in self.ask(_steps(source, order), bound):
                yield self._step(row)

    def step(self, view: View, where: str, values: dict[str, Value]) -> StepView | None:
        """The one step of a view that the condition fits."""
        bound = {"run": view.run, "revision": view.revision, "limit": 1} | values
        row = self.one(_steps(f"{WITH_ROW} WHERE {PRESENT} AND ({where})", DECLARED), bound)
        with self.translated():
            return self._step(row) if row else None

    def _step(self, row: Columns) -> StepView:
        step, name, phase, status, cached, path, *others = row
        place = None if path is None else f"{self.location}{path}"
        return StepView(step, name, phase, Status(status), bool(cached), place, *others)

    # Steps as they were declared.

    def declared(self, revision: int | None = None) -> Mapping[str, KnownStep]:
        """Steps of a revision by name, in order of their first declaration; of the newest one by default.

        Raises:
            UnknownStepError: There is no such revision.
            DamagedIndexError: A row is not what was written: a name or a parameter may lead to another step's result.
        """
        newest = self._revision(None)
        if revision is not None and not 1 <= revision <= newest:
            raise UnknownStepError(f"there is no revision {revision}; the newest is {newest}", name=str(revision))
        number = newest if revision is None else revision
        if number not in self._by_name:
            steps = steps_of_revision(self.connection, number)
            corrupt = corrupt_steps(self.connection)
            check_intact(self.location, [step.name for step in steps if step.id in corrupt])
            self._by_name[number] = {step.name: step for step in steps}
        return self._by_name[number]

    def _revision(self, revision: int | None) -> int:
        """The number of a revision, of the newest one by default."""
        if self._newest is None:
            self._newest = latest_revision(self.connection)[0]
        return self._newest if revision is None else revision

    def declared_as(self, name: str, revision: int | None = None) -> KnownStep | None:
        """The step of that very name in a revision, without a look at all the others until many were asked for."""
        number = self._revision(revision)
        self._looked_up += 1
        if number not in self._by_name and 16 * self._looked_up > steps_recorded(self.connection, number):
            self.declared(revision)
        if number in self._by_name:
            return self._by_name[number].get(name)
        step = step_named(self.connection, name, number)
        if step is not None:
            check_intact(self.location, corrupt_steps(self.connection, [step.id]).values())
        return step

    def check_complete(self, revision: int | None = None) -> None:
        """A step that is not there is one thing, one whose row cannot be read any more is another.

        Raises:
            DamagedIndexError: Rows of the revision's steps are missing.
        """
        found = len(self.declared(revision))
        recorded = steps_recorded(self.connection, self._revision(revision))
        if found < recorded:
            raise damaged_index(self.location, f"it has rows of {found} of its {recorded} steps")

    # Values.

    def stored(self, name: str, key: bytes) -> StoredValue | None:
        """Newest status and result of a recorded step; None where none is recorded with that name and key."""
        return self._stored((name, key))

    def stored_of(self, step: KnownStep) -> StoredValue:
        """Newest status and result of a step."""
        found = self._stored(step.id)
        assert found is not None, "a known step has a row"
        return found

    def at_hand(self, name: str) -> StoredValue | None:
        """The same for the step of that name in the newest revision; None where only the index can tell."""
        if time.monotonic() < self._fresh_until and (steps := self._by_name.get(self._newest or 0)) and name in steps:
            return self._ahead.get(steps[name].id)
        return None

    def stored_many(self, keys: Iterable[int | tuple[str, bytes] | None]) -> list[StoredValue | None]:
        """The same for many steps at one moment of the index, each by its id, or by its name and key."""
        with self:
            return [None if key is None else self._ahead.get(key) or self._look_up(key) for key in keys]

    def _stored(self, key: int | tuple[str, bytes]) -> StoredValue | None:
        if time.monotonic() < self._fresh_until and (found := self._ahead.get(key)) is not None:
            return found
        with self:
            return self._ahead.get(key) or self._look_up(key)

    def _look_up(self, key: int | tuple[str, bytes]) -> StoredValue | None:
        """The row of a step by its id, or by its name and key; and what follows it, if that is worth it."""
        condition, values = ("s.id = ?", (key,)) if isinstance(key, int) else ("s.name = ? AND s.key = ?", key)
        row = self.connection.execute(f"{_STORED} {condition}", values).fetchone()
        if row is None:
            return None
        found = StoredValue._make(row)
        self._read_ahead(found.step, by_id=isinstance(key, int))
        return found

    def _read_ahead(self, step: int, *, by_id: bool) -> None:
        """Read what follows a step, more and more while each block was read to its end."""
        self._block = min(_AHEAD, 16 + 2 * self._block) if step == self._last_ahead + 1 else 0
        self._ahead = {}
        if self._block:
            found = self.connection.execute(_STORED_AHEAD, (step, step + self._block))
            # As `StoredValue._make` does, in a quarter of its time.
            rows = [tuple.__new__(StoredValue, row) for row in found]
            self._ahead = {row.step if by_id else (row.name, row.step_key): row for row in rows}
        self._last_ahead = step + self._block

    def value(self, stored: StoredValue) -> object:
        """The result of a step; decoded outside of a session, so that other threads may read meanwhile.

        Raises:
            ResultUnavailableError: It failed, was skipped, runs, or has not run.
            DamagedResultError: What is stored is not what was stored.
            DamagedIndexError: The row of the step leads nowhere.
            UntrustedCacheError: Somebody else could have written the pickle.
        """
        if stored.status != Status.DONE or stored.result is None:
            with self, translated(self.location):
                raise self._unavailable(stored)
        if not self._is_trusted:
            check_trust(self.location, trust=self._trust)
            self._is_trusted = True
        if stored.result in self._naming_files:
            with self, translated(self.location):
                files = files_of(self.connection, stored.result)
            for file in files:
                self._objects.put_back(file)
        if stored.digest is None or (stored.key != stored.step_key and has_checksum(stored)):
            raise damaged_index(self.location, f"the row of step {stored.name!r} leads to no result of its own")
        try:
            return self._decoded(stored, stored.digest)
        except DamagedResultError:
            from ezpyp.store.damage import mark_damage

            mark_damage(self.location, stored.digest)
            raise

    def _decoded(self, stored: StoredValue, digest: bytes) -> object:
        if stored.is_damaged or not has_checksum(stored):
            raise DamagedResultError(
                f"the row of {stored.name!r}'s result is damaged: run the pipeline again to compute it anew", digest=""
            )
        if stored.payload is None:
            data = self._objects.open(digest, stored.suffix, stored.size)
            return self._decode(data, stored.codec, stored.codec_version)
        check_payload(stored.name, stored.payload, digest, stored.size)
        return self._decode(stored.payload, stored.codec, stored.codec_version)

    # Both are imported by runs; looking at a cache starts quicker without.

    @cached_property
    def _objects(self) -> ObjectStore:
        from ezpyp.store.objects import ObjectStore

        return ObjectStore(self.location, trust=self._trust)

    @cached_property
    def _decode(self) -> Callable[..., object]:
        from ezpyp.store.codecs.encoded import decode_result

        return decode_result

    def _unavailable(self, stored: StoredValue) -> ResultUnavailableError:
        name, error = stored.name, error_of(self.connection, stored.step)
        if stored.status == Status.FAILED and error is not None:
            return StepFailedError(
                f"step {name!r} failed with {error.type}: {error.message}\n\n{error.traceback}", step=name
            )
        if stored.status == Status.SKIPPED and error is not None:
            return StepSkippedError(f"step {name!r} was skipped: it needs {self._root_cause(error.blame)}", step=name)
        if stored.status == Status.RUNNING:
            return StepPendingError(f"step {name!r} is running: call pipeline.execute() first", step=name)
        way_on = "call pipeline.execute() first"
        if newest_results(self.connection, [stored.step_key]):
            way_on += f"; if that does not help, {damaged_index(self.location, 'a result is there')}"
        return StepPendingError(f"step {name!r} has not run yet: {way_on}", step=name)

    def _root_cause(self, blame: str | None) -> str:
        """The dependency, and where that was skipped too, the failed step at the bottom."""
        text, bottom = repr(blame), blame
        by_name = self.declared()
        while bottom is not None and bottom in by_name:
            error = error_of(self.connection, by_name[bottom].id)
            if error is None:
                break
            if error.blame is None:
                failed = f"which failed with {error.type}: {error.message}"
                return f"{text}, {failed}" if bottom == blame else f"{text}, which needs {bottom!r}, {failed}"
            bottom = error.blame
        return f"{text}, which has no result"


def _state_of(log: str) -> tuple[int | None, ...]:
    """Size and time of SQLite's log; its size alone tells nothing, since a log is written from its start again."""
    try:
        status = os.stat(log)
    except OSError:
        return None, None
    return status.st_size, status.st_mtime_ns


def _steps(source: str, order: Sequence[str]) -> str:
    return _STEPS.format(source=source, order=", ".join(order))


def _run(row: Columns) -> RunView:
    found = RunView(*row)
    return found if found.git_dirty is None else found._replace(git_dirty=bool(found.git_dirty))


def _range(what: str, last: int) -> str:
    return f"{what}s 1 to {last} are there" if last else f"there is no {what} yet"
