"""Standard output as a run uses it: a line that cannot be shown is no reason to lose a result."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

from ezpyp.execution._capture_stream import Aside, not_aside


class Console:
    """Writes lines to standard output, as it is when the run begins.

    It may be missing (a daemon), unable to show a character (a terminal of old), or closed at the other end
    (``script.py | head``): what cannot be shown is left out, and the run goes on.
    """

    def __init__(self) -> None:
        self._stream: TextIO | None = sys.stdout
        self._aside: Aside = not_aside

    @contextmanager
    def through(self, stream: TextIO | None, aside: Aside) -> Iterator[None]:
        """Write to another stream for a while: around what is kept of the steps' own output.

        Args:
            stream: Where to.
            aside: Surrounds each write, see `Aside`.
        """
        before = self._stream, self._aside
        self._stream, self._aside = stream, aside
        try:
            yield
        finally:
            self._stream, self._aside = before

    def write(self, text: str) -> None:
        """Write and flush."""
        if self._stream is None:
            return
        try:
            with self._aside(b"\n"):
                self._stream.write(self._showable(text))
                self._stream.flush()
        except (OSError, ValueError):
            # Nobody reads any more, the disk behind it is full, or (ValueError) the stream was closed.
            self._stream = None

    def _showable(self, text: str) -> str:
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        try:
            text.encode(encoding)
        except UnicodeEncodeError:
            return text.encode(encoding, "replace").decode(encoding)
        return text
