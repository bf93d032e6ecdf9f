"""What rank 0 knows of each step of a run: where it started, its status and result, and the queue of what is left."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from ezpyp.errors import DamagedResultError
from ezpyp.execution.messages import DONE, PENDING, Ref
from ezpyp.execution.plan import token_of
from ezpyp.execution.scheduler import Scheduler
from ezpyp.graph.program import Program
from ezpyp.schema.records import resolved_texts
from ezpyp.store.results import payload_of, results_by_id
from ezpyp.store.rows import KnownResult, NewResult, StoredResult


class RunStart(NamedTuple):
    """What is known when a run begins.

    Attributes:
        program: The steps.
        known: The newest result of each key.
        found: The result of each step that is known before anything runs.
        rows: Status and result of each step's newest row, by position; None where all rows are current.
        location: The location.
        damaged: The newest damaged result of each key that has one.
        made: The step that made each file, and the digest of its content, by path.
        changed: For keys with a result that cannot be used: what the step read that is not as it was.
    """

    program: Program
    known: dict[bytes, KnownResult]
    found: Sequence[KnownResult | None]
    rows: Sequence[tuple[int, int | None] | None] | None
    location: str
    damaged: dict[bytes, KnownResult]
    changed: dict[bytes, str]
    made: dict[str, tuple[int, bytes]]


class StepStates:
    """Status, result and input key of each step, by position, and the queue of those that are left.

    The index is read for the rest of a result's row: of most results only the identity is ever needed.
    """

    scheduler: Scheduler

    def __init__(self, start: RunStart, connection: sqlite3.Connection, on_put_back: Callable[[int], None]) -> None:
        self.start = start
        self.program = start.program
        self.connection = connection
        self.status = [DONE if result else PENDING for result in start.found]
        self.is_cached = [result is not None for result in start.found]
        self.results: list[KnownResult | NewResult | None] = list(start.found)
        self.ids = [result.id if result else 0 for result in start.found]
        self.inputs: dict[int, bytes] = {}
        self._stored: dict[int, StoredResult] = {}
        self._on_put_back = on_put_back
        self._renewed: set[int] = set()

    @property
    def pending(self) -> list[int]:
        """The steps that have not come to an end."""
        return [position for position, status in enumerate(self.status) if status == PENDING]

    def is_running(self, position: int) -> bool:
        """Whether a step with upstreams was assigned and has not come back."""
        return self.status[position] == PENDING and position in self.inputs

    def unfinished(self, position: int) -> set[int]:
        """Upstreams of a step that have not come to an end."""
        return {up for up in self.program.upstreams(position) if self.status[up] == PENDING}

    def put_back(self, position: int) -> None:
        """A step that was taken has to wait for its upstreams once more."""
        self.inputs.pop(position, None)
        self._on_put_back(position)
        self.scheduler.put_back(position, self.unfinished(position))

    def reopen(self, position: int) -> None:
        """A step that was done is decided anew, and runs once more if nothing else gives its result."""
        self.results[position] = None
        self.ids[position] = 0
        self._stored.pop(position, None)
        self.status[position] = PENDING
        self.is_cached[position] = False
        self.inputs.pop(position, None)
        self.renew(position)
        self._on_put_back(position)
        self.scheduler.reopen(position, self.unfinished(position))

    def renew(self, position: int) -> None:
        """Ranks have to be sent a result again."""
        self._renewed.add(position)

    def renewed(self) -> Collection[int]:
        """Results that ranks have to be sent again; empty until there are more."""
        if not self._renewed:
            return ()
        renewed, self._renewed = self._renewed, set()
        return renewed

    def token(self, position: int) -> bytes:
        """What stands for a result in the input keys of its consumers."""
        result = self.results[position]
        assert result is not None
        if result.value_digest is not None:
            return result.value_digest
        cached = self.program.steps[position].function.options.cache
        return token_of(result, cached=cached, id_=self.ids[position])

    def ref(self, position: int) -> Ref:
        """Where the bytes of a result are; raises as `full` does."""
        result = self.full(position)
        payload = self.payload(position)
        return Ref(result.digest, result.size, result.codec, result.codec_version, result.suffix, payload)

    def payload(self, position: int) -> bytes | None:
        """The bytes of a small result, None where they are a file."""
        result = self.full(position)
        payload = result.payload if isinstance(result, NewResult) else None
        if payload is None:
            payload = payload_of(self.connection, self.ids[position])
            if payload is None and isinstance(result, NewResult) and result.origin is not None:
                payload = payload_of(self.connection, result.origin)  # its own row may not be committed yet
        return payload

    def full(self, position: int) -> StoredResult | NewResult:
        """All of a result's row but its bytes.

        Raises:
            DamagedResultError: It is not what was written.
        """
        result = self.results[position]
        if isinstance(result, NewResult):
            return result
        if position not in self._stored:
            id_, key = self.ids[position], self.program.keys[position]
            stored = results_by_id(self.connection, [id_]).get(id_)
            if stored is None or stored.key != key:
                raise DamagedResultError(
                    f"the row of the result of {self.program.names[position]!r} is damaged: set it aside with "
                    f"python -m ezpyp.inspect {shlex.quote(self.start.location)} verify --repair",
                    digest="",
                    what="its row has another checksum",
                )
            self._stored[position] = stored
        return self._stored[position]

    def texts(self, position: int) -> tuple[str | None, str | None]:
        """Arguments with the previews of results in place of steps: known without loading anything."""
        return resolved_texts(self.program, position, self._preview)

    def _preview(self, up: int) -> str:
        try:
            return f"TMP for {self.program.names[up]}" if self.results[up] is None else self.full(up).preview
        except DamagedResultError:
            return f"TMP for {self.program.names[up]}"  # only a text: whoever needs the result finds it damaged
