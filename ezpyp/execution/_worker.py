"""Runs the bodies of steps on one rank."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from ezpyp.errors import ArgumentMutatedError, DamagedResultError, StoreError
from ezpyp.execution._capture import SETTING, Capture, mode_asked_for
from ezpyp.execution._failure import end_forked_child, failure_of
from ezpyp.execution._outcome import Outcome, Ref
from ezpyp.graph import Program
from ezpyp.hashing import FILE_DIGESTS, LARGE_BUFFERS, cutoff_digest, describe
from ezpyp.schema import argument_texts
from ezpyp.steps import PLAIN_TYPES, RUNNING, Snapshots, Step, fill
from ezpyp.store import (
    INLINE_LIMIT,
    Encoded,
    NewResult,
    ObjectStore,
    check_payload,
    decode_result,
    encode_result,
)

# Of the disk, of the quota, or of a limit on file sizes.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _UpstreamDamagedError(Exception):
    """Not a `DamagedResultError`: a body may raise one of those of its own, about another cache."""


class Worker:
    """Runs steps, one at a time, and keeps what it knows of upstream results.

    Args:
        program: The steps; every rank declares the same ones, so that functions never travel.
        location: The cache, where large results go.
        rank: Number of this rank.
        host: Name of this machine.
        durable: Whether each result shall outlive a loss of power once its step is done.
        trust: Whether results that belong to somebody else may be loaded.
    """

    def __init__(
        self, program: Program, location: Path, rank: int, host: str, *, durable: bool = False, trust: bool = False
    ) -> None:
        self._program = program
        self._objects = ObjectStore(location, durable=durable, trust=trust, keeps_last=True)
        self._pid = os.getpid()
        self.rank = rank
        self.host = host
        self._consumed = program.consumed()
        self._snapshots = Snapshots(LARGE_BUFFERS.uses())
        self.capture = Capture(mode_asked_for(os.environ.get(SETTING)))
        """What steps say is kept while it is entered."""
        self._running: int | None = None
        self._refs: dict[int, Ref] = {}
        self._plain: dict[int, object] = {}  # results that cannot change: no need to decode them again

    def knows(self, position: int) -> bool:
        """Whether a result is at hand, or where it is."""
        return position in self._refs

    def learn(self, refs: Mapping[int, Ref]) -> None:
        """Take note of where upstream results are."""
        self._refs.update(refs)
        if self._plain:
            self._forget_values(refs)

    def forget(self, positions: Iterable[int]) -> None:
        """Results that are computed anew may be others."""
        for position in positions:
            self._refs.pop(position, None)
        self._forget_values(positions)

    def _forget_values(self, positions: Iterable[int]) -> None:
        for position in positions:
            self._plain.pop(position, None)

    def run(self, position: int) -> Outcome:
        """Run one step; whatever it does to itself becomes part of the outcome."""
        self._running = position
        self.capture.begin()
        outcome = self._outcome_of(position)
        self._running = None
        said = self.capture.end()
        return outcome if said is None else outcome._replace(said=said)

    def doing(self) -> str:
        """Which step is running, or was when it was interrupted; for messages."""
        return "" if self._running is None else f" in step {self._program.names[self._running]!r}"

    def _outcome_of(self, position: int) -> Outcome:
        step = self._program.steps[position]
        args = kwargs = None
        is_storing = False
        started_at = time.time()
        started = time.perf_counter()
        try:
            values = self._values_for(position, step)
            if step.slots:
                args, kwargs = argument_texts(step, values)
                started = time.perf_counter()
            if step.function.takes_files:
                _check_files(step)
            with RUNNING:
                value = step.function.binder.call(step.function.function, values, step.given)
            seconds = time.perf_counter() - started
            if os.getpid() != self._pid:
                end_forked_child(None)
            is_storing = True
            result, reason = self._stored(position, step, value)
        except KeyboardInterrupt:
            raise
        except _UpstreamDamagedError as error:
            failure = failure_of(error.__cause__ or error, step.function.function)
            damaged = self._damaged(position, error)
            return Outcome(position, started_at, 0.0, self.rank, self.host, None, failure, None, None, None, damaged)
        except BaseException as error:  # noqa: BLE001 - sys.exit in a step fails the step, not the job
            if os.getpid() != self._pid:
                end_forked_child(error)
            seconds = time.perf_counter() - started
            failure = failure_of(error, step.function.function)
            no_room = is_storing and isinstance(error, StoreError) and getattr(error, "code", None) in _NO_ROOM
            return Outcome(
                position, started_at, seconds, self.rank, self.host, None, failure, args, kwargs, None, no_room=no_room
            )
        return Outcome(position, started_at, seconds, self.rank, self.host, result, None, args, kwargs, reason)

    def _values_for(self, position: int, step: Step) -> tuple[object, ...]:
        """Arguments that are the step's own: no step ever holds what another one holds."""
        if not step.slots:
            if PLAIN_TYPES.issuperset(map(type, step.values)):
                return step.values
            return fill(step.values, (), (), self._snapshots)
        loaded: dict[int, object] = {}
        contents = []
        for up, slot in zip(self._program.values[position], step.slots, strict=True):
            if up not in loaded:
                loaded[up] = self.value_of(up)
            content = loaded[up]
            for _, part in slot.path:
                content = content[part]  # type: ignore[index]  # a wrong pick fails the step, as it should
            contents.append(content)
        return fill(step.values, step.slots, contents, self._snapshots)

    def value_of(self, position: int) -> object:
        """A fresh copy of a step's result."""
        if position in self._plain:
            return self._plain[position]
        ref = self._refs[position]
        try:
            return decode_result(self._bytes_of(position), ref.codec, ref.codec_version)
        except DamagedResultError as error:
            raise _UpstreamDamagedError(position) from error

    def _bytes_of(self, position: int) -> memoryview | bytes:
        ref = self._refs[position]
        if ref.payload is None:
            return self._objects.open(ref.digest, ref.suffix, ref.size)
        check_payload(self._program.names[position], ref.payload, ref.digest, ref.size)
        return ref.payload

    def _damaged(self, position: int, error: _UpstreamDamagedError) -> tuple[int, ...]:
        """All upstreams of a step that cannot be loaded: a thousand of them are told of at once."""
        found = {int(error.args[0])}
        for up in set(self._program.values[position]) - found - self._plain.keys():
            try:
                self._bytes_of(up)
            except DamagedResultError:
                found.add(up)
        return tuple(sorted(found))

    def _stored(self, position: int, step: Step, value: object) -> tuple[NewResult, str | None]:
        """Turn a result into bytes; large ones are published before anything refers to them."""
        encoded = encode_result(value, step.function.options.codec)
        payload = None
        if encoded.size > INLINE_LIMIT:
            self._objects.publish(encoded)
        else:
            payload = bytes(encoded.pieces[0]) if len(encoded.pieces) == 1 else b"".join(encoded.pieces)
        if position in self._consumed:
            self._keep(position, value, encoded, payload)
        FILE_DIGESTS.met.clear()
        result = NewResult(
            self._program.keys[position], None, cutoff_digest(value, tracking=step.function.options.tracking),
            encoded.digest, encoded.size, encoded.codec, encoded.version, encoded.suffix, describe(value),
            type(value).__qualname__, payload, files=tuple(FILE_DIGESTS.met.items()),
        )  # fmt: skip
        reason = f"stored by {encoded.codec}: {encoded.fallback}" if encoded.fallback else None
        return result, reason

    def _keep(self, position: int, value: object, encoded: Encoded, payload: bytes | None) -> None:
        """Keep at hand what another step will ask for."""
        if type(value) in PLAIN_TYPES:
            self._plain[position] = value
        self._refs[position] = Ref(
            encoded.digest, encoded.size, encoded.codec, encoded.version, encoded.suffix, payload
        )


def _check_files(step: Step) -> None:
    """A file that another step writes meanwhile is not the one that the key was made from."""
    if step.function.encoded(step.values, step.given) != step.encoding:
        raise ArgumentMutatedError(
            "a File among the arguments was changed after the step was declared: let the step that writes it return "
            "the File, and pass that step; or run the script again, if something else changed it"
        )
