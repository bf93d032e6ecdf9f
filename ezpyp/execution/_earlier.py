"""Results that a step takes over instead of running: what was computed before from the same code and values."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

from ezpyp.execution._healing import Healing, record_damage
from ezpyp.execution._outcome import DONE
from ezpyp.execution._progress import Progress
from ezpyp.execution._recorder import Recorder
from ezpyp.execution._state import RunState
from ezpyp.graph import Program
from ezpyp.store import (
    INLINE_LIMIT,
    Damage,
    KnownResult,
    NewResult,
    StoredResult,
    changed_files,
    files_of,
    result_of_input,
)


class EarlierResults:
    """What steps whose upstreams are done can take over: the key may be new, the values are not.

    Args:
        state: What is known when the run begins.
        progress: How far the steps have come.
        healing: Which results must not be used again.
        recorder: Writes rows and lines.
        connection: The index, for lookups.
    """

    def __init__(
        self, state: RunState, progress: Progress, healing: Healing, recorder: Recorder, connection: sqlite3.Connection
    ) -> None:
        self._program = state.program
        self._known = state.known
        self._progress = progress
        self._healing = healing
        self._recorder = recorder
        self._connection = connection
        # Nothing can be taken over from an index without results: spares a query a step in a fresh cache.
        self._is_empty = connection.execute("SELECT 1 FROM results LIMIT 1").fetchone() is None
        self.twins = _twins(state.program, progress.pending)
        """Steps of two names with one key: the later waits for the earlier and takes its result."""

    def take_over(self, position: int) -> bool:
        """Use a result of this step, or of another of the same code, where there is one."""
        if not self._program.steps[position].function.options.cache or self._healing.must_run(position):
            return False
        twin = self.twins.get(position)
        if twin is not None and self._progress.status[twin] == DONE:
            self._take_from_twin(position, twin)
            return True
        input_key = self._progress.inputs.get(position)
        if input_key is None or self._is_empty:
            return False
        known = self._known.get(self._program.keys[position])
        if known is not None and known.input_key == input_key:
            self._take(position, known, known.id)
            self._say(position, None)
            return True
        return self._take_from_values(position, input_key)

    def _take_from_twin(self, position: int, twin: int) -> None:
        results = self._progress.results
        self._take(position, results[twin], results.ids[twin])
        self._say(position, f"the same as {self._program.names[twin]}")

    def _take_from_values(self, position: int, input_key: bytes) -> bool:
        stored = self._stored_by(input_key)
        if stored is None:
            return False
        result = NewResult(
            self._program.keys[position], input_key, stored.value_digest, stored.digest, stored.size, stored.codec,
            stored.codec_version, stored.suffix, stored.preview, "", None, self._origin_of(stored.id),
            files_of(self._connection, stored.id),
        )  # fmt: skip
        texts = self._progress.results.texts(position)
        id_ = self._recorder.taken_over(position, result, texts, "upstream values are the same")
        self._take(position, result, id_)
        return True

    def _stored_by(self, input_key: bytes) -> StoredResult | None:
        """A result that was computed from the same values, and whose object and files are there."""
        while (stored := result_of_input(self._connection, input_key)) is not None:
            damage = self._damage_of(stored)
            if damage is None:
                break
            record_damage(self._recorder, self._connection, [damage])
        return stored

    def _damage_of(self, stored: StoredResult) -> Damage | None:
        if stored.size > INLINE_LIMIT and self._healing.is_missing(stored):
            return self._healing.set_aside(stored.id, stored, "its object is missing or has another size")
        what = changed_files(self._connection, {stored.id}).get(stored.id)
        return None if what is None else Damage(stored.id, what, None)

    def _origin_of(self, result: int) -> int:
        row = self._connection.execute("SELECT coalesce(origin, id) FROM results WHERE id = ?", (result,)).fetchone()
        return int(row[0])

    def _take(self, position: int, result: KnownResult | NewResult | None, id_: int) -> None:
        progress = self._progress
        progress.status[position] = DONE
        progress.results[position] = result
        progress.results.ids[position] = id_
        progress.is_cached[position] = True

    def _say(self, position: int, reason: str | None) -> None:
        results = self._progress.results
        self._recorder.cached(position, results.ids[position], results.texts(position), reason, say=True)


def _twins(program: Program, pending: Sequence[int]) -> dict[int, int]:
    first: dict[bytes, int] = {}
    twins = {}
    for position in pending:
        other = first.setdefault(program.keys[position], position)
        if other != position and program.steps[position].function.options.cache:
            twins[position] = other
    return twins
