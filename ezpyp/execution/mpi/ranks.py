"""A communicator over anything that carries messages between ranks: collective calls, shutdown, waits.

Messages of one rank arrive in the order in which they were sent, whatever their kind. Everything below rests
on that: a rank's shutdown message arrives after all else that it sent.
"""

import array
import contextlib
import enum
import fcntl
import math
import os
import pickle
import stat
import sys
import termios
import threading
import time
from collections import defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import NamedTuple, NoReturn, Protocol, cast

from ezpyp.errors import RankLeftError, RanksDisagreeError
from ezpyp.execution.mpi.communicator import Backoff, Value

FINAL_FLUSH_PATIENCE_S = 1.0
FORWARDING_S = 0.05
STDOUT, STDERR = 1, 2


def final_flush(message: str) -> None:
    """Write a line to stderr, and wait until the launcher has taken it, and all that was said before.

    MPICH's launcher drops what is still in the pipes of a job that aborts: without the wait the traceback was
    lost in one abort of four.
    """
    with contextlib.suppress(Exception):
        sys.stdout.flush()
    with contextlib.suppress(Exception):
        sys.stderr.write(f"{message}\n")
        sys.stderr.flush()
    deadline = time.monotonic() + FINAL_FLUSH_PATIENCE_S
    while (unread_bytes(STDOUT) or unread_bytes(STDERR)) and time.monotonic() < deadline:
        time.sleep(0.001)
    # The pipe is empty once the launcher's local part has the text; it goes on to mpirun from there.
    time.sleep(FORWARDING_S)


def unread_bytes(descriptor: int) -> int:
    """Bytes written to a pipe that its reader has not taken yet; 0 for anything but a pipe."""
    count = array.array("i", [0])
    with contextlib.suppress(OSError):
        if stat.S_ISFIFO(os.fstat(descriptor).st_mode):
            fcntl.ioctl(descriptor, termios.FIONREAD, count)
    return count[0]


PATIENCE_S = 3.0
"""Once nothing can be recorded any more, bodies may go on for so long; then the job is ended."""


class Kind(enum.IntEnum):
    """What a message is for."""

    ENGINE = 1
    SHARE = 2
    COLLECT = 3
    SHUTDOWN = 4
    CLOSED = 5


class Arrival(NamedTuple):
    """A message that has arrived whole."""

    source: int
    kind: Kind
    data: bytes | bytearray


class Transport(Protocol):
    """Carries bytes between ranks, in order for each sender; no call ever blocks."""

    rank: int
    size: int
    host: str
    threaded: bool
    """Whether other threads than the first may call, one at a time."""

    def send(self, dest: int, kind: Kind, data: bytes) -> None:
        """Start to send; `poll` completes it."""

    def poll(self) -> list[Arrival]:
        """Move what can be moved, and hand out what has arrived since."""

    def unsent(self) -> Collection[int]:
        """Ranks to which something is still to be sent, as of the last `poll`."""

    def is_open(self) -> bool:
        """Whether messages can still be carried."""

    def close(self) -> None:
        """Stop, once every rank has sent its shutdown message."""

    def abort(self, code: int) -> NoReturn:
        """End the whole job."""


class RankCommunicator:
    """One rank of several, see `ezpyp.execution.Communicator`.

    Everything goes to or from rank 0, so that the ranks which may wait for one that left are known: rank 0
    for each of the others, each of the others for rank 0. Threads may call at the same time; the lock is
    never held over a wait.
    """

    def __init__(self, transport: Transport) -> None:
        self.rank = transport.rank
        self.size = transport.size
        self.host = transport.host
        self.hosts: Sequence[str] = (self.host,)
        self.threaded = transport.threaded
        self._transport = transport
        self._lock = threading.Lock()
        self._inbox: deque[tuple[int, bytes | bytearray]] = deque()
        self._values: defaultdict[tuple[Kind, int], deque[bytes | bytearray]] = defaultdict(deque)
        self._left: dict[int, str] = {}
        self._closed = False
        self._calls = 0
        self.doing: Callable[[], str] = str
        """Says what this rank is at, for its final message: `` in step 'alpha'``."""
        self._owed: tuple[object, Exception] | None = None
        self._left_call = ""

    @property
    def _others(self) -> range:
        """The ranks that this one talks with."""
        return range(1, self.size) if self.rank == 0 else range(1)

    def introduce(self) -> None:
        """Let every rank know the names of all machines; the first collective call."""
        self.hosts = self.share(self.collect(self.host) or ())

    def owe(self, value: object, error: Exception) -> None:
        self._owed = value, error
        self._left_call = str(error)

    def _settle(self) -> None:
        if self._owed is None:
            return
        (value, error), self._owed = self._owed, None
        self.share(value)
        raise error

    def share(self, value: Value) -> Value:
        self._settle()
        self._calls += 1
        if self.rank:
            return cast(Value, self._gather(Kind.SHARE, self._others)[0])
        self._progress()
        # A rank that left can never take part: better an error now than hours later, when it is waited for.
        self._require(self._others, "share")
        data = pickle.dumps((self._calls, value), pickle.HIGHEST_PROTOCOL)
        self._send(self._others, Kind.SHARE, data)
        return value

    def collect(self, value: Value) -> list[Value] | None:
        self._settle()
        self._calls += 1
        if self.rank == 0:
            return [value, *cast(list[Value], self._gather(Kind.COLLECT, self._others))]
        self._send([0], Kind.COLLECT, pickle.dumps((self._calls, value), pickle.HIGHEST_PROTOCOL))
        return None

    def post(self, dest: int, message: object) -> None:
        data = pickle.dumps((self._calls, message), pickle.HIGHEST_PROTOCOL)
        if dest == self.rank:
            self._inbox.append((dest, data))
        else:
            self._send([dest], Kind.ENGINE, data)

    def receive(self) -> tuple[int, object] | None:
        if not self._inbox:
            self._progress()
        while self._inbox:
            source, data = self._inbox.popleft()
            call, message = pickle.loads(data)
            if call >= self._calls:
                return source, message
        self._require(self._others, "receive")
        return None

    def flush(self) -> None:
        backoff = Backoff()
        while unsent := self._progress():
            self._require(unsent, "flush")
            backoff.wait()

    def leave(self) -> None:
        """Send a shutdown message, and wait until every rank has: to be called once, when the script has ended.

        The wait polls. Without it a rank that is done early would burn a core inside MPI_Finalize, which
        waits for the others, and would handle no signal there. Where this rank left a call in which the others are
        at work, they are not waited for: what they compute could not be recorded.
        """
        if not self._transport.is_open():
            return
        self._send(self._others, Kind.SHUTDOWN, self.host.encode())
        deadline = time.monotonic() + PATIENCE_S if self._left_call else math.inf
        backoff = Backoff()
        while self._progress() or not self._is_over():
            if time.monotonic() > deadline:
                self.abort(f"ezpyp: {self._left_call}", 1)
            backoff.wait()

    def close(self) -> None:
        """End what carries messages; after `leave`."""
        if self._transport.is_open():
            self._transport.close()

    def abort(self, message: str, code: int) -> NoReturn:
        final_flush(message)
        # The lock's holder may be a thread that died, or that waits for this one: never wait long for it.
        self._lock.acquire(timeout=1)
        self._transport.abort(code)

    def _is_over(self) -> bool:
        """Whether all ranks have shut down; rank 0 sends that to the others."""
        if self.rank == 0 and not self._closed and len(self._left) == self.size - 1:
            self._closed = True
            self._send(self._others, Kind.CLOSED, b"")
            return not self._progress()
        return self._closed

    def _send(self, ranks: Iterable[int], kind: Kind, data: bytes) -> None:
        with self._lock:
            for rank in ranks:
                self._transport.send(rank, kind, data)

    def _progress(self) -> Collection[int]:
        """Move messages on and sort what came; returns the ranks to which something is still to be sent."""
        with self._lock:
            for arrival in self._transport.poll():
                self._sort(arrival)
            return self._transport.unsent()

    def _sort(self, arrival: Arrival) -> None:
        match arrival.kind:
            case Kind.ENGINE:
                self._inbox.append((arrival.source, arrival.data))
            case Kind.SHUTDOWN:
                self._left[arrival.source] = arrival.data.decode()
            case Kind.CLOSED:
                self._closed = True
            case kind:
                self._values[kind, arrival.source].append(arrival.data)

    def _gather(self, kind: Kind, sources: Iterable[int]) -> list[object]:
        """Wait for one value of each source."""
        missing, values = set(sources), {}
        backoff = Backoff()
        while missing:
            self._progress()
            came = {source for source in missing if self._values[kind, source]}
            for source in came:
                values[source] = self._open(kind, source)
            missing -= came
            if missing:
                self._require(missing, kind.name.lower())
                backoff.reset() if came else backoff.wait()
        return [values[source] for source in sorted(values)]

    def _open(self, kind: Kind, source: int) -> object:
        call, value = pickle.loads(self._values[kind, source].popleft())
        if call == self._calls:
            return value
        message = (
            f"rank {self.rank} is at its collective call {self._calls}, rank {source} at its call {call}: "
            "every rank must make the same calls of initialize_schema() and execute(), in the same order"
        )
        raise RanksDisagreeError(message, ranks=(self.rank, source))

    def _require(self, ranks: Iterable[int], call: str) -> None:
        """Raise if one of the ranks has left."""
        gone = tuple(sorted(self._left.keys() & set(ranks))) if self._left else ()
        if not gone:
            return
        names = ", ".join(f"rank {rank} on host {self._left[rank]}" for rank in gone[:10])
        more = f" and {len(gone) - 10} more" if len(gone) > 10 else ""
        message = (
            f"{names}{more} ended the script, but rank {self.rank} still waits for it ({call}). Every rank "
            "must make the same calls of initialize_schema() and execute(): look for sys.exit(), or for a "
            "condition on the rank around such a call"
        )
        raise RankLeftError(message, ranks=gone)
