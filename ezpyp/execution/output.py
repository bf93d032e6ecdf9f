"""The lines of a run, as the founding text has them, and what `execute()` returns."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from ezpyp.execution.capture.stream import Suspending
from ezpyp.execution.messages import Failure
from ezpyp.store.runs import KilledRun

NAMED = 10
"""Failures that the text of a report names."""


@dataclass(frozen=True, slots=True)
class Report:
    """How a run went; the same on every rank.

    Attributes:
        run: Number of the run, as ``ezpyp.inspect`` shows it.
        revision: Revision of the schema that ran.
        total: Steps of the pipeline.
        done: Steps whose body ran and gave a result.
        cached: Steps found in the cache.
        failed: Names of the steps that raised.
        skipped: Names of the steps that were skipped, because something that they need failed.
        failures: Name of a failed step -> type, message, place and traceback.
        seconds: Wall time of the run, s, from the first look at the cache to the last commit.
        busy_seconds: Seconds of all bodies together.
        ranks: Number of ranks.

    Example:
        >>> from tempfile import mkdtemp
        >>> from ezpyp import Pipeline
        >>> pipeline = Pipeline(mkdtemp(), "doc")
        >>> roots = pipeline.step(abs).map([-3, "x"])
        >>> report = pipeline.execute(output="none")
        >>> report  # doctest: +ELLIPSIS
        Report(run 1, revision 1: 2 steps, 1 done, 0 cached, 1 failed, 0 skipped in ... s, ... % busy;
            abs[x=x] failed with TypeError: bad operand type for abs(): 'str')
        >>> report.ok, report.failed, report.failures["abs[x=x]"].type_name
        (False, ('abs[x=x]',), 'TypeError')
        >>> 0 <= report.efficiency <= 1
        True
    """

    run: int
    revision: int
    total: int
    done: int
    cached: int
    failed: tuple[str, ...]
    skipped: tuple[str, ...]
    failures: Mapping[str, Failure] = field(hash=False)
    seconds: float
    busy_seconds: float
    ranks: int

    @property
    def ok(self) -> bool:
        """Whether every step has its result."""
        return not self.failed and not self.skipped

    @property
    def efficiency(self) -> float:
        """Busy time over ranks times wall time, 0 to 1."""
        return self.busy_seconds / (self.ranks * self.seconds) if self.seconds else 0.0

    def __repr__(self) -> str:
        return (
            f"Report(run {self.run}, revision {self.revision}: {self.total} steps, {self.done} done, "
            f"{self.cached} cached, {len(self.failed)} failed, {len(self.skipped)} skipped in {self.seconds:.3g} s"
            f"{self._busy()}{self._told()})"
        )

    def _busy(self) -> str:
        ranks = f" on {self.ranks} ranks" if self.ranks > 1 else ""
        return f"{ranks}, {100 * self.efficiency:.0f} % busy" if self.busy_seconds else ranks

    def _told(self) -> str:
        """The failures, as far as they fit a screen."""
        told = [
            f"\n    {name} failed with {failure.type_name}: {failure.message.partition(chr(10))[0]}"
            for name, failure in list(self.failures.items())[:NAMED]
        ]
        more = len(self.failures) - len(told)
        return ";" * bool(told) + "".join(told) + (f"\n    and {more} more" if more else "")


CACHED_LINES = 20
"""Cached steps of one phase that are named one by one; more are counted in one line."""
_NAMED = 4


def header(pipeline_id: str, location: Path, revision: int, counts: tuple[int, int, int]) -> str:
    """The first line of a run."""
    total, cached, to_run = counts
    return (
        f"Pipeline {pipeline_id!r} @ {location}, revision {revision}: "
        f"{total} step{'s' * (total != 1)}, {cached} cached, {to_run} to run\n"
    )


def killed(before: KilledRun) -> str:
    """What a run that was killed was at: it could not say so itself."""
    at = [f"{name!r} on rank {rank} of {host}" for name, rank, host in before.steps]
    more = f" and {len(at) - _NAMED} more" if len(at) > _NAMED else ""
    running = f" while it ran {', '.join(at[:_NAMED])}{more}" if at else ""
    return f"Run {before.run} was killed on {before.host}{running}; what had finished is kept\n"


def footer(location: Path, report: Report) -> str:
    """The last line of a run that prints no steps."""
    counts = f"{report.done} done, {report.cached} cached, {len(report.failed)} failed, {len(report.skipped)} skipped"
    return f"Pipeline {'Completed' if report.ok else 'Failed'} @ {location}: {counts} in {report.seconds:.2f} s\n"


def _where(rank: int, phase: int, what: str) -> str:
    return f"[MPI process {rank:02d}] [Running component of phase {phase:02d}] [{what}]\n"


def started(rank: int, phase: int, title: str, name: str) -> str:
    """Where a step runs."""
    return _where(rank, phase, f"Executing {title} Step Object {name!r}")


def passed(name: str) -> str:
    """A step is done, and its row is committed."""
    return f"  ╰─> [PASS] {name!r}\n"


def cached(phase: int, title: str, name: str, reason: str | None = None) -> str:
    """A step was found in the cache."""
    why = f" ({reason})" if reason else ""
    return f"{_where(0, phase, f'Found {title} Step Object {name!r}')}  ╰─> [CACHED] {name!r}{why}\n"


def cached_many(phase: int, count: int) -> str:
    """Many steps of a phase were found in the cache."""
    return f"{_where(0, phase, f'Found {count} Step Objects')}  ╰─> [CACHED] {count} steps\n"


def typed(name: str) -> str:
    r"""A name as it can be pasted on a command line; `ezpyp.inspect` finds what it prints itself.

    Example:
        >>> typed("fit[x=1]"), typed("--help"), typed("a\x1bb")
        ("'fit[x=1]'", '-- --help', "'a\\x1bb'")
    """
    shown = "".join(sign if sign.isprintable() else repr(sign)[1:-1] for sign in name)
    return f"{'-- ' if name.startswith('-') else ''}{shlex.quote(shown)}"


def failed(name: str, error: str, place: str, command: str) -> str:
    """A step raised: type and message, the user's own file and line, and where the traceback is."""
    return f"  ╰─> [FAIL] {name!r} {error}{place}\n      traceback: {command}\n"


def skipped(phase: int, title: str, name: str, blame: str) -> str:
    """A step was skipped because of a dependency."""
    return f"{_where(0, phase, f'Skipping {title} Step Object {name!r}')}  ╰─> [SKIP] {name!r} (needs {blame!r})\n"


class Console:
    """Writes lines to standard output, as it is when the run begins.

    It may be missing (a daemon), unable to show a character (a terminal of old), or closed at the other end
    (``script.py | head``): what cannot be shown is left out, and the run goes on.
    """

    def __init__(self) -> None:
        self._stream: TextIO | None = sys.stdout
        self._suspended: Suspending = nullcontext

    @contextmanager
    def through(self, stream: TextIO | None, suspended: Suspending) -> Iterator[None]:
        """Write to another stream for a while: around what is kept of the steps' own output."""
        before = self._stream, self._suspended
        self._stream, self._suspended = stream, suspended
        try:
            yield
        finally:
            self._stream, self._suspended = before

    def write(self, text: str) -> None:
        """Write and flush."""
        if self._stream is None:
            return
        try:
            with self._suspended(b"\n"):
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
