"""The results of a run as rank 0 knows them: rows, not values."""

from __future__ import annotations

import shlex
import sqlite3
from collections.abc import Sequence

from ezpyp.errors import DamagedResultError
from ezpyp.execution._outcome import Ref
from ezpyp.execution._plan import token_of
from ezpyp.graph import Program
from ezpyp.schema import resolved_texts
from ezpyp.store import KnownResult, NewResult, StoredResult, payload_of, results_by_id


class Results:
    """The result of each step so far, by position.

    Args:
        program: The steps.
        found: What is known before anything runs.
        connection: The index, for the rest of a row: of most results only the identity is ever read.
        location: The location, for messages.
    """

    def __init__(
        self, program: Program, found: Sequence[KnownResult | None], connection: sqlite3.Connection, location: str
    ) -> None:
        self._program = program
        self._connection = connection
        self._location = location
        self._results: list[KnownResult | NewResult | None] = list(found)
        self.ids = [result.id if result else 0 for result in found]
        self._stored: dict[int, StoredResult] = {}

    def __getitem__(self, position: int) -> KnownResult | NewResult | None:
        return self._results[position]

    def __setitem__(self, position: int, result: KnownResult | NewResult | None) -> None:
        self._results[position] = result

    def forget(self, position: int) -> None:
        """A step has no result any more."""
        self._results[position] = None
        self.ids[position] = 0
        self._stored.pop(position, None)

    def token(self, position: int) -> bytes:
        """What stands for a result in the input keys of what needs it."""
        result = self._results[position]
        assert result is not None
        cached = self._program.steps[position].function.options.cache
        return token_of(result, cached=cached, id_=self.ids[position])

    def ref(self, position: int) -> Ref:
        """Where the bytes of a result are.

        Raises:
            DamagedResultError: Its row is not what was written.
        """
        result = self.full(position)
        payload = self.payload(position)
        return Ref(result.digest, result.size, result.codec, result.codec_version, result.suffix, payload)

    def payload(self, position: int) -> bytes | None:
        """The bytes of a small result, None where they are a file."""
        result = self.full(position)
        payload = result.payload
        if payload is None:
            payload = payload_of(self._connection, self.ids[position])
            if payload is None and isinstance(result, NewResult) and result.origin is not None:
                payload = payload_of(self._connection, result.origin)  # its own row may not be committed yet
        return payload

    def full(self, position: int) -> StoredResult | NewResult:
        """All of a result's row but its bytes.

        Raises:
            DamagedResultError: It is not what was written.
        """
        result = self._results[position]
        if isinstance(result, NewResult):
            return result
        if position not in self._stored:
            id_, key = self.ids[position], self._program.keys[position]
            stored = results_by_id(self._connection, [id_]).get(id_)
            if stored is None or stored.key != key:
                raise DamagedResultError(
                    f"the row of the result of {self._program.names[position]!r} is damaged: set it aside with "
                    f"python -m ezpyp.inspect {shlex.quote(self._location)} verify --repair",
                    digest="",
                    what="its row has another checksum",
                )
            self._stored[position] = stored
        return self._stored[position]

    def texts(self, position: int) -> tuple[str | None, str | None]:
        """Arguments with the previews of results in place of steps: known without loading anything."""
        return resolved_texts(self._program, position, self._preview)

    def _preview(self, up: int) -> str:
        try:
            return f"TMP for {self._program.names[up]}" if self._results[up] is None else self.full(up).preview
        except DamagedResultError:
            return f"TMP for {self._program.names[up]}"  # only a text: whoever needs the result finds it damaged
