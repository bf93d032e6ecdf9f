"""Results that a step adopts instead of running: its key may be new, the code and the values are not (early cutoff)."""

from __future__ import annotations

from collections.abc import Sequence

from ezpyp.execution.messages import DONE
from ezpyp.execution.recorder import Recorder
from ezpyp.execution.recovery import Recovery, record_damage
from ezpyp.execution.state import StepStates
from ezpyp.graph.program import Program
from ezpyp.store.damage import Damage
from ezpyp.store.objects import INLINE_LIMIT
from ezpyp.store.results import changed_files, files_of, result_of_input
from ezpyp.store.rows import KnownResult, NewResult, StoredResult


class Adoption:
    """Finds earlier results for steps whose upstreams are done.

    Args:
        states: The steps of the run.
        recovery: Which results must not be used again.
        recorder: Writes rows and lines.
    """

    def __init__(self, states: StepStates, recovery: Recovery, recorder: Recorder) -> None:
        self._states = states
        self._program = states.program
        self._recovery = recovery
        self._recorder = recorder
        self._connection = states.connection
        # An index without results has nothing to adopt: spares a query a step in a fresh cache.
        self._is_empty = self._connection.execute("SELECT 1 FROM results LIMIT 1").fetchone() is None
        self.duplicates = _duplicates(self._program, states.pending)
        """Steps of two names with one key: the later waits for the earlier and adopts its result."""

    def adopt(self, position: int) -> bool:
        """Use a result of this step, or of another of the same code, where there is one."""
        if not self._program.steps[position].function.options.cache or self._recovery.must_run(position):
            return False
        states = self._states
        first = self.duplicates.get(position)
        if first is not None and states.status[first] == DONE:
            self._set(position, states.results[first], states.ids[first])
            self._record_cached(position, f"the same as {self._program.names[first]}")
            return True
        input_key = states.inputs.get(position)
        if input_key is None or self._is_empty:
            return False
        known = states.start.known.get(self._program.keys[position])
        if known is not None and known.input_key == input_key:
            self._set(position, known, known.id)
            self._record_cached(position, None)
            return True
        return self._adopt_from_values(position, input_key)

    def _adopt_from_values(self, position: int, input_key: bytes) -> bool:
        stored = self._stored_by(input_key)
        if stored is None:
            return False
        result = NewResult(
            self._program.keys[position], input_key, stored.value_digest, stored.digest, stored.size, stored.codec,
            stored.codec_version, stored.suffix, stored.preview, "", None, self._origin_of(stored.id),
            files_of(self._connection, stored.id),
        )  # fmt: skip
        texts = self._states.texts(position)
        self._set(position, result, self._recorder.adopted(position, result, texts, "upstream values are the same"))
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
        if stored.size > INLINE_LIMIT and self._recovery.is_missing(stored):
            return self._recovery.set_aside(stored.id, stored, "its object is missing or has another size")
        what = changed_files(self._connection, {stored.id}).get(stored.id)
        return None if what is None else Damage(stored.id, what, None)

    def _origin_of(self, result: int) -> int:
        row = self._connection.execute("SELECT coalesce(origin, id) FROM results WHERE id = ?", (result,)).fetchone()
        return int(row[0])

    def _set(self, position: int, result: KnownResult | NewResult | None, id_: int) -> None:
        states = self._states
        states.status[position] = DONE
        states.results[position] = result
        states.ids[position] = id_
        states.is_cached[position] = True

    def _record_cached(self, position: int, reason: str | None) -> None:
        states = self._states
        self._recorder.cached(position, states.ids[position], states.texts(position), reason, say=True)


def _duplicates(program: Program, pending: Sequence[int]) -> dict[int, int]:
    first: dict[bytes, int] = {}
    duplicates = {}
    for position in pending:
        other = first.setdefault(program.keys[position], position)
        if other != position and program.steps[position].function.options.cache:
            duplicates[position] = other
    return duplicates
