"""What ranks do together: agree, decide on rank 0, raise the same error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, NoReturn, TypeVar

from ezpyp.errors import EzpypError, ParallelError, RanksDisagreeError
from ezpyp.execution.mpi.communicator import Communicator
from ezpyp.explain.argument_diff import Cause
from ezpyp.explain.step_diff import Recorded, Upstream, causes_of, function_causes
from ezpyp.graph.program import Program
from ezpyp.hashing.code.identity import FunctionIdentity
from ezpyp.pipeline.settings import Option, first_difference
from ezpyp.schema.records import records_of
from ezpyp.schema.rule import recorded_of

# What ranks disagree about: which step, in which argument or piece of code; said in the words of a difference.

SHOWN = 3
"""How many steps, causes and ranks are told of one by one."""


class Outline(NamedTuple):
    """The steps of a rank: their names and keys, in order."""

    names: tuple[str, ...]
    keys: tuple[bytes, ...]


class Detail(NamedTuple):
    """What the key of one step of a rank is made of, as short texts and digests: never a whole value."""

    recorded: Recorded
    function: str
    codes: Mapping[str, str]


def outline_of(program: Program) -> Outline:
    """The steps that a rank has frozen."""
    return Outline(program.names, program.keys)


def details_of(program: Program, positions: Sequence[int]) -> dict[int, Detail]:
    """What the keys of some steps are made of, as far as the rank has them."""
    details = {}
    positions = [position for position in positions if position < len(program)]
    for position, record in zip(positions, records_of(program, positions), strict=True):
        edges = [(slot, Upstream(0, program.names[up], program.keys[up].hex())) for up, _, slot in record.edges]
        recorded = replace(recorded_of(record, edges), python=sys.implementation.cache_tag or "")
        codes = dict(record.manifest.shared) if record.manifest else {}
        function = program.identities[program.steps[position].function].to_json()
        details[position] = Detail(recorded, function, codes)
    return details


def differing(one: Outline, other: Outline) -> list[int]:
    """Positions of the first steps that are the same call on two ranks and yet differ; none where the calls differ.

    A name may hold an argument, so steps of one function that stand in the same place are the same call.
    """
    if len(one.names) != len(other.names) or (one.names != other.names and set(one.names) == set(other.names)):
        return []
    if [_function(name) for name in one.names] != [_function(name) for name in other.names]:
        return []
    pairs = zip(zip(*one, strict=True), zip(*other, strict=True), strict=True)
    return [position for position, (mine, theirs) in enumerate(pairs) if mine != theirs][:SHOWN]


def _function(name: str) -> str:
    return name.partition("[")[0]


def calls_differ(outlines: Mapping[int, Outline], rank: int) -> str:
    """Which steps rank 0 and another rank do not both have, or where their order differs."""
    first, other = outlines[0].names, outlines[rank].names
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


def steps_differ(details: Mapping[int, Mapping[int, Detail]], position: int, *, upstream: bool) -> list[str]:
    """What differs in one step between rank 0 and others, a line each.

    Args:
        details: By rank and position.
        position: The step.
        upstream: Whether to tell which other steps it needs, or what differs in itself.
    """
    found = {
        rank: _causes(details[0][position], its[position], upstream=upstream) for rank, its in details.items() if rank
    }
    lines = []
    name = details[0][position].recorded.name
    for cause in dict.fromkeys((cause.kind, cause.name) for causes in found.values() for cause in causes):
        having = {rank: its for rank, causes in found.items() for its in causes if (its.kind, its.name) == cause}
        lines.append(_argument(name, having) if cause[0] == "argument" else _code(name, having))
    return lines


_OF_UPSTREAMS = ("dependency", "upstream")


def _causes(one: Detail, other: Detail, *, upstream: bool) -> list[Cause]:
    codes = {**one.codes, **other.codes}
    functions = function_causes(*map(FunctionIdentity.from_json, (one.function, other.function)))
    causes = causes_of(
        one.recorded, other.recorded, functions,
        lambda digest: FunctionIdentity.from_json(codes[digest]) if digest in codes else None,
    )  # fmt: skip
    return [cause for cause in causes if (cause.kind in _OF_UPSTREAMS) == upstream]


def _argument(step: str, having: Mapping[int, Cause]) -> str:
    first = next(iter(having.values()))
    if any(cause.old == cause.new or cause.file for cause in having.values()):
        return _code(step, having)
    ranks: dict[str, list[int]] = {}
    for rank, cause in having.items():
        ranks.setdefault(cause.new, []).append(rank)
    values = [f"rank 0 has {first.old or 'nothing'}"]
    values += [
        f"{_ranks(some)} {'has' if len(some) == 1 else 'have'} {new or 'nothing'}" for new, some in ranks.items()
    ]
    return f"argument {first.name} of {step!r} differs: {', '.join(values)}"


def _code(step: str, having: Mapping[int, Cause]) -> str:
    texts: dict[str, list[int]] = {}
    for rank, cause in having.items():
        texts.setdefault(cause.text, []).append(rank)
    return "; ".join(f"{step!r} differs from rank 0 to {_ranks(ranks)}: {text}" for text, ranks in texts.items())


def _ranks(ranks: Sequence[int]) -> str:
    if len(ranks) == 1:
        return f"rank {ranks[0]}"
    return f"ranks {', '.join(map(str, ranks[:-1]))} and {ranks[-1]}"


T = TypeVar("T")
_Answer = tuple[T | None, EzpypError | None]


class _Report(NamedTuple):
    """What one rank came to."""

    operation: str
    options: tuple[Option, ...]
    digest: bytes | None
    error: EzpypError | None


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

        Args:
            operation: What the script called, for the case that ranks call different things.
            act: Gives a digest.
            program: The steps, for the message where digests differ.
            options: What the call was given.

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
        """What the first few ranks that disagree with rank 0 have otherwise; the same error on every rank."""
        is_asked = self.rank in (0, *others[:SHOWN])
        outlines = self.communicator.collect(outline_of(program) if is_asked else None)
        positions = self.communicator.share(None if outlines is None else _to_ask(outlines, others[0]))
        details = self.communicator.collect(details_of(program, positions or ()) if is_asked else None)
        error = None
        if outlines is not None and details is not None:
            error = RanksDisagreeError(_message(outlines, details, others))
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


def _to_ask(outlines: Sequence[Outline | None], other: int) -> list[int]:
    """Positions of the steps that differ between rank 0 and another one."""
    mine, its = outlines[0], outlines[other]
    return differing(mine, its) if mine is not None and its is not None else []


def _message(
    outlines: Sequence[Outline | None], details: Sequence[dict[int, Detail] | None], others: Sequence[int]
) -> str:
    known = {rank: outline for rank, outline in enumerate(outlines) if outline is not None}
    asked = {position: _at(known, details, position) for position in details[0] or ()}
    # Other upstreams are told of where nothing else differs: they are named after their own arguments.
    lines = [line for position in asked for line in steps_differ(asked[position], position, upstream=False)]
    lines = lines or [line for position in asked for line in steps_differ(asked[position], position, upstream=True)]
    more = f" ({len(others) - SHOWN} more ranks differ from rank 0 too)" if len(others) > SHOWN else ""
    if not lines:
        return calls_differ(known, others[0]) + more
    return (
        f"the ranks declared different steps: {'; '.join(lines[:SHOWN])}{more}. What comes from the clock, random "
        "numbers, a set's order or the rank itself differs from rank to rank: make it the same everywhere, or a step"
    )


def _at(
    outlines: Mapping[int, Outline], details: Sequence[dict[int, Detail] | None], position: int
) -> dict[int, dict[int, Detail]]:
    """The details of rank 0, and of those on which the same call differs."""
    return {
        rank: its
        for rank, its in enumerate(details)
        if its and position in its and (rank == 0 or position in differing(outlines[0], outlines[rank]))
    }
