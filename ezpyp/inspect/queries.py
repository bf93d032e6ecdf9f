"""What the reader hands to the verbs: frozen rows."""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from typing import Any, Self

import click

from ezpyp.errors import DamagedIndexError, StoreError
from ezpyp.store.connection import INDEX_NAME as INDEX
from ezpyp.store.opening import SQL_ERRORS, OpenIndex, open_index, unreadable

# Something ready for JSON, and as various.
Fact = dict[str, Any]


class Status(IntEnum):
    """What became of a step."""

    RUNNING = -2
    PENDING = -1
    DONE = 0
    FAILED = 1
    SKIPPED = 2

    @property
    def word(self) -> str:
        """The status in words.

        Example:
            >>> Status.SKIPPED.word
            'skipped'
        """
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Run:
    """One ``execute()``; the fields are the columns of ``runs``."""

    run: int
    revision: int
    started_at: float
    finished_at: float | None
    status: str
    ranks: int
    host: str | None
    pid: int | None
    user: str | None
    command: str | None
    directory: str | None
    python: str | None
    ezpyp: str | None
    job: str | None
    total: int
    cached: int | None
    done: int | None
    failed: int | None
    skipped: int | None
    seconds: float | None
    busy_seconds: float | None
    git_commit: str | None
    git_dirty: bool | None


@dataclass(frozen=True, slots=True)
class Revision:
    """One recorded state of the schema."""

    revision: int
    recorded_at: float
    steps: int
    note: str


@dataclass(frozen=True, slots=True)
class View:
    """What a question is about: the steps of a revision, as they stood after a run.

    Args:
        revision: Number of the revision, 0 when none is recorded.
        run: Number of the run, 0 when none was made.
    """

    revision: int
    run: int


@dataclass(frozen=True, slots=True)
class StepRow:
    """One step as it stood after a run.

    Args:
        step: Number of the step's row, for further questions.
        key: 32 hex characters.
        cached: The run took the result from the cache.
        args: Values that stood in the call, as text; results of upstream steps filled in where known.
        result: Path of the object, or ``INDEX#DIGEST`` for a small one.
        result_id: Number of the result's row.
        run: The run that wrote the row.
    """

    step: int
    name: str
    phase: int
    status: Status
    cached: bool
    result: str | None
    key: str
    function: str
    args: str
    kwargs: str
    result_id: int | None
    seconds: float | None
    rank: int | None
    host: str | None
    codec: str
    run: int | None
    started_at: float | None
    reason: str | None


# Questions that several verbs put to an index, and the rows that answer them.

Value = str | int | float | bytes | None
# What a column holds is known by the query alone.
Columns = tuple[Any, ...]

# A step is in a revision when its last change up to there put it in. One lookup a step was chosen over
# grouping all changes: it costs nothing where a filter leaves few (of 10^6 steps, 100 failed: 60 ms, not 2.4 s).
PRESENT = (
    "(SELECT c.present FROM schema_changes c WHERE c.step = s.id AND c.revision <= :revision"
    " ORDER BY c.revision DESC LIMIT 1) = 1"
)
# The same for questions to all steps: few have another change than the one that put them in, and one scan finds
# those (of 10^6 steps: 0.1 s, not 1 s).
ALL_PRESENT = f"(s.id NOT IN (SELECT step FROM schema_changes WHERE present = 0 OR revision > :revision) OR {PRESENT})"
# Rows are written only when something changed, so of several the newest up to the run counts.
NEWEST = "w.run = (SELECT max(x.run) FROM step_rows x WHERE x.step = s.id AND x.run <= :run)"
WITH_ROW = f"steps s LEFT JOIN step_rows w ON w.step = s.id AND {NEWEST}"
FROM_STEPS = f"{WITH_ROW} WHERE {ALL_PRESENT}"
# CROSS JOIN keeps SQLite from walking all steps to find the few whose rows pass a filter.
FROM_ROWS = f"step_rows w CROSS JOIN steps s ON s.id = w.step WHERE {NEWEST} AND {PRESENT}"
FUNCTION = "(SELECT f.name FROM functions f WHERE f.id = s.function)"
# The inner query finds and sorts numbers alone, and the outer one looks up everything else for those that are left.
# LIMIT keeps SQLite from dropping the inner ORDER BY, and CROSS from taking another table first: under a join it may.
STEPS = f"""
SELECT s.id, s.name, s.phase, coalesce(w.status, -1), coalesce(w.status = 0 AND (w.cached OR w.run < :run), 0),
    lower(hex(o.digest)), o.suffix, o.payload IS NULL, lower(hex(s.key)), {FUNCTION},
    coalesce(w.args, s.args), coalesce(w.kwargs, s.kwargs), w.result, w.seconds, w.rank, w.host, s.codec, w.run,
    w.started_at, w.reason
FROM (SELECT s.id FROM {{source}} ORDER BY {{order}} LIMIT :limit) q CROSS JOIN steps s ON s.id = q.id
LEFT JOIN step_rows w ON w.step = s.id AND {NEWEST}
LEFT JOIN results r ON r.id = w.result LEFT JOIN results o ON o.id = coalesce(r.origin, r.id)
"""
DECLARED = ("s.phase", "s.id")

RUNS = """
SELECT run, revision, started_at, finished_at, status, ranks, host, pid, user, command, directory, python,
    ezpyp, job, total, cached, done, failed, skipped, seconds, busy_seconds, git_commit, git_dirty FROM runs
"""


class Reader:
    """A cache opened for reading.

    Args:
        cache: Folder of the cache.

    Raises:
        StoreError: There is no cache, or not one that can be read.
    """

    def __init__(self, cache: str | Path) -> None:
        self._index: OpenIndex = open_index(cache)
        self.location: Path = self._index.location
        self._stamp = self._stat()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    @property
    def file(self) -> Path:
        """The index."""
        return self.location / INDEX

    @property
    def connection(self) -> sqlite3.Connection:
        """The connection, for ``sql`` and its guard."""
        return self._index.connection

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
            raise DamagedIndexError(f"{self.file} is damaged: a row that others refer to is not there")
        return row

    @contextmanager
    def translated(self) -> Iterator[None]:
        """What SQLite says, and values that mean nothing, as errors of ours with the index's path."""
        try:
            yield
        except (*SQL_ERRORS, ValueError) as error:
            if getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_INTERRUPT:
                raise KeyboardInterrupt from error
            if self._index.is_frozen and self._stat() != self._stamp:
                raise StoreError(f"a run changed {self.file} in this very moment: ask again") from error
            raise unreadable(self.file, error, "cannot be read to its end, it is damaged") from error

    def meta(self) -> dict[str, str]:
        """Facts about the cache: format, pipeline_id, created_at, ezpyp."""
        return {str(name): str(value) for name, value in self.ask("SELECT name, value FROM meta")}

    def runs(self) -> list[Run]:
        """All runs, oldest first."""
        return [_run(row) for row in self.ask(RUNS + "ORDER BY run")]

    def run(self, number: int | None = None) -> Run | None:
        """The run of that number, or the last one."""
        row = self.one(RUNS + "WHERE ? IN (run, -1) ORDER BY run DESC", [-1 if number is None else number])
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

    def number(self, query: str, values: Sequence[Value] = ()) -> int:
        """First column of the first row; 0 where there is none."""
        row = self.one(query, values)
        return int(row[0] or 0) if row else 0

    def steps(
        self,
        view: View,
        where: str = "",
        values: dict[str, Value] | None = None,
        *,
        order: Sequence[str] = DECLARED,
        limit: int | None = None,
        have_run: bool = False,
    ) -> Iterator[StepRow]:
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

    def step(self, view: View, where: str, values: dict[str, Value]) -> StepRow | None:
        """The one step of a view that the condition fits."""
        bound = {"run": view.run, "revision": view.revision, "limit": 1} | values
        row = self.one(_steps(f"{WITH_ROW} WHERE {PRESENT} AND ({where})", DECLARED), bound)
        with self.translated():
            return self._step(row) if row else None

    def _step(self, row: Columns) -> StepRow:
        step, name, phase, status, cached, digest, suffix, is_file, *rest = row
        path = self.object_path(digest, suffix, bool(is_file)) if digest else None
        return StepRow(step, name, phase, Status(status), bool(cached), path, *rest)

    def object_path(self, digest: str, suffix: str, is_file: bool) -> str:
        """Where a result lies: a file under ``objects``, or a row of the index."""
        if is_file:
            return str(self.location / "objects" / digest[:2] / (digest[2:] + suffix))
        return f"{self.file}#{digest}"

    def _stat(self) -> tuple[int, int]:
        stat = self.file.stat()
        return stat.st_mtime_ns, stat.st_size


def _steps(source: str, order: Sequence[str]) -> str:
    return STEPS.format(source=source, order=", ".join(order))


def _run(row: Columns) -> Run:
    dirty = row[-1]
    return Run(*(*row[:-1], None if dirty is None else bool(dirty)))


def _range(what: str, last: int) -> str:
    return f"{what}s 1 to {last} are there" if last else f"there is no {what} yet"


# Filters of ``steps`` as a condition in SQL.

# A step that ran when its run was killed has the same number as one that runs.
STATES = {status.word: status for status in Status} | {"killed": Status.RUNNING}
States = frozenset[str]


def states(ctx: click.Context, param: click.Parameter, text: str | None) -> States | None:
    """States of steps, asked for as words or numbers, several parted by commas; click calls it."""
    if text is None:
        return None
    return frozenset(state for word in text.split(",") for state in _states(word.strip().lower(), ctx, param))


def _states(word: str, ctx: click.Context, param: click.Parameter) -> list[str]:
    found = [state for state, status in STATES.items() if word in (state, str(int(status)))]
    if not found:
        known = ", ".join(f"{state} ({status:d})" for state, status in STATES.items())
        raise click.BadParameter(f"{word!r} is no status; there are {known}", ctx, param)
    return found


@dataclass(slots=True)
class Where:
    """A condition that grows; values never stand in its text."""

    text: str
    values: dict[str, Value]

    def add(self, condition: str, **values: Value) -> None:
        """One more condition that must hold."""
        self.text += f"{' AND ' if self.text else ''}({condition})"
        self.values |= values


def add_states(where: Where, asked: States, live: int | None) -> None:
    """Only steps that stand in one of these ways; ``live`` is the run that goes on."""
    found = {STATES[state] for state in asked}
    numbers = ", ".join(str(int(status)) for status in sorted(found))
    # `<> 0` is how the partial index says it: SQLite uses it only where it reads the same words.
    is_few = not {Status.PENDING, Status.DONE} & found
    where.add(f"w.status <> 0 AND w.status IN ({numbers})" if is_few else f"coalesce(w.status, -1) IN ({numbers})")
    if len(asked & {"running", "killed"}) == 1:
        is_live = "IS" if "running" in asked else "IS NOT"
        where.add(f"coalesce(w.status, -1) <> -2 OR w.run {is_live} :live", live=live)


def glob(pattern: str) -> str:
    """A pattern for SQLite's GLOB, in which brackets are literal as they are in names.

    Example:
        >>> glob("alpha[x=*]")
        'alpha[[]x=*]'
    """
    return pattern.replace("[", "[[]")


# Counts of steps by phase and status.

# A status is looked up in one go, not joined: a third of the time.
STATUS = "(SELECT w.status FROM step_rows w WHERE w.step = s.id AND w.run <= :run ORDER BY w.run DESC LIMIT 1)"
COUNTS = (
    f"SELECT s.phase, coalesce({STATUS}, -1), count(*) FROM steps s WHERE {ALL_PRESENT} GROUP BY 1, 2 ORDER BY 1, 2"
)


@dataclass(slots=True)
class Phase:
    """One phase: how many steps are how."""

    phase: int
    counts: dict[Status, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        """All its steps."""
        return sum(self.counts.values())


def phases(reader: Reader, view: View) -> list[Phase]:
    """The phases of a view, lowest first."""
    found: dict[int, Phase] = {}
    for phase, status, number in reader.ask(COUNTS, {"run": view.run, "revision": view.revision}):
        found.setdefault(phase, Phase(phase)).counts[Status(status)] = number
    return list(found.values())


def phases_of_run(reader: Reader, run: Run) -> list[Phase]:
    """What a large run wrote down with its last rows, any run when it ended; nothing where neither is so."""
    (text,) = reader.must("SELECT phases FROM runs WHERE run = ?", [run.run])
    with reader.translated():
        return [
            Phase(int(phase), {Status(int(status)): int(number) for status, number in counts.items()})
            for phase, counts in reader.load(text).items()
        ]


# The dependencies of a view.


@dataclass(frozen=True, slots=True)
class Edge:
    """A step needs another: its value at a slot, or only that it is done (kind ``order``)."""

    step: int
    upstream: int
    kind: str
    slot: str


def edges_of(reader: Reader, view: View) -> list[Edge]:
    """All edges between steps of a view.

    A step that is in a revision has all its upstreams there: one key holds the others.
    """
    rows = reader.ask(
        "SELECT e.step, e.upstream, e.kind, e.slot FROM steps s JOIN step_edges e ON e.step = s.id"
        f" WHERE {PRESENT} ORDER BY e.step, e.ordinal",
        {"revision": view.revision},
    )
    return [Edge(*row) for row in rows]


# Upwards SQLite goes from edge to edge by itself: of a million steps, few are touched. Downwards there is no index,
# and its recursion would look at all edges again for each step of a chain (10,000 steps: minutes).
_UP = """
WITH RECURSIVE near(id) AS (VALUES (:step) UNION SELECT e.upstream FROM near JOIN step_edges e ON e.step = near.id)
SELECT e.step, e.upstream, e.kind, e.slot FROM near JOIN step_edges e ON e.step = near.id ORDER BY e.step, e.ordinal
"""
_DOWN = f"""
SELECT e.step, e.upstream, e.kind, e.slot FROM step_edges e JOIN steps s ON s.id = e.step
WHERE e.step IN (SELECT value FROM json_each(:steps)) AND {PRESENT} ORDER BY e.step, e.ordinal
"""


def reached_up(reader: Reader, step: int) -> list[Edge]:
    """All edges above a step, to the steps without upstream."""
    return [Edge(*row) for row in reader.ask(_UP, {"step": step})]


def reached_down(reader: Reader, view: View, step: int) -> list[Edge]:
    """All edges below a step that a view has."""
    below: dict[int, list[int]] = {}
    for lower, upper in reader.ask("SELECT step, upstream FROM step_edges"):
        below.setdefault(upper, []).append(lower)
    reached, level = {step}, {step}
    while level:
        level = {lower for upper in level for lower in below.get(upper, ())} - reached
        reached.update(level)
    rows = reader.ask(_DOWN, {"steps": json.dumps(sorted(reached)), "revision": view.revision})
    return [Edge(*row) for row in rows if row[1] in reached]
