"""Where a result came from: who made it, with which command, code, Python and libraries."""

from dataclasses import asdict

from ezpyp.inspect._reader import Reader
from ezpyp.inspect._rows import StepRow
from ezpyp.store import circumstances_at

FIELDS = (
    "run", "revision", "started_at", "ranks", "user", "host", "rank", "command", "directory", "job",
    "git_commit", "git_dirty", "python", "ezpyp",
)  # fmt: skip


def provenance(reader: Reader, step: StepRow) -> dict[str, object] | None:
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
    facts: dict[str, object] = asdict(run) | {"rank": rank, "host": host or run.host}
    return {field: facts[field] for field in FIELDS} | {"libraries": _libraries(reader, step, run.run)}


def _libraries(reader: Reader, step: StepRow, run: int) -> dict[str, str]:
    """Versions of the libraries that the function reads, as they were in a run."""
    (function,) = reader.must("SELECT function FROM steps WHERE id = ?", [step.step])
    with reader.translated():
        around = circumstances_at(reader.connection, function, run) or ()
    return {part.name: part.text for part in around if part.kind == "library"}
