"""What changed among the steps that a step needs: which ones, which part of their results, what they are."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ezpyp.schema._cause import Cause

ORDER_ONLY = "depends_on[]"
_PICK = " -> "
_SET = "{}"
_SHOWN_NAMES = 4


@dataclass(frozen=True, slots=True)
class Upstream:
    """A step that another one needs; ``step`` is its row, 0 where it has none."""

    step: int
    name: str
    key: str


class Changed(NamedTuple):
    """An upstream that kept its name and its place, but not its key."""

    place: str
    old: Upstream
    new: Upstream


@dataclass(slots=True)
class _Needed:
    """One upstream at one place, with the parts of its result that are picked there; "" for the whole."""

    upstream: Upstream
    picks: list[str]


_Places = dict[str, dict[str, _Needed]]


def upstream_of(edges: Iterable[tuple[str, Upstream]]) -> dict[str, dict[str, Upstream]]:
    """Upstreams by slot and name."""
    found: dict[str, dict[str, Upstream]] = {}
    for slot, upstream in edges:
        found.setdefault(slot or ORDER_ONLY, {})[upstream.name] = upstream
    return found


def _by_place(slots: Mapping[str, Mapping[str, Upstream]]) -> _Places:
    """The same by place: a slot without what is picked."""
    found: _Places = {}
    for slot, upstreams in slots.items():
        place, _, pick = slot.partition(_PICK)
        for name, upstream in upstreams.items():
            found.setdefault(place, {}).setdefault(name, _Needed(upstream, [])).picks.append(pick)
    return found


def changed_upstreams(
    old: Mapping[str, Mapping[str, Upstream]], new: Mapping[str, Mapping[str, Upstream]]
) -> Iterator[Changed]:
    """The upstreams that are the same steps by name, and other ones by key.

    Args:
        old: What a step needed, by slot and name.
        new: What it needs.
    """
    was, now = _by_place(old), _by_place(new)
    for place, needed in now.items():
        before = was.get(place, {})
        for name, its in needed.items():
            if name in before and before[name].upstream.key != its.upstream.key:
                yield Changed(place, before[name].upstream, its.upstream)


def dependency_causes(
    old: Mapping[str, Mapping[str, Upstream]], new: Mapping[str, Mapping[str, Upstream]], told: Iterable[str]
) -> Iterator[Cause]:
    """What a step needs otherwise than before: other steps, other parts of their results, another order.

    Args:
        old: What it needed, by slot and name.
        new: What it needs.
        told: Steps, with what is picked of them, that an argument's change tells of.
    """
    was, now = _by_place(old), _by_place(new)
    for place in dict.fromkeys([*was, *now]):
        before, after = was.get(place, {}), now.get(place, {})
        came = [name for name in after if name not in before]
        went = [name for name in before if name not in after]
        if len(came) == len(went) == len(before) == len(after) == 1:
            names = [f"{name}{needed[name].picks[0]}" for name, needed in ((went[0], before), (came[0], after))]
            text = f"upstream at {place}: {_PICK.join(names)}"
            yield Cause("dependency", text, came[0], old=went[0], new=came[0])
            continue
        yield from _moves(place, came, went, told)
        yield from _picks(place, before, after)
        if not (came or went) and not place.endswith((_SET, ORDER_ONLY)):
            yield from _reordered(place, list(before), list(after))


def _moves(place: str, came: Sequence[str], went: Sequence[str], told: Iterable[str]) -> Iterator[Cause]:
    came, went = ([name for name in names if not _is_among(name, told)] for names in (came, went))
    if came:
        yield Cause("dependency", f"upstream {listed(came)} came to {place}", came[0], new=", ".join(came))
    if went:
        yield Cause("dependency", f"upstream {listed(went)} left {place}", went[0], old=", ".join(went))


def _is_among(name: str, told: Iterable[str]) -> bool:
    return any(step == name or step.startswith(f"{name}[") for step in told)


def _picks(place: str, before: Mapping[str, _Needed], after: Mapping[str, _Needed]) -> Iterator[Cause]:
    for name, its in after.items():
        if name in before and before[name].picks != its.picks:
            old, new = (", ".join(pick or "all of it" for pick in needed.picks) for needed in (before[name], its))
            yield Cause(
                "dependency", f"another part of upstream {name} at {place}: {old} -> {new}", name, "", 0, old, new
            )


def _reordered(place: str, before: Sequence[str], after: Sequence[str]) -> Iterator[Cause]:
    if before != after:
        old, new = listed(before), listed(after)
        yield Cause("dependency", f"another order of the steps at {place}: {old} -> {new}", place, "", 0, old, new)


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - _SHOWN_NAMES} more" if len(names) > _SHOWN_NAMES else ""
    return ", ".join(names[:_SHOWN_NAMES]) + more
