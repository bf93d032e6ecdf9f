"""What steps said: a row only where one said something, compressed."""

from __future__ import annotations

import sqlite3
import zlib
from collections.abc import Iterable
from typing import NamedTuple

from ezpyp.errors import DamagedIndexError

WORTH_BYTES = 200
"""Shorter texts are stored as they are: zlib would make hardly less of them, and they read well in ``sqlite3``."""


class OutputRow(NamedTuple):
    """What a step said in a run; the step's row id, and the bytes of each stream."""

    step: int
    run: int
    stdout: bytes
    stderr: bytes
    log: bytes


def insert_outputs(connection: sqlite3.Connection, rows: Iterable[OutputRow]) -> None:
    """Write what steps said; a step that runs twice in one run says it anew."""
    packed = [(row.step, row.run, *(_packed(text) for text in row[2:])) for row in rows]
    connection.executemany("INSERT OR REPLACE INTO outputs VALUES (?, ?, ?, ?, ?)", packed)


def output_of(connection: sqlite3.Connection, step: int, run: int) -> OutputRow | None:
    """What a step said in a run; None where it was silent, or ran before its words were kept.

    Raises:
        DamagedIndexError: The row is damaged.
    """
    try:
        row = connection.execute(
            "SELECT stdout, stderr, log FROM outputs WHERE step = ? AND run = ?", (step, run)
        ).fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None  # an older index that nobody has written to since
        raise
    try:
        return None if row is None else OutputRow(step, run, *map(_unpacked, row))
    except zlib.error as error:
        raise DamagedIndexError(
            f"what step {step} said in run {run} cannot be read: its row is damaged ({error})"
        ) from error


def _packed(text: bytes) -> bytes | None:
    if not text:
        return None
    # A first byte that no text begins with tells them apart.
    return b"\0" + zlib.compress(text) if len(text) > WORTH_BYTES or text[:1] == b"\0" else text


def _unpacked(blob: bytes | None) -> bytes:
    if not blob:
        return b""
    return zlib.decompress(blob[1:]) if blob[:1] == b"\0" else bytes(blob)
