"""Manifests: of what a step's arguments are made, as JSON, small ones in the step's row and large ones shared.

The row holds a JSON object of parameter -> tree (see `ezpyp.schema`). Where it would take over `ROW_LIMIT` bytes the
largest trees go to the table ``manifests``, once a digest, and a reference stands in their place: a configuration of
3 kB that 10,000 steps are given is stored once. The identities of functions and classes that arguments bring along
lie there too, under the digest that stands in the tree.
"""

from __future__ import annotations

import json
import sqlite3
import zlib
from collections.abc import Iterable, Mapping
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from xxhash import xxh3_64_hexdigest

ROW_LIMIT = 256
_REFERENCE = '"@'
_BATCH = 500


class Manifest(NamedTuple):
    """What stands in a step's row, and what must stand in the table of shared ones, by digest."""

    row: str
    shared: tuple[tuple[str, str], ...] = ()


def packed_manifest(trees: Mapping[str, str], codes: Mapping[str, str]) -> Manifest:
    """A manifest that keeps within a row.

    Args:
        trees: Parameter -> its tree as JSON.
        codes: Digest -> identity of a function or class, as JSON.

    Example:
        >>> packed_manifest({"x": '"1"'}, {})
        Manifest(row='{"x":"1"}', shared=())
        >>> len(packed_manifest({"x": '"%s"' % ("a" * 300)}, {}).row)
        25
    """
    kept = dict(trees)
    shared = dict(codes)
    row = _joined(kept)
    for name in sorted(kept, key=lambda name: -len(kept[name])) if len(row) > ROW_LIMIT else ():
        kept[name] = _moved(kept[name], shared)
        row = _joined(kept)
        if len(row) <= ROW_LIMIT:
            break
    return Manifest(row if len(row) <= ROW_LIMIT else _moved(row, shared), tuple(shared.items()))


def _joined(trees: Mapping[str, str]) -> str:
    return "{" + ",".join([f"{quoted(name)}:{tree}" for name, tree in trees.items()]) + "}"


def _moved(text: str, shared: dict[str, str]) -> str:
    """A reference in the place of a text that is shared from now on."""
    digest = xxh3_64_hexdigest(text.encode("utf-8", "surrogatepass"))
    shared[digest] = text
    return f'{_REFERENCE}{digest}"'


def record_manifests(connection: sqlite3.Connection, manifests: Iterable[Manifest]) -> None:
    """Record what manifests share, each digest once."""
    wanted = {bytes.fromhex(digest): text for manifest in manifests for digest, text in manifest.shared}
    digests = list(wanted)
    for start in range(0, len(digests), _BATCH):
        part = digests[start : start + _BATCH]
        query = f"SELECT digest FROM manifests WHERE digest IN ({','.join('?' * len(part))})"
        known = {row[0] for row in connection.execute(query, part)}
        connection.executemany(
            "INSERT INTO manifests (digest, content) VALUES (?, ?)",
            [(digest, zlib.compress(wanted[digest].encode("utf-8", "surrogatepass"))) for digest in part
             if digest not in known],
        )  # fmt: skip


def manifest_of(connection: sqlite3.Connection, step: int) -> dict[str, object]:
    """The trees of a recorded step's arguments by parameter.

    There is none where ``params`` says all, in an index of format 1, and where a shared one is damaged.

    Raises:
        ValueError: What is recorded means nothing.
    """
    if not _has_manifests(connection):
        return {}
    row = connection.execute("SELECT manifest FROM steps WHERE id = ?", (step,)).fetchone()
    trees = (_resolved(connection, json.loads(row[0])) if row and row[0] else None) or {}
    if not isinstance(trees, dict):
        raise ValueError("the manifest of a step is no JSON object")
    found = {name: _resolved(connection, tree) for name, tree in trees.items()}
    return {name: tree for name, tree in found.items() if tree is not None}


def _resolved(connection: sqlite3.Connection, tree: object) -> object:
    if not isinstance(tree, str) or not tree.startswith("@"):
        return tree
    text = shared_text(connection, tree[1:])
    return None if text is None else json.loads(text)


def shared_text(connection: sqlite3.Connection, digest: str) -> str | None:
    """A shared text by its digest, 16 hex characters; None where there is none, or none that can be read."""
    if not _has_manifests(connection):
        return None
    row = connection.execute("SELECT content FROM manifests WHERE digest = ?", (bytes.fromhex(digest),)).fetchone()
    try:
        return None if row is None else zlib.decompress(row[0]).decode("utf-8", "surrogatepass")
    except (zlib.error, UnicodeDecodeError):
        return None


def _has_manifests(connection: sqlite3.Connection) -> bool:
    """Whether the index has them: one of format 1 is read as it is."""
    return bool(connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'manifests'").fetchone())


# Small records that go between the index and the layers above it.


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
