"""The words of a conflict: what changed, what it would cost, and the way on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence

from ezpyp.hashing import FunctionIdentity, difference
from ezpyp.store import Edge, KnownStep, StepRecord

_SHOWN = 10
_NAMED_ROOTS = 5


def changes_of(
    record: StepRecord,
    old: KnownStep,
    identities: tuple[FunctionIdentity, FunctionIdentity],
    upstreams: tuple[Mapping[str, str], Mapping[str, str]],
) -> list[str]:
    """Everything that differs between a step as recorded and as declared, a line each.

    Args:
        record: The step as declared.
        old: The step as recorded.
        identities: What its function was, and what it is.
        upstreams: Slot with upstream's name -> upstream's key, then and now.
    """
    changes = [str(change) for change in difference(*identities)]
    if identities[0].digest != identities[1].digest and not changes:
        changes.append(f"code of {identities[1].name} ({identities[1].file}:{identities[1].line})")
    changes += _argument_changes(json.loads(old.params), json.loads(record.params))
    if old.codec != record.codec:
        changes.append(f"codec {old.codec} -> {record.codec}")
    changes += _setting_changes(json.loads(old.settings or "{}"), json.loads(record.settings or "{}"))
    changes += upstream_changes(*upstreams)
    return changes or ["something that is not recorded in detail"]


def _argument_changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    lines = []
    for name in [*old, *(name for name in new if name not in old)]:
        before, after = old.get(name), new.get(name)
        if before is None:
            lines.append(f"argument {name}: new, {_shown(after)}")
        elif after is None:
            lines.append(f"argument {name}: gone, was {_shown(before)}")
        elif before != after and ("TMP for" not in before or "TMP for" not in after):
            lines.append(f"argument {name}: {_pair(before, after)}")
    return lines


def _pair(before: str, after: str) -> str:
    if _shown(before) == _shown(after):
        return f"changed somewhere in {_shown(after)}"
    return f"{_shown(before)} -> {_shown(after)}"


def _shown(text: str | None) -> str:
    """The text without the digest that stands beside it."""
    return "nothing" if text is None else text.rpartition(" #")[0] or text


def _setting_changes(old: Mapping[str, object], new: Mapping[str, object]) -> list[str]:
    return [
        f"{name}= {old.get(name)!r} -> {new.get(name)!r}"
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    ]


def upstream_changes(old: Mapping[str, str], new: Mapping[str, str]) -> list[str]:
    """What changed among the upstreams: which came, went, or mean something else."""
    changed = sorted({name for name in old.keys() & new.keys() if old[name] != new[name]})
    came = sorted(new.keys() - old.keys())
    went = sorted(old.keys() - new.keys())
    lines = [f"upstream {_listed(changed)}"] if changed else []
    lines += [f"upstream {_listed(came)} added"] if came else []
    lines += [f"upstream {_listed(went)} left out"] if went else []
    return lines


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def conflict_message(
    location: str, changes: Mapping[str, Sequence[str]], price: tuple[int, float], only_arguments: bool
) -> str:
    """The whole message of a `SchemaConflictError`."""
    count, seconds = price
    lines = [f"{len(changes)} step(s) at {location} have results and would change their meaning:"]
    lines += [f"  {name}: {'; '.join(what)}" for name, what in list(changes.items())[:_SHOWN]]
    if len(changes) > _SHOWN:
        lines.append(f"  and {len(changes) - _SHOWN} more")
    took = "under 0.01 s" if seconds < 0.01 else f"{seconds:.2f} s"
    lines.append(f"Nothing was written. {count} step(s) would run again ({took} when they last ran).")
    lines.append("The way on: another location for another study;")
    if only_arguments:
        lines.append("  or a sweep, where only arguments differ (function.map([...]) keeps the old and the new);")
    roots = [name for name, what in changes.items() if not all(line.startswith("upstream") for line in what)]
    named = f"revise={roots}, " if 0 < len(roots) <= _NAMED_ROOTS else ""
    lines.append(f"  or {named}revise=True or EZPYP_REVISE=1 (older results stay: get_result(name, revision=...)).")
    return "\n".join(lines)


def upstream_keys(edges: Sequence[Edge], step_of: Callable[[int], KnownStep]) -> dict[str, str]:
    """Upstream's name -> its key, for a recorded step."""
    return {step_of(edge.upstream).name: step_of(edge.upstream).key.hex() for edge in edges}
