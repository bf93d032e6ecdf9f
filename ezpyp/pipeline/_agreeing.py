"""What ranks do together: agree, decide on rank 0, raise the same error."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn, TypeVar

from ezpyp.errors import EzpypError, RanksDisagreeError
from ezpyp.execution import Communicator
from ezpyp.graph import Program

T = TypeVar("T")
_Answer = tuple[T | None, EzpypError | None]


class Ranks:
    """The ranks of a job as the pipeline sees them.

    Args:
        communicator: How they talk.
    """

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
            answer = _attempt(on_root)
        return self._shared(answer)

    def side_by_side(self, on_root: Callable[[], T], elsewhere: Callable[[], None]) -> T:
        """Like `from_root`, while the other ranks do something of their own."""
        if self.size == 1:
            return on_root()
        answer: _Answer[T] = (None, None)
        if self.rank == 0:
            answer = _attempt(on_root)
            if answer[1] is not None:
                self._release()
        else:
            elsewhere()
        return self._shared(answer)

    def agree(self, operation: str, act: Callable[[], bytes], program: Callable[[], Program]) -> None:
        """Do something on every rank, and make sure that it came to the same everywhere.

        Args:
            operation: What the script called, for the case that ranks call different things.
            act: Gives a digest.
            program: The steps, for the message where digests differ.

        Raises:
            RanksDisagreeError: The digests differ; the message names ranks and steps.
        """
        if self.size == 1:
            act()
            return
        digest, error = _attempt(act)
        reports = self.communicator.collect((operation, digest, error))
        verdict = self.communicator.share(None if reports is None else _verdict(reports))
        if isinstance(verdict, EzpypError):
            self.raise_everywhere(verdict)
        if verdict:
            named = self.communicator.collect(list(zip(program().names, program().keys, strict=True)))
            self.raise_everywhere(self.communicator.share(None if named is None else _disagreement(named)))

    def raise_everywhere(self, error: EzpypError | None) -> NoReturn:
        """Raise an error that every rank raises alike: the job ends in order, not by an abort."""
        assert error is not None
        if self.size > 1:
            error.collective = True  # type: ignore[attr-defined]  # read where a script's exceptions end
        raise error

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


def _attempt(act: Callable[[], T]) -> _Answer[T]:
    try:
        return act(), None
    except EzpypError as error:
        return None, error


def _verdict(reports: Sequence[tuple[str, bytes | None, EzpypError | None]]) -> EzpypError | bool:
    """An error to be raised everywhere, or whether the digests differ."""
    operations = [report[0] for report in reports]
    if len(set(operations)) > 1:
        calls = ", ".join(f"rank {rank} {operation}()" for rank, operation in enumerate(operations))
        return RanksDisagreeError(f"the ranks call different things: {calls}; every rank must run the same script")
    for rank, (_, _, error) in enumerate(reports):
        if error is not None:
            return error if rank == 0 else type(error)(f"on rank {rank}: {error}")
    return len({report[1] for report in reports}) > 1


def _disagreement(named: Sequence[Sequence[tuple[str, bytes]]]) -> RanksDisagreeError:
    """Which step differs on which ranks."""
    first = dict(named[0])
    for steps in named:
        theirs = dict(steps)
        for name in [*first, *theirs]:
            if first.get(name) != theirs.get(name):
                ranks = [r for r, other in enumerate(named) if dict(other).get(name) != first.get(name)]
                if name not in first or name not in theirs:
                    having = [str(r) for r, other in enumerate(named) if name in dict(other)]
                    return RanksDisagreeError(
                        f"the ranks declared different steps: {name!r} was declared on rank(s) {', '.join(having)} "
                        "only; every rank must declare the same steps"
                    )
                return RanksDisagreeError(
                    f"the ranks declared different steps: {name!r} on rank 0 is not what it is on rank(s) "
                    f"{', '.join(map(str, ranks))}. An argument from the clock, random numbers or a set's order "
                    "differs from rank to rank: make it the same everywhere, or make it a step"
                )
    return RanksDisagreeError("the ranks declared the same steps in different orders: declare them in one order")
