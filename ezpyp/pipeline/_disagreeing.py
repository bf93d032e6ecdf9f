"""What ranks disagree about: which step, in which argument or piece of code; said in the words of a difference."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from ezpyp.graph import Program
from ezpyp.hashing import FunctionIdentity
from ezpyp.schema import Cause, Recorded, Upstream, causes_of, function_causes, recorded_of, records_of

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
