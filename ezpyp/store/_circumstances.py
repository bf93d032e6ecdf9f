"""What was around each function from run to run, and counts in no key: environment variables, versions of libraries.

A function is recorded once for each digest; what is around it may change while the digest stays. A row is written when
it differs from the row before, so that an unchanged script writes none.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ezpyp.hashing import FunctionIdentity, Part

KINDS = frozenset({"environment", "library"})
_NEWEST = "SELECT parts FROM circumstances WHERE function = ? AND run <= ? ORDER BY run DESC LIMIT 1"


def record_circumstances(connection: sqlite3.Connection, run: int, identities: Iterable[FunctionIdentity]) -> None:
    """Write down what is around the functions of a run, where it is not as it was; inside a transaction."""
    # One function may be decorated for thousands of steps.
    for identity in {identity.digest: identity for identity in identities}.values():
        parts = json.dumps([[p.kind, p.name, p.digest, p.text] for p in identity.parts if p.kind in KINDS])
        row = connection.execute("SELECT id FROM functions WHERE digest = ?", (identity.digest,)).fetchone()
        if row is None:
            continue  # the functions of an unchanged schema whose index was damaged: nothing to hang it on
        known = connection.execute(_NEWEST, (row[0], run)).fetchone()
        if parts != (known[0] if known else "[]"):
            connection.execute("INSERT INTO circumstances VALUES (?, ?, ?)", (row[0], run, parts))


def circumstances_at(connection: sqlite3.Connection, function: int, run: int) -> tuple[Part, ...] | None:
    """What was around a function in a run; None where that was not written down."""
    row = connection.execute(_NEWEST, (function, run)).fetchone()
    if row is None:
        return None
    from ezpyp.hashing import Part  # imported by runs; looking at a cache starts quicker without

    return tuple(Part(kind, name, digest=digest, text=text) for kind, name, digest, text in json.loads(row[0]))
