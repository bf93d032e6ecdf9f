"""Runs the bodies of steps on one rank."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import sysconfig
import time
import traceback
from collections.abc import Callable, Iterable, Mapping
from itertools import starmap
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from ezpyp.describe import describe
from ezpyp.errors import ArgumentMutatedError, DamagedResultError, StoreError
from ezpyp.execution.capture.capture import SETTING, Capture, mode_asked_for
from ezpyp.execution.capture.observe import OBSERVER
from ezpyp.execution.messages import Failure, Outcome, Ref
from ezpyp.graph.program import Program
from ezpyp.hashing.encode import cutoff_digest
from ezpyp.hashing.files import FILE_DIGESTS
from ezpyp.hashing.large_arrays import LARGE_BUFFERS
from ezpyp.schema.records import argument_texts
from ezpyp.steps.arguments import PLAIN_TYPES, fill
from ezpyp.steps.copying import Snapshots
from ezpyp.steps.function import RUNNING
from ezpyp.steps.step import Step
from ezpyp.store.codecs.encoded import Encoded, decode_result, encode_result
from ezpyp.store.connection import storable
from ezpyp.store.objects import INLINE_LIMIT, ObjectStore
from ezpyp.store.results import check_payload
from ezpyp.store.rows import NewResult

_OWN_FOLDER = str(Path(__file__).resolve().parent.parent)
_LONGEST = 100_000


def failure_of(error: BaseException, function: Callable[..., object]) -> Failure:
    """Type, message, place and traceback of what a step raised, our own frames left out.

    What ezpyp itself raised for a step, such as a result that cannot be stored, has the place of the function.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        trace = trace.tb_next
    code = getattr(function, "__code__", None)
    file, line = place_of(trace) or ((code.co_filename, code.co_firstlineno) if code else (None, None))
    text = "".join(traceback.format_exception(type(error), error, trace))
    if len(text) > _LONGEST:  # functions that call each other for ever
        text = f"{text[: _LONGEST // 2]}\n... {len(text) - _LONGEST} characters left out ...\n{text[-_LONGEST // 2 :]}"
    name, message = storable(_name_of(type(error))), storable(_message_of(error))
    return Failure(name, message, None if file is None else storable(file), line, storable(text))


def end_forked_child(error: BaseException | None) -> NoReturn:
    """End a process that a step's body forked off, as it would have ended by itself.

    It must not go on as a second copy of the run, with the run's lock, connection and ranks.
    """
    code = int(error is not None)
    if isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    elif error is not None:
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # it may be missing, closed, or of the user's own making
            stream.flush()
    os._exit(code)


def _name_of(kind: type[BaseException]) -> str:
    module = "" if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}."
    return f"{module}{kind.__qualname__}"


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 - the user's own __str__ may raise anything
        return f"<its __str__ raised {type(second).__name__}>"


def place_of(trace: TracebackType | None) -> tuple[str, int | None] | None:
    """The innermost line of the user's own code, or the innermost line there is."""
    frames = traceback.extract_tb(trace)
    if not frames:
        return None
    libraries = [sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    own = [frame for frame in frames if not frame.filename.startswith((*libraries, _OWN_FOLDER, "<frozen"))]
    frame = (own or frames)[-1]
    return frame.filename, frame.lineno


# Of the disk, of the quota, or of a limit on file sizes.
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class _UpstreamDamagedError(Exception):
    """Not a `DamagedResultError`: a body may raise one of those of its own, about another cache."""


class Worker:
    """Runs steps, one at a time, and keeps what it knows of upstream results.

    Every rank declares the same program, so that functions never travel.
    """

    def __init__(
        self, program: Program, location: Path, rank: int, host: str, *, durable: bool = False, trust: bool = False
    ) -> None:
        self._program = program
        self._objects = ObjectStore(location, durable=durable, trust=trust)
        self._pid = os.getpid()
        OBSERVER.start(str(location))
        self.rank = rank
        self.host = host
        self._consumed = program.consumed()
        self._snapshots = Snapshots(LARGE_BUFFERS.uses())
        self.capture = Capture(mode_asked_for(os.environ.get(SETTING)))
        """Captures what steps print while it is entered."""
        self._running: int | None = None
        self._refs: dict[int, Ref] = {}
        self._plain: dict[int, object] = {}  # results that cannot change: no need to decode them again

    def knows(self, position: int) -> bool:
        """Whether a result is at hand, or where it is."""
        return position in self._refs

    def learn(self, refs: Mapping[int, Ref]) -> None:
        """Take note of where upstream results are."""
        if self._plain:
            self.forget(refs)
        self._refs.update(refs)

    def forget(self, positions: Iterable[int]) -> None:
        """Results that are computed anew may be others."""
        for position in positions:
            self._refs.pop(position, None)
            self._plain.pop(position, None)

    def run(self, position: int) -> Outcome:
        """Run one step; whatever it does to itself becomes part of the outcome."""
        self._running = position
        self.capture.begin()
        step = self._program.steps[position]
        texts: tuple[str | None, str | None] = (None, None)
        is_storing = False
        started_at = time.time()
        started = time.perf_counter()
        try:
            values = self._values_for(position, step)
            if step.slots:
                texts = argument_texts(step, values)
                started = time.perf_counter()
            if step.function.takes_files:
                _check_files(step)
            args, kwargs = step.function.binder.arguments(values, step.given)
            if FILE_DIGESTS.passed or not OBSERVER.is_clear:
                OBSERVER.clear()
            with RUNNING:
                value = step.function.function(*args, **kwargs)
                if step.function.is_async:
                    value = _awaited(value)
            seconds = time.perf_counter() - started
            if os.getpid() != self._pid:
                end_forked_child(None)
            is_storing = True
            result, reason = self._stored(position, step, value)
            outcome = Outcome(position, started_at, seconds, self.rank, self.host, result, None, *texts, reason)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # noqa: BLE001 - sys.exit in a step fails the step, not the job
            if os.getpid() != self._pid:
                end_forked_child(error)
            outcome = self._failed(position, error, started_at, time.perf_counter() - started, texts)
            if is_storing and isinstance(error, StoreError) and getattr(error, "code", None) in _NO_ROOM:
                outcome = outcome._replace(no_room=True)
        self._running = None
        captured = self.capture.end()
        return outcome if captured is None else outcome._replace(captured=captured)

    def _failed(
        self, position: int, error: BaseException, started_at: float, seconds: float,
        texts: tuple[str | None, str | None],
    ) -> Outcome:  # fmt: skip
        damaged: tuple[int, ...] = ()
        function = self._program.steps[position].function.function
        failure = failure_of(error, function)
        if isinstance(error, _UpstreamDamagedError):
            failure = failure_of(error.__cause__ or error, function)
            damaged, seconds = self._damaged(position, error), 0.0
        return Outcome(position, started_at, seconds, self.rank, self.host, None, failure, *texts, None, damaged)

    def doing(self) -> str:
        """Which step is running, or was when it was interrupted; for messages."""
        return "" if self._running is None else f" in step {self._program.names[self._running]!r}"

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
        """All upstreams of a step that cannot be loaded: a thousand of them are reported at once."""
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
            payload = b"".join(encoded.pieces)
        if position in self._consumed:
            self._keep(position, value, encoded, payload)
        options = step.function.options
        observed = OBSERVER.seen() if options.observe and options.cache and not OBSERVER.is_clear else ()
        FILE_DIGESTS.met.clear()
        value_digest = cutoff_digest(value, tracking=step.function.options.tracking)
        files = tuple(starmap(self._objects.take_in, FILE_DIGESTS.met.items())) if FILE_DIGESTS.met else ()
        result = NewResult(
            self._program.keys[position], None, value_digest, encoded.digest, encoded.size, encoded.codec,
            encoded.version, encoded.suffix, describe(value), type(value).__qualname__, payload, files=files,
            observed=observed,
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


def _awaited(coroutine: Any) -> object:
    """What an ``async def`` gives, run to its end; in a thread of its own where this one has a loop: a notebook's."""
    import asyncio  # 30 ms at import, for those that use it
    from concurrent.futures import ThreadPoolExecutor

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(coroutine)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, coroutine).result()


def _check_files(step: Step) -> None:
    """A file that another step writes meanwhile is not the one that the key was made from."""
    if step.function.encoded(step.values, step.given) != step.encoding:
        raise ArgumentMutatedError(
            "a File among the arguments was changed after the step was declared: let the step that writes it return "
            "the File, and pass that step; or run the script again, if something else changed it"
        )
