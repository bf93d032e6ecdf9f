"""Facts about runs and steps: whether a run is alive, and everything that the index knows of one step."""

import json
import time
import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ezpyp.inspect.find import Found
from ezpyp.store.lock import Owner
from ezpyp.store.reader import NEWEST, Columns, Reader, Value
from ezpyp.store.rows import RunView, Status, StepView
from ezpyp.store.runs import circumstances_at
from ezpyp.store.schema_rows import PRESENT, manifest_of

# A step's row with status -2 is written so long after its start.
ANNOUNCED_S = 1.0
LAST_ROW = """
SELECT max(started_at + coalesce(seconds, (status = :running) * :announced)) FROM step_rows WHERE run = :run
"""


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds the location."""

    owner: Owner
    heartbeat: float | None
    is_dead: bool

    def __str__(self) -> str:
        if self.is_dead:
            return f"{self.owner}, which is gone"
        if self.heartbeat is None:
            return str(self.owner)
        return f"{self.owner}, last heard of {max(0, round(time.time() - self.heartbeat))} s ago"


def holder(reader: Reader) -> Holder | None:
    """Who holds the location, or None when nobody does (or what is written there means nothing)."""
    row = reader.one("SELECT owner, heartbeat FROM holder")
    if row is None or row[0] is None:
        return None
    try:
        owner = Owner(**json.loads(row[0]))
        return Holder(owner, row[1], owner.is_dead(row[1]))
    except (TypeError, ValueError):
        return None


def with_truth(run: RunView, holder: Holder | None) -> RunView:
    """The run, with status ``killed`` where it is recorded as running and is not.

    Nobody can write down that a run was killed: a run is alive only while its own process holds the location.
    """
    is_alive = holder is not None and not holder.is_dead and _holds(run, holder)
    return run if run.status != "running" or is_alive else run._replace(status="killed")


def end_of(reader: Reader, run: RunView, holder: Holder | None) -> float:
    """Until when a run is known to have gone on, in seconds since 1970; of a killed one the last row or heartbeat."""
    if run.seconds is not None:
        return run.started_at + run.seconds
    if run.status == "running":
        return max(run.started_at, time.time())
    values: dict[str, Value] = {"run": run.run, "running": int(Status.RUNNING), "announced": ANNOUNCED_S}
    (last,) = reader.must(LAST_ROW, values)
    heartbeat = holder.heartbeat if holder is not None and _holds(run, holder) else None
    return max(run.started_at, last or 0.0, heartbeat or 0.0)


def live_run(reader: Reader) -> int | None:
    """The run that goes on right now."""
    last = reader.run()
    return last.run if last and with_truth(last, holder(reader)).status == "running" else None


def state(step: StepView, live: int | None) -> str:
    """The status of a step as a word."""
    return word_of(step.status, step.run, live)


def word_of(status: int, run: int | None, live: int | None) -> str:
    """A status as a word; a step that was running when its run was killed is not running any more."""
    return "killed" if status == Status.RUNNING and run != live else Status(status).word


def _holds(run: RunView, holder: Holder) -> bool:
    return (run.host, run.pid) == (holder.owner.host, holder.owner.pid)


# Something ready for JSON, and as various.
Fact = dict[str, Any]

# Of the run that computed a result.
PROVENANCE = (
    "run", "revision", "started_at", "ranks", "user", "host", "rank", "command", "directory", "job",
    "git_commit", "git_dirty", "python", "ezpyp",
)  # fmt: skip


BLAME = "SELECT e.blame FROM steps s JOIN errors e ON e.step = s.id WHERE s.name = ? AND e.run = ?"


def step_facts(reader: Reader, found: Found) -> Fact:
    """Identity, arguments, neighbours, result, error and history of a step, ready for JSON."""
    step = found.step
    params, settings = reader.must("SELECT params, settings FROM steps WHERE id = ?", [step.step])
    return {
        "name": step.name,
        "phase": step.phase,
        "status": int(step.status),
        "cached": step.cached,
        "reason": step.reason,
        "revision": found.view.revision,
        "present": found.is_present,
        "key": step.key,
        "codec": step.codec,
        "params": reader.load(params),
        "manifest": trees_of(reader, step.step),
        "settings": reader.load(settings),
        "function": function_facts(reader, step.step),
        "args": step.args,
        "kwargs": step.kwargs,
        "upstream": _neighbours(reader, found, "e.step = :step", "e.upstream", "e.ordinal"),
        "downstream": _neighbours(reader, found, "e.upstream = :step", "e.step", "e.step"),
        "result": _result(reader, step),
        "run": step.run,
        "started_at": step.started_at,
        "seconds": step.seconds,
        "rank": step.rank,
        "host": step.host,
        "error": error_of(reader, step),
        "provenance": _provenance(reader, step),
        "history": _history(reader, step.name),
        "revisions": _revisions(reader, step.name),
    }


def _dicts(names: str, rows: Iterable[Columns]) -> list[Fact]:
    return [dict(zip(names.split(), row, strict=True)) for row in rows]


def trees_of(reader: Reader, step: int) -> dict[str, object]:
    """Parameter -> tree of its argument, where ``params`` does not say all."""
    with reader.translated():
        return manifest_of(reader.connection, step)


def function_facts(reader: Reader, step: int) -> Fact:
    """The function of a step, with its source as it was recorded."""
    *row, source = reader.must(
        "SELECT f.name, f.module, f.file, f.line, f.python, lower(hex(f.digest)), f.source FROM steps s"
        " JOIN functions f ON f.id = s.function WHERE s.id = ?",
        [step],
    )
    return _dicts("name module file line python digest", [tuple(row)])[0] | {"source": unpacked(source)}


def unpacked(data: bytes | None) -> str | None:
    """Text that stands compressed in the index; None where there is none, or it is damaged."""
    try:
        return None if data is None else zlib.decompress(data).decode()
    except (zlib.error, ValueError):
        return None


def _neighbours(reader: Reader, found: Found, where: str, other: str, order: str) -> list[Fact]:
    """The steps at the other end of a step's edges, as far as the same revision has them."""
    rows = reader.ask(
        f"SELECT s.name, e.kind, e.slot, coalesce(w.status, {Status.PENDING:d}), w.run FROM step_edges e"
        f" JOIN steps s ON s.id = {other} LEFT JOIN step_rows w ON w.step = s.id AND {NEWEST}"
        f" WHERE {where} AND {PRESENT} ORDER BY {order}",
        {"step": found.step.step, "run": found.view.run, "revision": found.view.revision},
    )
    return _dicts("name kind slot status run", rows)


def _result(reader: Reader, step: StepView) -> Fact | None:
    row = reader.one(
        "SELECT r.type, r.preview, r.size, r.codec, r.codec_version, lower(hex(r.digest)),"
        " lower(hex(r.value_digest)), lower(hex(r.input_key)), r.run, r.origin, d.reason FROM results r"
        " LEFT JOIN damages d ON d.result = coalesce(r.origin, r.id) WHERE r.id = ?",
        [step.result_id],
    )
    if row is None:
        return None
    names = "type preview size codec codec_version digest value_digest input_key run origin damage"
    files = reader.ask("SELECT path, size, lower(hex(digest)) FROM result_files WHERE result = ?", [step.result_id])
    observed = reader.ask("SELECT kind, name FROM observations WHERE result = ?", [step.result_id])
    more = {"files": _dicts("path size digest", files), "observed": _dicts("kind name", observed)}
    return _dicts(names, [row])[0] | {"path": step.result} | more


def error_of(reader: Reader, step: StepView) -> Fact | None:
    """Why a step failed, or which one that failed made it skip."""
    names = "type message file line blame traceback"
    columns = names.replace(" ", ", ")
    row = reader.one(f"SELECT {columns} FROM errors WHERE step = ? AND run = ?", [step.step, step.run])
    if row is None:
        return None
    chain = blamed_chain(reader, step)
    return _dicts(names, [row])[0] | {"blame": chain[-1] if chain else None}


def blamed_chain(reader: Reader, step: StepView) -> list[str]:
    """From the step that a skipped one needs up to the one that failed."""
    chain: list[str] = []
    name = step.name
    while row := reader.one(BLAME, [name, step.run]):
        (name,) = row
        if name is None or name in chain:
            break
        chain.append(name)
    return chain


def _provenance(reader: Reader, step: StepView) -> dict[str, object] | None:
    """The run that computed what a step has, which was an earlier one where it is cached; None where none ever did."""
    made_in = reader.one(
        "SELECT coalesce(o.run, r.run) FROM results r LEFT JOIN results o ON o.id = r.origin WHERE r.id = ?",
        [step.result_id],
    )
    number = made_in[0] if made_in else step.run
    run = reader.run(number) if number else None
    if run is None:
        return None
    ranked = reader.one("SELECT rank, host FROM step_rows WHERE step = ? AND run = ?", [step.step, number])
    rank, host = ranked or (None, None)
    facts: dict[str, object] = run._asdict() | {"rank": rank, "host": host or run.host}
    return {field: facts[field] for field in PROVENANCE} | {"libraries": _libraries(reader, step, run.run)}


def _libraries(reader: Reader, step: StepView, run: int) -> dict[str, str]:
    """Versions of the libraries that the function reads, as they were in a run."""
    (function,) = reader.must("SELECT function FROM steps WHERE id = ?", [step.step])
    with reader.translated():
        around = circumstances_at(reader.connection, function, run) or ()
    return {name: text for kind, name, _, text in around if kind == "library"}


def _history(reader: Reader, name: str) -> list[Fact]:
    rows = reader.ask(
        "SELECT w.run, u.revision, w.status, w.cached, lower(hex(s.key)), w.started_at, w.seconds, w.rank,"
        " w.host, r.preview, w.reason FROM steps s JOIN step_rows w ON w.step = s.id"
        " LEFT JOIN runs u ON u.run = w.run LEFT JOIN results r ON r.id = w.result"
        " WHERE s.name = ? ORDER BY w.run, s.id",
        [name],
    )
    facts = _dicts("run revision status cached key started_at seconds rank host result reason", rows)
    return [fact | {"cached": bool(fact["cached"])} for fact in facts]


def _revisions(reader: Reader, name: str) -> list[Fact]:
    rows = reader.ask(
        "SELECT c.revision, lower(hex(s.key)), c.present FROM steps s JOIN schema_changes c ON c.step = s.id"
        " WHERE s.name = ? ORDER BY c.revision, c.present",
        [name],
    )
    return [fact | {"present": bool(fact["present"])} for fact in _dicts("revision key present", rows)]
