"""The ranks of a job over MPI: the only importer of mpi4py."""

import faulthandler
import os
import sys
import time
from collections.abc import Callable, Collection
from os import _exit
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from ezpyp.errors import LaunchError
from ezpyp.execution.mpi.communicator import Backoff, Launch, host_name
from ezpyp.execution.mpi.ranks import Arrival, Kind, RankCommunicator
from ezpyp.execution.mpi.shutdown import Shutdown

if TYPE_CHECKING:
    from mpi4py import MPI


JOIN_TIMEOUT = "EZPYP_JOIN_TIMEOUT_S"
STDERR = 2

TRANSFER_BYTES_PER_S = 200e6
"""While a transfer may be under way at this rate, a poll goes on polling: long messages move only inside MPI
calls, a little in each, and with sleeps between them 2 GB took a minute."""

MORE_FOLLOWS = 0
"""Tag of the pieces of a long message but the last, whose tag is the message's kind."""


class MpiTransport:
    """Bytes over a communicator that nobody else uses, with nonblocking calls alone.

    ``piece_bytes`` is the longest single MPI message: MPI counts in a C int, and 2 GiB and more would fail.
    """

    def __init__(self, comm: "MPI.Intracomm", *, finalizes: bool = False, piece_bytes: int = 1 << 30) -> None:
        from mpi4py import MPI

        self.rank = comm.rank
        self.size = comm.size
        self.host = host_name()
        # FUNNELED and SINGLE promise nothing to other threads, even to one at a time.
        self.threaded = MPI.Query_thread() >= MPI.THREAD_SERIALIZED
        self._mpi = MPI
        self._comm = comm
        self._finalizes = finalizes
        self._piece_bytes = piece_bytes
        self._sending: list[tuple[int, MPI.Request]] = []
        self._receiving: list[_Piece] = []
        self._pieces: dict[int, list[bytearray]] = {}
        self._status = MPI.Status()
        self._busy_until = 0.0

    def send(self, dest: int, kind: Kind, data: bytes) -> None:
        view, length = memoryview(data), self._piece_bytes
        last = max(0, len(data) - 1) // length * length
        for start in range(0, last, length):
            self._send_piece(dest, MORE_FOLLOWS, view[start : start + length])
        self._send_piece(dest, kind, view[last:])

    def _send_piece(self, dest: int, tag: int, piece: memoryview) -> None:
        # The request keeps the buffer alive.
        request = self._comm.Isend((piece, self._mpi.BYTE), dest, tag)
        if not request.Test():
            self._sending.append((dest, request))
            self._expect(len(piece))

    def poll(self) -> list[Arrival]:
        arrivals = self._poll_once()
        while self._is_busy() and not arrivals:
            arrivals = self._poll_once()
        return arrivals

    def _expect(self, size_bytes: int) -> None:
        """Allow time for a transfer that has just begun."""
        self._busy_until = max(self._busy_until, time.monotonic()) + size_bytes / TRANSFER_BYTES_PER_S

    def _is_busy(self) -> bool:
        return bool(self._sending or self._receiving) and time.monotonic() < self._busy_until

    def _poll_once(self) -> list[Arrival]:
        if self._sending:
            self._sending = [(dest, request) for dest, request in self._sending if not request.Test()]
        self._match()
        return self._complete() if self._receiving else []

    def _match(self) -> None:
        """Start to receive whatever is announced, in its order."""
        mpi, status = self._mpi, self._status
        # Twice: a probe that finds nothing moves messages on, and only the next one hands them out. One probe
        # a poll costs an extra sleep for each message: round trips of 0.7 ms where two give 0.3 ms.
        for _ in range(2):
            while (message := self._comm.Improbe(mpi.ANY_SOURCE, mpi.ANY_TAG, status)) is not None:
                buffer = bytearray(status.Get_count(mpi.BYTE))
                request = message.Irecv((buffer, mpi.BYTE))
                self._receiving.append(_Piece(status.source, status.tag, buffer, request))
                self._expect(len(buffer))

    def _complete(self) -> list[Arrival]:
        """Take what has come in whole, in order for each source; one slow source holds up no other."""
        arrivals: list[Arrival] = []
        waiting: list[_Piece] = []
        slow: set[int] = set()
        for piece in self._receiving:
            if piece.source in slow or not piece.request.Test():
                slow.add(piece.source)
                waiting.append(piece)
            elif piece.tag == MORE_FOLLOWS:
                self._pieces.setdefault(piece.source, []).append(piece.buffer)
            else:
                pieces = self._pieces.pop(piece.source, None)
                data = b"".join([*pieces, piece.buffer]) if pieces else piece.buffer
                arrivals.append(Arrival(piece.source, Kind(piece.tag), data))
        self._receiving = waiting
        return arrivals

    def unsent(self) -> Collection[int]:
        return {dest for dest, _ in self._sending} if self._sending else ()

    def is_open(self) -> bool:
        return not self._mpi.Is_finalized()

    def close(self) -> None:
        if self._finalizes:
            self._mpi.Finalize()

    def abort(self, code: int) -> NoReturn:
        self._mpi.COMM_WORLD.Abort(code)
        _exit(code)


class _Piece(NamedTuple):
    """A message, or a part of a long one, on its way in."""

    source: int
    tag: int
    buffer: bytearray
    request: "MPI.Request"


def join(launch: Launch) -> RankCommunicator:
    """Become a rank of the job that the environment tells of; raises as `connect` does."""
    transport = every_rank_must_join_within_ezpyp_join_timeout_s(launch, _join_timeout_s())
    communicator = RankCommunicator(transport)
    shutdown = Shutdown(communicator)
    shutdown.install()
    _before_finalizing(shutdown.finalizing)
    communicator.introduce()
    return communicator


def every_rank_must_join_within_ezpyp_join_timeout_s(launch: Launch, timeout_s: float) -> MpiTransport:
    """Start MPI and make a private communicator, or end the process when other ranks do not come.

    A rank that ended before MPI_Init leaves the others inside it, holding the GIL: only the watchdog's C
    thread can end them. It prints the names of the functions it found, so this one's name is the message.
    """
    if timeout_s > 0:
        faulthandler.dump_traceback_later(timeout_s, exit=True, file=STDERR)
    try:
        finalizes = _start_mpi(launch)
        _check_world(launch)
        return MpiTransport(_private_communicator(), finalizes=finalizes)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _start_mpi(launch: Launch) -> bool:
    """Load and initialize MPI; returns whether finalizing it is this module's business."""
    is_first = "mpi4py.MPI" not in sys.modules
    try:
        import mpi4py

        if is_first:
            # mpi4py's own finalizer also runs in a process that this one forks and that ends with sys.exit():
            # it would finalize the parent's MPI. `Shutdown` finalizes instead, in this process alone.
            mpi4py.rc.finalize = False
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        # mpi4py's wheel imports without any MPI library, and raises RuntimeError when it looks for one.
        raise LaunchError(_no_library(launch, error), launcher=launch.launcher) from error
    if MPI.Is_initialized():
        return is_first
    # The user set mpi4py.rc.initialize = False.
    MPI.Init_thread()
    return True


def _check_world(launch: Launch) -> None:
    from mpi4py import MPI

    size = MPI.COMM_WORLD.size
    if size != (launch.size or size) or size < (launch.local_size or 1):
        library = MPI.Get_library_version().splitlines()[0].strip("\0 ")
        raise LaunchError(_mismatch(launch, size, library), launcher=launch.launcher, size=size)


def _private_communicator() -> "MPI.Intracomm":
    from mpi4py import MPI

    # Not Dup(): a rank that waits inside it burns a core and handles no signal.
    comm, request = MPI.COMM_WORLD.Idup()
    backoff = Backoff()
    while not request.Test():
        backoff.wait()
    return comm


def _before_finalizing(act: Callable[[], None]) -> None:
    """Have a function called by whoever finalizes MPI, before anything else happens there (MPI 4.1, section 11.2.4)."""
    from mpi4py import MPI

    keyval = MPI.Comm.Create_keyval(delete_fn=lambda *_: act())
    MPI.COMM_SELF.Set_attr(keyval, None)


def _no_library(launch: Launch, error: Exception) -> str:
    reason = str(error).strip().splitlines()
    return (
        f"{launch.launcher} started this process as a rank of an MPI job, but mpi4py cannot load an MPI "
        f"library ({reason[0] if reason else type(error).__name__}). Install both with "
        "'pip install \"ezpyp[mpi]\"', or build mpi4py for this cluster's MPI with "
        "'pip install --no-binary=mpi4py mpi4py'; without a launcher the script runs serially"
    )


def _mismatch(launch: Launch, size: int, library: str) -> str:
    count = launch.size or launch.local_size
    return (
        f"{launch.launcher} started {count} ranks, but the MPI library that mpi4py loads ({library}) sees "
        f"{size}: they do not belong together. Use the mpirun of that library, or install mpi4py for the "
        "launcher's MPI ('pip install --no-binary=mpi4py mpi4py' with its mpicc first on PATH)"
    )


def _join_timeout_s() -> float:
    text = os.environ.get(JOIN_TIMEOUT) or "60"
    try:
        return float(text)
    except ValueError as error:
        raise LaunchError(f"{JOIN_TIMEOUT}={text!r} is not a number of seconds", value=text) from error
