"""What runs again in the middle of a run, because a stored result turned out to be damaged.

The step whose result cannot be loaded runs again, whatever is known of it; who needs it waits. Its own upstreams
may be damaged too: it meets that itself when it runs, so recovery goes up one level after another, and nothing
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
from ezpyp.execution.state import StepStates
from ezpyp.store.damage import Damage, damage_of, report_damage
from ezpyp.store.objects import ObjectStore
from ezpyp.store.rows import KnownResult, NewResult, StoredResult

ATTEMPTS = 3
_AGAIN = "recomputed after damage"
_OTHER = "recomputed after damage, with another result than before"
UPSTREAM = "an upstream gave another result than before"


class Recovery:
    """Which steps run again, and how their results compare with those of before.

    ``damaged`` are results that were found so before the run began, by position of their steps.
    """

    def __init__(self, states: StepStates, damaged: Mapping[int, KnownResult], objects: ObjectStore) -> None:
        self._states = states
        self._program = states.program
        self.objects = objects
        self._attempts: Counter[tuple[int, int]] = Counter()
        self._dependents: dict[int, list[int]] | None = None
        self._again = set(damaged)  # run whatever is known of them
        self._outdated: set[int] = set()  # were assigned with a value that has changed since
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

    def recover(self, position: int, upstreams: Collection[int]) -> list[Damage] | None:
        """Let upstreams that a step cannot load run again; the damages, or None where that was tried often enough."""
        found = []
        for up in upstreams:
            if self._states.status[up] != DONE:
                continue  # another rank reported it before
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
                self._states.renew(up)  # whole as seen from here: a late file system, or computed anew meanwhile
        return found

    def _damage_of(self, position: int) -> Damage | None:
        """What is wrong with a result; its object is set aside."""
        states = self._states
        try:
            row = states.full(position)
        except DamagedResultError as error:
            return Damage(states.ids[position], error.what, None)
        what = damage_of(self.objects, row, states.payload(position))
        return self.set_aside(states.ids[position], row, what) if what else None

    def set_aside(self, result: int, row: StoredResult | NewResult, what: str) -> Damage:
        """Keep what stands in the place of a damaged object."""
        return Damage(result, what, self.objects.set_aside(row.digest, row.suffix))

    def is_missing(self, row: StoredResult) -> bool:
        """Whether the object of a large result is gone, or has another size."""
        return bool(self.objects.missing([(row.digest, row.suffix, row.size)]))

    def _reopen(self, position: int) -> None:
        result = self._states.results[position]
        if result is not None:
            self._before[position] = result, self._states.token(position)
        self._states.reopen(position)

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
        states = self._states
        if position in self._outdated:
            self._outdated.discard(position)
            self._reopen(position)
        elif before is not None and states.results[position] is not None and before[1] != states.token(position):
            for down in self._dependents_of(position):
                if states.status[down] == DONE:
                    self._reopen(down)
                elif states.is_running(down):
                    self._outdated.add(down)

    def not_begun(self, position: int) -> None:
        """An assigned step did not run: it will be assigned again, with the values of then."""
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
    """Results count as absent from now on; the user is warned."""
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
