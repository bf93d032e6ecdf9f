"""What is cached and what would run, known before anything runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from xxhash import xxh3_128_digest

from ezpyp.graph.program import Program
from ezpyp.store.results import Observations, newest_results
from ezpyp.store.rows import KnownResult, NewResult


class PlannedStep(NamedTuple):
    """One step of a plan.

    Attributes:
        name: The step's name.
        phase: Its phase.
        action: ``cached``, ``run``, or ``maybe`` where it depends on what an upstream will give.
        reason: Why.
    """

    name: str
    phase: int
    action: str
    reason: str


@dataclass(frozen=True, slots=True)
class Plan:
    """What ``execute()`` would do, step by step.

    Example:
        >>> plan = Plan((PlannedStep("alpha", 0, "run", "never run"),))
        >>> print(plan)
        1 step: 0 cached, 1 to run, 0 decided on the way
        run     alpha  never run
        >>> [step.name for step in plan.to_run]
        ['alpha']
    """

    steps: tuple[PlannedStep, ...]

    @property
    def cached(self) -> tuple[PlannedStep, ...]:
        """The steps whose results are known."""
        return tuple(step for step in self.steps if step.action == "cached")

    @property
    def to_run(self) -> tuple[PlannedStep, ...]:
        """The steps that will run, or may."""
        return tuple(step for step in self.steps if step.action != "cached")

    def __str__(self) -> str:
        maybe = sum(step.action == "maybe" for step in self.steps)
        run = len(self.to_run) - maybe
        plural = "s" * (len(self.steps) != 1)
        first = f"{len(self.steps)} step{plural}: {len(self.cached)} cached, {run} to run, {maybe} decided on the way"
        width = max((len(step.name) for step in self.steps), default=0)
        return "\n".join([first, *(f"{s.action:<7} {s.name:<{width}}  {s.reason}".rstrip() for s in self.steps)])


def token_of(result: KnownResult | NewResult, *, cached: bool, id_: int) -> bytes:
    """What stands for an upstream's result in an input key.

    Its value digest where it has one. Otherwise the upstream's key with the object's digest: nothing is cut
    off through it. A step with ``cache=False`` and no value digest may have written another file to the same
    path, so every result of it is new.
    """
    if result.value_digest is not None:
        return result.value_digest
    nonce = b"" if cached else id_.to_bytes(8, "little")
    return xxh3_128_digest(b"opaque" + result.key + result.digest + nonce)


def found_results(program: Program, known: Mapping[bytes, KnownResult]) -> list[KnownResult | None]:
    """The result of each step that is known before anything runs, None for the others.

    A result counts while it was computed from the values that its upstreams have now.
    """
    found: list[KnownResult | None] = []

    def token(up: int) -> bytes:
        result = found[up]
        assert result is not None
        return token_of(result, cached=program.steps[up].function.options.cache, id_=result.id)

    keys, values, orders, steps = program.keys, program.values, program.orders, program.steps
    for position, key in enumerate(keys):
        result = known.get(key)
        if result is not None and (values[position] or orders[position]):
            upstreams_known = all(found[up] is not None for up in values[position] + orders[position])
            if not upstreams_known or program.input_key(position, token) != result.input_key:
                result = None
        if result is not None and not steps[position].function.options.cache:
            result = None
        found.append(result)
    return found


class Findings(NamedTuple):
    """What the index knows of a program.

    Attributes:
        known: The newest result of each key that can be used as far as its own step goes.
        found: The result of each step that is known before anything runs, None for the others.
        changed: For keys whose results cannot be used: what a step read that is not as it was.
        is_newest: Whether each of them is the newest of its key.
    """

    known: dict[bytes, KnownResult]
    found: list[KnownResult | None]
    changed: dict[bytes, str]
    is_newest: bool


def look_up(program: Program, connection: sqlite3.Connection) -> Findings:
    """Find what is known of a program before anything runs, and look at what those steps had read."""
    known = newest_results(connection, program.keys)
    found = found_results(program, known)
    observations = Observations(connection)
    changed: dict[bytes, str] = {}
    checked: set[bytes] = set()
    # Once more for what is known only with another result of an upstream.
    while not observations.are_none and (used := {one.key for one in found if one is not None} - checked):
        checked |= used
        for key, result in observations.replaced(known, used).items():
            if isinstance(result, KnownResult):
                known[key] = result
            else:
                changed[key] = result
                del known[key]
        found = found_results(program, known)
    return Findings(known, found, changed, observations.are_none)


def plan_of(program: Program, findings: Findings) -> Plan:
    """Say for each step what would happen, and why."""
    steps = []
    for position, result in enumerate(findings.found):
        action, reason = ("cached", "") if result else _decision(program, position, findings)
        steps.append(PlannedStep(program.names[position], program.phases[position], action, reason))
    return Plan(tuple(steps))


def _decision(program: Program, position: int, findings: Findings) -> tuple[str, str]:
    known, found, changed, _ = findings
    if not program.steps[position].function.options.cache:
        return "run", "cache=False"
    waiting = [program.names[up] for up in dict.fromkeys(program.upstreams(position)) if found[up] is None]
    if waiting:
        more = f" and {len(waiting) - 1} more" if len(waiting) > 1 else ""
        return "maybe", f"depends on what {waiting[0]}{more} will give"
    if program.keys[position] in changed:
        return "run", changed[program.keys[position]]
    if program.keys[position] in known:
        return "run", "an upstream has another value than when it ran"
    return "run", "no result under its key"
