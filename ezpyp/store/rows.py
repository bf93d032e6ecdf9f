"""Records that go between the index and the layers above it; those that are read have the names of the columns."""

# No `from __future__ import annotations`: a named tuple compiles each annotation that is a text, 2 ms here in all.
from enum import IntEnum
from typing import NamedTuple


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


class KnownResult(NamedTuple):
    """As much of a result as planning needs; the fields of a `StoredResult` of those names."""

    id: int
    key: bytes
    input_key: bytes | None
    value_digest: bytes | None
    digest: bytes
    size: int
    suffix: str


class StoredResult(NamedTuple):
    """A result as the index knows it, without its bytes.

    ``input_key`` is None where the step has no upstream; ``value_digest`` is None where nothing may be cut
    off through the value.
    """

    id: int
    key: bytes
    input_key: bytes | None
    value_digest: bytes | None
    digest: bytes
    size: int
    codec: str
    codec_version: int
    suffix: str
    preview: str
    checksum: bytes


class StoredValue(NamedTuple):
    """Newest status and result of a step, with the bytes of a small result; None in all columns that are not there."""

    step: int
    name: str
    step_key: bytes
    status: int
    seconds: float | None
    result: int | None
    key: bytes
    input_key: bytes | None
    value_digest: bytes | None
    digest: bytes | None
    size: int
    codec: str
    codec_version: int
    suffix: str
    checksum: bytes
    payload: bytes | None
    is_damaged: int


class Observation(NamedTuple):
    """What a step read beside its arguments: a ``file``, the names in a ``folder``, a ``variable`` of the environment.

    ``digest`` is that of the content (empty: it was not there), ``stamp`` what the file system said of it (empty: look
    at the content).
    """

    kind: str
    name: str
    digest: bytes
    stamp: bytes


class NamedFile(NamedTuple):
    """A file that a result names (`ezpyp.File`, or one in an `ezpyp.Folder`): its path, content and number of bytes."""

    path: str
    digest: bytes
    size: int


class NewResult(NamedTuple):
    """A result on its way into the index.

    ``origin`` is the result that it was adopted from; ``files`` are the files that it names; ``observed`` is what the
    step read beside its arguments.
    """

    key: bytes
    input_key: bytes | None
    value_digest: bytes | None
    digest: bytes
    size: int
    codec: str
    codec_version: int
    suffix: str
    preview: str
    type_name: str
    payload: bytes | None
    origin: int | None = None
    files: tuple[NamedFile, ...] = ()
    observed: tuple[Observation, ...] = ()


class FunctionRow(NamedTuple):
    """A function as it is recorded: ``record`` is JSON, ``source`` None where the source is not that of the code."""

    digest: bytes
    name: str
    module: str
    file: str
    line: int
    record: str
    source: str | None


class Manifest(NamedTuple):
    """What stands in a step's row, and what must stand in the table of shared ones, by digest."""

    row: str
    shared: tuple[tuple[str, str], ...] = ()


class StepRecord(NamedTuple):
    """What is recorded of a step's identity when a schema holds it for the first time."""

    name: str
    key: bytes
    function: bytes
    codec: str
    phase: int
    args: str
    kwargs: str
    params: str
    settings: str | None
    shape: bytes | None
    edges: tuple[tuple[int, str, str], ...]
    """``(position of the upstream in the same list of records, kind, slot)``."""
    manifest: Manifest | None = None
    """Of what the arguments are made; None where ``params`` says all."""


class KnownStep(NamedTuple):
    """A step as the index has it."""

    id: int
    name: str
    key: bytes
    function: int
    codec: str
    phase: int
    args: str
    kwargs: str
    params: str
    settings: str | None
    shape: bytes | None


class Edge(NamedTuple):
    """A recorded step needs another: its value at a slot (kind ``value``), or only that it is done (``order``)."""

    step: int
    upstream: int
    kind: str
    slot: str


class StepRow(NamedTuple):
    """What happened to a step in a run; None for ``args`` and ``kwargs`` means: as declared."""

    step: int
    run: int
    status: int
    cached: int
    result: int | None
    args: str | None
    kwargs: str | None
    started_at: float | None
    seconds: float | None
    rank: int | None
    host: str | None
    reason: str | None


class ErrorRow(NamedTuple):
    """Why a step failed (type, message, place, traceback), or which dependency made it skip (``blame``)."""

    step: int
    run: int
    type: str
    message: str
    file: str | None
    line: int | None
    traceback: str
    blame: str | None


class RunRow(NamedTuple):
    """The facts of a run that are known when it starts."""

    revision: int
    started_at: float
    ranks: int
    host: str
    pid: int
    user: str | None
    command: str
    directory: str
    python: str
    ezpyp: str
    job: str | None
    total: int
    git_commit: str | None = None


class RunView(NamedTuple):
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


class Revision(NamedTuple):
    """One recorded state of the schema."""

    revision: int
    recorded_at: float
    steps: int
    note: str


class View(NamedTuple):
    """What a question is about: the steps of a revision, as they stood after a run."""

    revision: int
    run: int


class StepView(NamedTuple):
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
