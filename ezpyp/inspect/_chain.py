"""Why steps changed, in lines: what changed in themselves, and below what they need, down to the root."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ezpyp.inspect._causes import Differ, Known
from ezpyp.schema import Changed, listed

DEEPEST = 20
SHOWN_CAUSES = 12
LOOKED_AT = 10_000
"""Of more upstreams at one place only so many are compared: 0.1 ms each."""

Pair = tuple[Known, Known]


def function_of(name: str) -> str:
    """The name of a step without what stands in brackets: what the steps of a sweep share."""
    return name.partition("[")[0]


@dataclass(slots=True)
class _Group:
    """Upstreams of one function at one place that changed, and how many of the steps need one of them."""

    place: str
    upstreams: dict[int, Changed] = field(default_factory=dict)
    needed_by: set[str] = field(default_factory=set)

    def title(self, whole: int) -> str:
        names = [changed.new.name for changed in self.upstreams.values()]
        if len(names) == 1:
            return f"upstream {names[0]} changed ({self.place}){_share(sorted(self.needed_by), whole)}"
        return f"{len(names)} upstreams changed ({self.place}): {listed(names)}"


def chain(differ: Differ, old: Known, new: Known) -> Iterator[str]:
    """The lines of one step.

    Args:
        differ: Compares.
        old: The step as it was.
        new: The step as it is.
    """
    return _lines(differ, [(old, new)], "  ", {new.step})


def _lines(differ: Differ, pairs: Sequence[Pair], indent: str, seen: set[int]) -> Iterator[str]:
    """The causes that some steps have, each once."""
    if len(indent) > 2 * DEEPEST:
        yield from _roots(differ, pairs, indent, seen)
        return
    own, groups = _causes(differ, pairs)
    yield from _bounded([f"{indent}{text}{_share(names, len(pairs))}" for text, names in own.items()], indent)
    for group in list(groups.values())[:SHOWN_CAUSES]:
        yield f"{indent}{group.title(len(pairs))}"
        fresh = [changed for step, changed in group.upstreams.items() if step not in seen]
        seen.update(group.upstreams)
        below = [(differ.recorded(it.old.step), differ.recorded(it.new.step)) for it in fresh[:LOOKED_AT]]
        yield from _lines(differ, below, f"{indent}  ", seen)
        if len(fresh) > LOOKED_AT:
            yield f"{indent}  (of the first {LOOKED_AT} of them)"
    if len(groups) > SHOWN_CAUSES:
        yield _more(indent, len(groups))


def _roots(differ: Differ, pairs: Sequence[Pair], indent: str, seen: set[int]) -> Iterator[str]:
    """What changed in any step further up: of a chain of a thousand steps nobody reads each."""
    roots: dict[str, list[str]] = {}
    left = LOOKED_AT
    while pairs and left > 0:
        own, groups = _causes(differ, pairs[:left])
        left -= len(pairs)
        for text, names in own.items():
            roots.setdefault(text, []).extend(names)
        above = {step: it for group in groups.values() for step, it in group.upstreams.items() if step not in seen}
        seen.update(above)
        pairs = [(differ.recorded(it.old.step), differ.recorded(it.new.step)) for it in above.values()]
    yield from _bounded([f"{indent}further up, {listed(names)}: {text}" for text, names in roots.items()], indent)


def _causes(differ: Differ, pairs: Sequence[Pair]) -> tuple[Mapping[str, list[str]], Mapping[object, _Group]]:
    """What changed in the steps themselves, each with those that have it; and what changed above them."""
    own: dict[str, list[str]] = {}
    groups: dict[object, _Group] = {}
    for old, new in pairs:
        name = new.recorded.name
        for cause in differ.causes(old, new):
            if cause.kind != "upstream":
                own.setdefault(cause.text, []).append(name)
        for changed in differ.followed(old, new):
            group = groups.setdefault((function_of(changed.new.name), changed.place), _Group(changed.place))
            group.upstreams[changed.new.step] = changed
            group.needed_by.add(name)
    return own, groups


def _share(names: Sequence[str], whole: int) -> str:
    """How many of several steps a cause holds for."""
    if whole == 1:
        return ""
    return f": all {whole}" if len(names) == whole else f": {len(names)} of {whole}: {listed(names)}"


def _bounded(lines: Sequence[str], indent: str) -> Iterator[str]:
    yield from lines[:SHOWN_CAUSES]
    if len(lines) > SHOWN_CAUSES:
        yield _more(indent, len(lines))


def _more(indent: str, count: int) -> str:
    return f"{indent}and {count - SHOWN_CAUSES} more (--format json has all)"
