"""Warnings and log records of a step that its streams do not show."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, TextIO

from ezpyp.execution.capture.stream import HeadAndTail

if TYPE_CHECKING:
    from logging import LogRecord


LINES = 1000
"""More records of one step than that are kept without a look at what its streams show."""


class Warnings:
    """Every step has its warnings; each is shown once a run, as Python does.

    Python shows a warning once for each line of code: the second of two steps would be without it, and over
    several ranks it would be a matter of luck which one has it.

    Args:
        keep: Keeps a text with the step's standard error.
    """

    def __init__(self, keep: Callable[[str], None]) -> None:
        self._keep = keep
        self._shown: set[tuple[str, type[Warning], str, int]] = set()
        self._previous = warnings.showwarning
        # Private, but there since Python 3.4; without it warnings are kept for the first step alone.
        self._forget: Callable[[], None] = getattr(warnings, "_filters_mutated", _nothing)
        warnings.showwarning = self._show

    def begin(self) -> None:
        """Let each warning come again."""
        self._forget()

    def close(self) -> None:
        """Show warnings as before."""
        if warnings.showwarning == self._show:
            warnings.showwarning = self._previous

    def _show(  # noqa: PLR0917 - the parameters of warnings.showwarning
        self,
        message: Warning | str,
        category: type[Warning],
        filename: str,
        lineno: int,
        file: TextIO | None = None,
        line: str | None = None,
    ) -> None:
        identity = (str(message), category, filename, lineno)
        if identity not in self._shown or file is not None:
            self._shown.add(identity)
            self._previous(message, category, filename, lineno, file, line)
        else:
            self._keep(warnings.formatwarning(message, category, filename, lineno, line))


class Records:
    """The log records of a step, but those that its streams show: a handler wrote them there.

    The user's handlers are left alone: a handler of ours on the root logger would make ``logging.basicConfig()``
    in a step do nothing. A record that no handler takes is kept; one below its logger's level never exists.
    """

    def __init__(self) -> None:
        self._lines: list[tuple[str, str]] = []
        self._buffer = HeadAndTail()
        self._previous: Callable[..., LogRecord] | None = None

    def begin(self) -> None:
        """Listen, once somebody has imported logging."""
        if self._previous is None and "logging" in sys.modules:
            logging = sys.modules["logging"]
            self._previous = logging.getLogRecordFactory()
            logging.setLogRecordFactory(self._made)
        self._lines.clear()

    def take(self, *streams: bytes) -> bytes:
        """The records since `begin` whose messages stand in none of the streams, a line each."""
        if not self._lines:
            return b""
        captured = b"\n".join(streams)
        for message, line in self._lines:
            if message.encode("utf-8", "backslashreplace") not in captured:
                self._buffer.add(f"{line}\n".encode("utf-8", "backslashreplace"))
        self._lines.clear()
        return self._buffer.take()

    def close(self) -> None:
        """Stop listening."""
        if self._previous is not None:
            logging = sys.modules["logging"]
            if logging.getLogRecordFactory() == self._made:
                logging.setLogRecordFactory(self._previous)
            self._previous = None

    def _made(self, *args: object, **kwargs: object) -> LogRecord:
        assert self._previous is not None
        record = self._previous(*args, **kwargs)
        self._note(record)
        return record

    def _note(self, record: LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - arguments that do not fit; logging says so where it formats them
            message = str(record.msg)
        line = f"{record.levelname} {record.name}: {message}"
        if len(self._lines) < LINES:
            self._lines.append((message, line))
        else:
            self._buffer.add(f"{line}\n".encode("utf-8", "backslashreplace"))


def _nothing() -> None:
    pass
