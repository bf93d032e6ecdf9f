"""What runs again in the middle of a run, because a stored result turned out to be damaged.

The step whose result cannot be loaded runs again, whatever is known of it; who needs it waits. Its own upstreams
may be damaged too: it meets that itself when it runs, so healing goes up one level after another, and nothing
else runs. Where the new result is another than before (the function is not deterministic), both are kept, and
what was computed from the old one, in this run or an earlier one, is decided anew by its input key.
"""

from __future__ import annotations

import sqlite3
import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from ezpyp.errors import DamagedResultError
from ezpyp.execution.messages import DONE, Outcome
from ezpyp.execution.plan import token_of
from ezpyp.execution.recorder import Recorder
from ezpyp.execution.state import Progress, RunState
from ezpyp.graph.program import Program
from ezpyp.store.damage import Damage, damage_of, report_damage
from ezpyp.store.objects import INLINE_LIMIT, ObjectStore
from ezpyp.store.results import changed_files, files_of, result_of_input
from ezpyp.store.rows import KnownResult, NewResult, StoredResult

ATTEMPTS = 3
_AGAIN = "recomputed after damage"
_OTHER = "recomputed after damage, with another result than before"
UPSTREAM = "an upstream gave another result than before"


class Healing:
    """Which steps run again, and how their results compare with those of before.

    Args:
        progress: The steps of the run.
        damaged: Results that were found damaged before the run began, by position of their steps.
        objects: The objects of the location.
    """

    def __init__(self, progress: Progress, damaged: Mapping[int, KnownResult], objects: ObjectStore) -> None:
        self._progress = progress
        self._program = progress.program
        self._objects = objects
        self._attempts: Counter[tuple[int, int]] = Counter()
        self._dependents: dict[int, list[int]] | None = None
        self._again = set(damaged)  # run whatever is known of them
        self._outdated: set[int] = set()  # were handed out with a value that has changed since
        self._before: dict[int, tuple[KnownResult | NewResult, bytes]] = {}
        for position, known in damaged.items():
            cached = self._program.steps[position].function.options.cache
            self._before[position] = known, token_of(known, cached=cached, id_=known.id)

    @property
    def is_idle(self) -> bool:
        """Whether no step runs again."""
        return not self._before and not self._again and not self._outdated

    def must_run(self, position: int) -> bool:
        """Whether a step runs whatever is known of it."""
        return position in self._again

    def heal(self, position: int, upstreams: Collection[int]) -> list[Damage] | None:
        """Let upstreams that a step cannot load run again.

        Returns:
            The damages found, for the records; None where healing was tried often enough.
        """
        found = []
        for up in upstreams:
            if self._progress.status[up] != DONE:
                continue  # another rank told of it before
            damage = self._damage_of(up)
            seen_by = -1 if damage else position
            self._attempts[up, seen_by] += 1
            if self._attempts[up, seen_by] > ATTEMPTS:
                return None
            if damage:
                found.append(damage)
                self._again.add(up)
                self._reopen(up)
            else:
                self._progress.renew(up)  # whole as seen from here: a late file system, or healed meanwhile
        return found

    def _damage_of(self, position: int) -> Damage | None:
        """What is wrong with a result; its object is set aside."""
        results = self._progress.results
        try:
            row = results.full(position)
        except DamagedResultError as error:
            return Damage(results.ids[position], error.what, None)
        what = damage_of(self._objects, row, results.payload(position))
        return self.set_aside(results.ids[position], row, what) if what else None

    def set_aside(self, result: int, row: StoredResult | NewResult, what: str) -> Damage:
        """Keep what stands in the place of a damaged object."""
        return Damage(result, what, self._objects.set_aside(row.digest, row.suffix))

    def is_missing(self, row: StoredResult) -> bool:
        """Whether the object of a large result is gone, or has another size."""
        return bool(self._objects.missing([(row.digest, row.suffix, row.size)]))

    def _reopen(self, position: int) -> None:
        results = self._progress.results
        result = results[position]
        if result is not None:
            self._before[position] = result, results.token(position)
        self._progress.reopen(position)

    def marked(self, outcome: Outcome, result: NewResult) -> Outcome:
        """The outcome of a step that gave a result, with the reason why it had to run again."""
        why = None if self.is_idle else self._reason(outcome.position, result)
        return outcome._replace(reason="; ".join(filter(None, (why, outcome.reason)))) if why else outcome

    def _reason(self, position: int, result: NewResult) -> str | None:
        before = self._before.get(position)
        if position not in self._again:
            return UPSTREAM if before else None
        if before is None or before[0].input_key != result.input_key or _same(before[0], result):
            return _AGAIN
        if self._program.steps[position].function.options.cache:
            warnings.warn(
                f"{self._program.names[position]!r} gave another result than before with the same code and inputs: "
                "it is not deterministic. Both results are kept, the new one counts, and what was computed from the "
                "old one runs again",
                stacklevel=4,
            )
        return _OTHER

    def follow(self, position: int) -> None:
        """A step is done: decide anew what was computed from another value than it has now."""
        self._again.discard(position)
        before = self._before.pop(position, None)
        results = self._progress.results
        if position in self._outdated:
            self._outdated.discard(position)
            self._reopen(position)
        elif before is not None and results[position] is not None and before[1] != results.token(position):
            for down in self._dependents_of(position):
                if self._progress.status[down] == DONE:
                    self._reopen(down)
                elif self._progress.is_running(down):
                    self._outdated.add(down)

    def not_begun(self, position: int) -> None:
        """A step that was handed out did not run: it will be handed out again with the values of then."""
        self._outdated.discard(position)

    def _dependents_of(self, position: int) -> list[int]:
        if self._dependents is None:
            self._dependents = {}
            for down, values in enumerate(self._program.values):
                for up in set(values):
                    self._dependents.setdefault(up, []).append(down)
        return self._dependents.get(position, [])


def _same(one: KnownResult | NewResult, other: KnownResult | NewResult) -> bool:
    if one.value_digest is None or other.value_digest is None:
        return one.digest == other.digest
    return one.value_digest == other.value_digest


def record_damage(recorder: Recorder, connection: sqlite3.Connection, found: Sequence[Damage]) -> None:
    """Results count as absent from now on; the user is told of them."""
    for damage in found:
        recorder.damaged(damage)
    if found:
        report_damage(connection, found)


def given_up(outcome: Outcome) -> Outcome:
    """A step whose upstream is damaged whenever it was computed anew."""
    assert outcome.failure is not None
    message = (
        f"{outcome.failure.message} (it was damaged again after each of {ATTEMPTS} attempts to compute it anew: "
        "the disk or file system of the location loses data, or another program changes the files)"
    )
    return outcome._replace(failure=outcome.failure._replace(message=message))


# Results that a step takes over instead of running: what was computed before from the same code and values.


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
