"""What ranks do together: agree, decide on rank 0, raise the same error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, NoReturn, TypeVar

from ezpyp.errors import EzpypError, ParallelError, RanksDisagreeError
from ezpyp.execution.mpi.communicator import Communicator
from ezpyp.graph.program import Program
from ezpyp.pipeline.settings import Option, first_difference

SHOWN = 3
"""How many steps and ranks are named one by one."""


class Outline(NamedTuple):
    """The steps of a rank: their names and keys, in order."""

    names: tuple[str, ...]
    keys: tuple[bytes, ...]


T = TypeVar("T")
_Answer = tuple[T | None, EzpypError | None]


class _Report(NamedTuple):
    """What one rank came to."""

    operation: str
    options: tuple[Option, ...]
    digest: bytes | None
    error: EzpypError | None


class Ranks:
    """The ranks of a job as the pipeline sees them."""

    def __init__(self, communicator: Communicator) -> None:
        self.communicator = communicator
        self.rank = communicator.rank
        self.size = communicator.size

    def from_root(self, on_root: Callable[[], T]) -> T:
        """Rank 0's value on every rank, or the error that it met."""
        if self.size == 1:
            return on_root()
        answer: _Answer[T] = (None, None)
        if self.rank == 0:
            answer = self._answer(on_root)
        return self._shared(answer)

    def side_by_side(self, on_root: Callable[[], T], elsewhere: Callable[[], None]) -> T:
        """Like `from_root`, while the other ranks do something of their own."""
        if self.size == 1:
            return on_root()
        answer: _Answer[T] = (None, None)
        if self.rank == 0:
            answer = self._answer(on_root)
            if answer[1] is not None:
                self._release()
        else:
            elsewhere()
        return self._shared(answer)

    def agree(
        self,
        operation: str,
        act: Callable[[], bytes],
        program: Callable[[], Program],
        options: Sequence[Option] = (),
    ) -> None:
        """Do something on every rank, and make sure that it came to the same everywhere.

        Raises:
            RanksDisagreeError: The digests differ; the message names ranks, steps and what differs in them.
        """
        if self.size == 1:
            act()
            return
        digest, error = _attempt(act)
        reports = self.communicator.collect(_Report(operation, tuple(options), digest, error))
        verdict = self.communicator.share(None if reports is None else _verdict(reports))
        if isinstance(verdict, EzpypError):
            self.raise_everywhere(verdict)
        if verdict:
            self.raise_everywhere(self._disagreement(program(), verdict))

    def _disagreement(self, program: Program, others: tuple[int, ...]) -> RanksDisagreeError | None:
        """Which steps of the first few ranks that disagree with rank 0 are others; the same error on every rank."""
        is_asked = self.rank in (0, *others[:SHOWN])
        outlines = self.communicator.collect(Outline(program.names, program.keys) if is_asked else None)
        error = None if outlines is None else RanksDisagreeError(disagreement(outlines, others))
        return self.communicator.share(error)

    def raise_everywhere(self, error: EzpypError | None) -> NoReturn:
        """Raise an error that every rank raises alike: the job ends in order, not by an abort."""
        assert error is not None
        raise _collective(error) if self.size > 1 else error

    def _answer(self, on_root: Callable[[], T]) -> _Answer[T]:
        try:
            return _attempt(on_root)
        except BaseException as error:  # Ctrl-C, for one: a script may catch it and go on, the others do not know of it
            left = _collective(
                ParallelError(
                    f"rank 0 left a call by {type(error).__name__}, the other ranks waited in it, and nothing can "
                    "follow: let the exception end the script, or catch it where it is raised on every rank"
                )
            )
            self.communicator.owe((None, left), left)
            raise

    def _shared(self, answer: _Answer[T]) -> T:
        value, error = self.communicator.share(answer)
        if error is not None:
            self.raise_everywhere(error)
        return value  # type: ignore[return-value]  # there was no error, so it is rank 0's value

    def _release(self) -> None:
        """Rank 0 met an error: those that wait for work need not wait any longer."""
        for rank in range(1, self.size):
            self.communicator.post(rank, None)
        self.communicator.flush()


def _collective(error: EzpypError) -> EzpypError:
    error.collective = True  # type: ignore[attr-defined]  # read where a script's exceptions end
    return error


def _attempt(act: Callable[[], T]) -> _Answer[T]:
    try:
        return act(), None
    except EzpypError as error:
        return None, error


def _verdict(reports: Sequence[_Report]) -> EzpypError | tuple[int, ...]:
    """An error to be raised everywhere, or the ranks whose digests are not rank 0's."""
    operations = [report.operation for report in reports]
    if len(set(operations)) > 1:
        calls = ", ".join(f"rank {rank} {operation}()" for rank, operation in enumerate(operations))
        return RanksDisagreeError(f"the ranks call different things: {calls}; every rank must run the same script")
    for rank, report in enumerate(reports):
        if report.error is not None:
            return report.error if rank == 0 else type(report.error)(f"on rank {rank}: {report.error}")
    other = first_difference([report.options for report in reports])
    if other is not None:
        return RanksDisagreeError(f"the ranks were given different options: {other}")
    return tuple(rank for rank, report in enumerate(reports) if report.digest != reports[0].digest)


def disagreement(outlines: Sequence[Outline | None], others: Sequence[int]) -> str:
    """What to say of ranks whose steps are not rank 0's.

    Args:
        outlines: By rank; of rank 0, and at least of the first of the others.
        others: The ranks that disagree.
    """
    mine, its = outlines[0], outlines[others[0]]
    assert mine is not None
    assert its is not None
    more = f" ({len(others) - SHOWN} more ranks differ from rank 0 too)" if len(others) > SHOWN else ""
    same_names_elsewhere = mine.names != its.names and set(mine.names) == set(its.names)
    if same_names_elsewhere or _calls(mine) != _calls(its):
        return _calls_differ(mine.names, its.names, others[0]) + more
    pairs = zip(zip(*mine, strict=True), zip(*its, strict=True), strict=True)
    differing = [position for position, (one, other) in enumerate(pairs) if one != other]
    lines = []
    for position in differing[:SHOWN]:
        ranks = [
            rank
            for rank, outline in enumerate(outlines)
            if outline and position < len(outline.keys) and outline.keys[position] != mine.keys[position]
        ]
        lines.append(f"{mine.names[position]!r} differs from rank 0 to {_ranks(ranks)}")
    rest = f" and {len(differing) - SHOWN} more" if len(differing) > SHOWN else ""
    return (
        f"the ranks declared different steps: {'; '.join(lines)}{rest}{more}. Look at the arguments, globals, options "
        "of the first: what comes from the clock, random numbers, a set's order or the rank itself differs from rank "
        "to rank; make it the same everywhere, or a step"
    )


def _calls(outline: Outline) -> list[str]:
    """The functions that were called, in order: a name may hold an argument, so these tell whether calls agree."""
    return [name.partition("[")[0] for name in outline.names]


def _calls_differ(first: Sequence[str], other: Sequence[str], rank: int) -> str:
    """Which steps rank 0 and another rank do not both have, or where their order differs."""
    if sorted(first) == sorted(other):
        moved = [(place, *pair) for place, pair in enumerate(zip(first, other, strict=True), 1) if len({*pair}) > 1]
        where = "".join(f": step {i} is {mine!r} on rank 0 and {its!r} on rank {rank}" for i, mine, its in moved[:1])
        return (
            f"the ranks declared the same steps in different orders{where}. Declare them in one order: sort what a "
            "set, a folder's listing or a finished thread gives"
        )
    lines = [f"rank 0 declared {_counted(first)}, rank {rank} {_counted(other)}"]
    lines += [f"{_listed(_only(first, other))} on rank 0 only"] if _only(first, other) else []
    lines += [f"{_listed(_only(other, first))} on rank {rank} only"] if _only(other, first) else []
    return f"the ranks declared different steps: {'; '.join(lines)}. Every rank must declare all of them"


def _counted(names: Sequence[str]) -> str:
    return f"{len(names)} step{'s' * (len(names) != 1)}"


def _only(some: Sequence[str], others: Sequence[str]) -> list[str]:
    known = set(others)
    return [name for name in some if name not in known]


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(map(repr, names[:SHOWN])) + more


def _ranks(ranks: Sequence[int]) -> str:
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    return f"ranks {', '.join(map(str, ranks[:-1]))} and {ranks[-1]}"
