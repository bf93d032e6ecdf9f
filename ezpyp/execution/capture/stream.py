"""One of a process's two output streams, shown as ever and kept as well."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib.machinery import EXTENSION_SUFFIXES
from typing import BinaryIO, TextIO, cast

from ezpyp.execution.capture.memory_file import CHUNK_BYTES, MemoryFile, same_file

# Both ends of what was said, and how much was left out between them.

LIMIT_BYTES = 65536


class HeadAndTail:
    """Keeps the first and the last bytes of a stream, in bounded memory.

    A step that prints for hours says what it is at the beginning and what became of it at the end.
    """

    def __init__(self, limit_bytes: int = LIMIT_BYTES) -> None:
        self._half = limit_bytes // 2
        self._head = bytearray()
        self._tail = bytearray()
        self._left_out = 0

    def __bool__(self) -> bool:
        return bool(self._head)

    def add(self, data: bytes | memoryview) -> None:
        """Take note of what was said."""
        room = self._half - len(self._head)
        if room > 0:
            self._head += data[:room]
            data = data[room:]
        self._tail += data
        # Cut only now and then: a cut for every short line would move the whole tail each time.
        if len(self._tail) > 4 * self._half:
            self._cut()

    def _cut(self) -> None:
        surplus = len(self._tail) - self._half
        if surplus > 0:
            del self._tail[:surplus]
            self._left_out += surplus

    def take(self) -> bytes:
        """All that is kept, and begin anew."""
        if not self._head:
            return b""
        self._cut()
        mark = b"\n[... %d bytes left out ...]\n" % self._left_out if self._left_out else b""
        whole = bytes(self._head) + mark + bytes(self._tail)
        self._head.clear()
        self._tail.clear()
        self._left_out = 0
        return whole


Suspending = Callable[[bytes], AbstractContextManager[object]]
"""Called with what is about to be shown: holds back whatever else draws on the same terminal."""


class Stream:
    """Keeps what is written to a stream by Python code, and to its descriptor by anything else.

    All that is written to the descriptor goes through a memory file. What Python code prints is shown at once, as ever:
    a crash loses none of it. What others write is shown by the next `show_new`: always before what
    Python prints later. ``suspended`` surrounds each write to the real stream.

    Args:
        name: ``stdout`` or ``stderr``.
        number: Its descriptor.
        buffer: Where it is kept.
        descriptor: Whether what others than Python code write is to be kept too.
    """

    def __init__(self, name: str, number: int, buffer: HeadAndTail, *, descriptor: bool = True) -> None:
        self.name = name
        self.number = number
        self._buffer = buffer
        self.suspended: Suspending = contextlib.nullcontext
        self._owner = os.getpid()
        # A signal handler that prints may interrupt this very thread inside the lock.
        self._lock = threading.RLock()
        self._original: TextIO | None = getattr(sys, name)
        _flush(self._original)
        self._memory_file: MemoryFile | None = None
        with contextlib.suppress(OSError):  # a daemon has no such descriptor
            self._memory_file = MemoryFile(number) if descriptor else None
        self.target = self._memory_file.real if self._memory_file else number
        """Descriptor of where it is shown."""
        self._is_plain = _is_plain(self._original, number)
        self.console = self._original
        """Where ezpyp itself writes: it is no step's words."""
        if self._is_plain and self._memory_file:
            # A descriptor of its own: the run's last line is written when the stream is closed.
            self.console = _like(self._original, io.BufferedWriter(io.FileIO(os.dup(self.target), "w")))
        self._text = self._installed()

    def _installed(self) -> TextIO | None:
        """Put a stream that is kept in the place of ``sys.stdout``."""
        if self._original is None:
            return None
        text: TextIO | _TextTee = _TextTee(self._original, self)
        if self._is_plain:
            text = _like(self._original, _Tee(self))
        setattr(sys, self.name, text)
        return text  # type: ignore[return-value]  # _TextTee leaves the rest of TextIO to the original

    @property
    def has_memory_file(self) -> bool:
        """Whether what others than Python code write is seen here."""
        return self._memory_file is not None

    def leads_to(self, other: Stream) -> bool:
        """Whether both are shown in one place."""
        return same_file(self.target, other.target) is True or (os.isatty(self.target) and os.isatty(other.target))

    def write(self, data: bytes | memoryview) -> None:
        """Keep and show; safe in threads, and in children, whose parent then finds it in the memory file."""
        if os.getpid() != self._owner:
            _write_all(self.number, data)
            return
        with self._lock:
            for start in range(0, len(data), CHUNK_BYTES):
                piece = data[start : start + CHUNK_BYTES]
                if not self._written_through(piece):
                    self._buffer.add(piece)
                    self._show(piece)

    def _written_through(self, data: bytes | memoryview) -> bool:
        """Write through the descriptor, not past it: a step may have led it elsewhere, to read what is printed.

        False where it has yet to be kept and shown.
        """
        if self._memory_file is None:
            return False
        is_open = True
        try:
            _write_all(self.number, data)
        except OSError as error:
            if error.errno != errno.EBADF:
                raise
            is_open = False  # a step closed it: that is no reason for the next one to lose its words
        if is_open and self._memory_file.holds_alone(len(data)):
            return False  # the usual case: what is there need not be read back
        self._show_new()
        return is_open

    def keep(self, text: str) -> None:
        """Keep without showing."""
        if os.getpid() == self._owner:
            with self._lock:
                self._show_new()
                self._buffer.add(text.encode("utf-8", "backslashreplace"))

    def show_new(self) -> bool:
        """Show what others than Python code have written since; returns whether they have."""
        with self._lock:
            return self._show_new()

    def _show_new(self) -> bool:
        memory_file = self._memory_file
        if memory_file is None or not memory_file.has_grown:
            return False
        for piece in memory_file.read():
            self._buffer.add(piece)
            self._show(piece)
        return True

    def _show(self, data: bytes | memoryview) -> None:
        try:
            with self.suspended(bytes(data[-1:])):
                _write_all(self.target, data)
        except OSError:
            pass  # nobody reads any more, or the disk behind it is full: no reason to lose a result

    def flush(self) -> None:
        """Bring all here that was written so far."""
        text, original = self._text, self._original
        if text is not None:
            try:
                text.flush()
                # A logging handler that was made before the run writes there.
                original.flush()  # type: ignore[union-attr]  # where it is missing so is text
            except (OSError, ValueError):
                self._reopen()
        # No lock where nothing was written: a silent step pays for this look.
        if self._memory_file is not None and self._memory_file.has_grown:
            self.show_new()

    def _reopen(self) -> None:
        """A step closed the stream: that is no reason for the next one to lose its words."""
        if self._text is not None and self._text.closed and getattr(sys, self.name) is self._text:
            self._text = self._installed()

    def take(self) -> bytes:
        """What was said since the last call."""
        self.flush()
        if not self._buffer:
            return b""
        with self._lock:
            return self._buffer.take()

    def discard(self) -> None:
        """Forget what is kept."""
        if self._memory_file is not None:
            self._memory_file.empty()
        if self._buffer:
            with self._lock:
                self._buffer.take()

    def close(self) -> None:
        """Put everything back; who still holds the kept stream writes to the real one."""
        self.flush()
        if getattr(sys, self.name) is self._text:
            setattr(sys, self.name, self._original)
        with self._lock:
            if self._memory_file is not None:
                self._memory_file.restore()
                self._show_new()
                self._memory_file.close()
                self._memory_file, self.target, self.console = None, self.number, self._original


class _Tee(io.BufferedIOBase):
    """The bottom of a text stream of Python's own: encodings, buffers and ``sys.stdout.buffer`` work as ever.

    Not a raw stream below a BufferedWriter: its lock would refuse a signal handler that prints while the step does.
    """

    def __init__(self, stream: Stream) -> None:
        # The stream keeps the text stream above: one that is collected would close this.
        self._stream = stream
        self.name = f"<{stream.name}>"

    def writable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._stream.number

    def isatty(self) -> bool:
        # The truth for progress bars; the descriptor itself leads into a memory file.
        return os.isatty(self._stream.target)

    @property
    def raw(self) -> _Tee:
        return self  # nothing is buffered here

    def write(self, data: bytes | memoryview) -> int:  # type: ignore[override]  # any buffer, as io passes them
        with memoryview(data) as view:
            self._stream.write(view)
            return view.nbytes


class _TextTee:
    """In place of a stream that is no plain file: a notebook's, a test's, the user's own."""

    def __init__(self, inner: TextIO, stream: Stream) -> None:
        self._inner = inner
        self._stream = stream
        self._reaches_descriptor: bool | None = None

    def write(self, text: str) -> int:
        if self._reaches_descriptor is None and text:
            return self._write_first(text)
        if not self._reaches_descriptor:
            self._stream.keep(text)
        return self._inner.write(text)

    def _write_first(self, text: str) -> int:
        """See whether the text comes out at the descriptor in the end: it must not be kept twice."""
        self._stream.show_new()
        count = self._inner.write(text)
        self._inner.flush()
        self._reaches_descriptor = self._stream.show_new()
        if not self._reaches_descriptor:
            self._stream.keep(text)
        return count

    def writelines(self, lines: list[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)


def _like(original: TextIO | None, buffer: io.BufferedIOBase) -> TextIO:
    """A text stream as Python made the original, over other bytes."""
    assert isinstance(original, io.TextIOWrapper)
    text = io.TextIOWrapper(
        cast(BinaryIO, buffer), original.encoding, original.errors, newline="\n",
        line_buffering=original.line_buffering, write_through=original.write_through,
    )  # fmt: skip
    text.mode = "w"  # type: ignore[misc]  # what open() sets; some programs look at it
    return text


def _is_plain(stream: object, number: int) -> bool:
    """Whether a stream is Python's own over this very descriptor."""
    try:
        return type(stream) is io.TextIOWrapper and stream.fileno() == number
    except (OSError, ValueError):
        return False  # over memory, or closed


def _flush(stream: TextIO | None) -> None:
    with contextlib.suppress(OSError, ValueError):
        if stream is not None:
            stream.flush()


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    while data:
        try:
            data = data[os.write(descriptor, data) :]
        except BlockingIOError:
            time.sleep(0.001)  # a descriptor that others have set to non-blocking


# What C code has printed and not written yet: its library keeps it until there is enough for a write.

_OURS = ("mpi4py", "xxhash")
"""Libraries that we load ourselves, and that print nothing."""


class CBuffer:
    """The standard output of C code, as ``printf`` sees it.

    Costs a process without C code one look at the number of its modules: ctypes takes 5 ms to import. What Fortran
    buffers in a library of its own is out of reach, and comes when that library writes it.
    """

    def __init__(self) -> None:
        self._modules = 0
        self._flush: Callable[[], object] | None = None

    def flush(self) -> None:
        """Write what was printed."""
        if self._flush is None:
            if len(sys.modules) == self._modules:
                return
            self._look()
        if self._flush is not None:
            self._flush()

    def _look(self) -> None:
        self._modules = len(sys.modules)
        if "ctypes" in sys.modules or any(map(_is_extension, sys.modules.copy().items())):
            with contextlib.suppress(ImportError, OSError, ValueError, AttributeError):  # a C library of another kind
                self._flush = self._made()

    def _made(self) -> Callable[[], object]:
        import ctypes

        library = ctypes.CDLL(None)
        stdout = ctypes.c_void_p.in_dll(library, "__stdoutp" if sys.platform == "darwin" else "stdout")
        # This stream alone: fflush(NULL) waits for a thread that reads from another.
        return lambda: library.fflush(stdout)


def _is_extension(entry: tuple[str, object]) -> bool:
    name, module = entry
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in _OURS:
        return False
    return str(getattr(module, "__file__", "")).endswith(tuple(EXTENSION_SUFFIXES))
