"""Small records that go between the index and the layers above it.

NamedTuples where one is made for every step: a frozen dataclass takes four times as long to build
(about 1.2 us against 0.3), which would be a tenth of the whole budget of a trivial step.
"""

from __future__ import annotations

from typing import NamedTuple

from ezpyp.store._manifests import Manifest


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
    off through the value. ``payload`` is None for a result that is a file, or whose bytes were not read.
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
    payload: bytes | None = None


class NewResult(NamedTuple):
    """A result on its way into the index.

    ``origin`` is the result it was taken over from; ``files`` are the files that it names, each with the
    digest of its content.
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
    files: tuple[tuple[str, bytes], ...] = ()


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
    """One upstream of a recorded step: its id, ``value`` or ``order``, and where it stands."""

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
