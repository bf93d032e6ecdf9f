"""What differs between two recorded steps, from the rows of an index."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from ezpyp.errors import DamagedIndexError
from ezpyp.explain.function_diff import circumstances
from ezpyp.explain.record import FunctionRecord
from ezpyp.explain.step_diff import (
    Cause,
    Changed,
    Recorded,
    Upstream,
    causes_of,
    changed_upstreams,
    function_causes,
    listed,
    upstream_of,
)
from ezpyp.explain.untracked import Circumstance
from ezpyp.inspect.facts import trees_of, unpacked
from ezpyp.store.reader import Reader
from ezpyp.store.runs import circumstances_at
from ezpyp.store.schema_rows import shared_text


@dataclass(frozen=True, slots=True)
class Known:
    """A step's row with its edges; ``function`` is the row of its function."""

    step: int
    function: int
    recorded: Recorded


class Differ:
    """Compares recorded steps; what it has read of a function it keeps, since a sweep shares one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.identity = lru_cache(maxsize=None)(self._identity)
        self._functions = lru_cache(maxsize=None)(self._function_causes)
        self._argument_code = lru_cache(maxsize=None)(self._code_of_argument)

    def recorded(self, step: int) -> Known:
        """A step as it was recorded."""
        row = self._reader.must(
            "SELECT s.name, lower(hex(s.key)), s.codec, s.params, s.settings, s.function, f.python, s.args, s.kwargs,"
            " f.file, f.line FROM steps s JOIN functions f ON f.id = s.function WHERE s.id = ?",
            [step],
        )
        name, key, codec, params, settings, function, python, *call = row
        edges = self._reader.ask(
            "SELECT e.slot, u.id, u.name, lower(hex(u.key)) FROM step_edges e"
            " JOIN steps u ON u.id = e.upstream WHERE e.step = ? ORDER BY e.ordinal",
            [step],
        )
        upstream = upstream_of((slot, Upstream(*other)) for slot, *other in edges)
        load = self._reader.load
        made_of = load(params), trees_of(self._reader, step), load(settings)
        return Known(step, function, Recorded(name, key, codec, *made_of, python, upstream, *call))

    def causes(self, old: Known, new: Known) -> list[Cause]:
        """What differs, the most relevant first; empty where the keys are the same."""
        functions = self._functions(old.function, new.function)
        return causes_of(old.recorded, new.recorded, functions, self._argument_code)

    def followed(self, old: Known, new: Known) -> list[Changed]:
        """The upstreams that changed."""
        return list(changed_upstreams(old.recorded.upstream, new.recorded.upstream))

    def circumstances(self, old: Known, then: int, new: Known, now: int) -> list[Cause]:
        """What changed around the function from one run to another and counts in no key.

        Environment variables that the code reads by a constant name, versions of libraries.
        """
        before, after = self._around(old.function, then), self._around(new.function, now)
        record = self.identity(new.function)
        changes = circumstances(before, after, record.counted if record else ())
        return [Cause(c.kind, str(c), c.name, c.file, c.line, c.old, c.new) for c in changes]

    def not_tracked(self, known: Known) -> tuple[str, ...]:
        """What counts by its type only, so that a change in it is not seen."""
        identity = self.identity(known.function)
        return identity.not_tracked if identity else ()

    def _identity(self, function: int) -> FunctionRecord | None:
        (data,) = self._reader.must("SELECT identity FROM functions WHERE id = ?", [function])
        return self._read(unpacked(data))

    def _around(self, function: int, run: int) -> list[Circumstance]:
        """What was around a function in a run; where that was not written down, when it was recorded."""
        with self._reader.translated():
            around = circumstances_at(self._reader.connection, function, run)
        if around is not None:
            return [Circumstance(*facts) for facts in around]
        record = self.identity(function)
        return record.circumstances if record else []

    def _code_of_argument(self, digest: str) -> FunctionRecord | None:
        with self._reader.translated():
            text = shared_text(self._reader.connection, digest)
        return self._read(text)

    def _read(self, text: str | None) -> FunctionRecord | None:
        try:
            return FunctionRecord.from_json(text) if text else None
        except (KeyError, TypeError, ValueError) as error:
            raise DamagedIndexError(
                f"{self._reader.file} is damaged: what it says of a function means nothing"
            ) from error

    def _function_causes(self, old: int, new: int) -> tuple[Cause, ...]:
        return () if old == new else function_causes(self.identity(old), self.identity(new))


# Why steps changed, in lines: what changed in themselves, and below what they need, down to the root.

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
    """Upstreams of one function at one place that changed, and the steps that need one of them."""

    place: str
    upstreams: dict[int, Changed] = field(default_factory=dict)
    needed_by: set[str] = field(default_factory=set)

    def title(self, whole: int) -> str:
        names = [changed.new.name for changed in self.upstreams.values()]
        if len(names) == 1:
            return f"upstream {names[0]} changed ({self.place}){_share(sorted(self.needed_by), whole)}"
        return f"{len(names)} upstreams changed ({self.place}): {listed(names)}"


def chain(differ: Differ, old: Known, new: Known) -> Iterator[str]:
    """The lines of one step."""
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


# Many steps that changed, in few lines: which one cause changed, and which only follow.

SHOWN_ALIKE = 3
"""So many changes of one argument, or of what a function's steps need, have a line each."""

_KEY = re.compile(r"\{.*\}")
_BRACKETS = re.compile(r"\[[^\[\]]+\]")
_ROOT = re.compile(r"\w*")

Line = tuple[str, list[str]]
"""A line, and the steps that it is about."""


def by_cause(changed: Mapping[str, Sequence[Cause]], followed: Mapping[str, Sequence[Changed]]) -> list[Line]:
    """Each cause with the steps that it changed, the one with the most first.

    What changed by itself comes before what changed only because of that, and there the steps of one function share a
    line: a reduce over 2,000 changed steps is one line.
    """
    return [line for part in (_own(changed), _above(followed)) for line in sorted(part, key=lambda it: -len(it[1]))]


def _own(changed: Mapping[str, Sequence[Cause]]) -> Iterator[Line]:
    alike: dict[object, dict[str, dict[str, None]]] = {}
    for name, causes in changed.items():
        for cause in causes:
            if cause.kind != "upstream":
                alike.setdefault(_likeness(name, cause), {}).setdefault(cause.text, {})[name] = None
    for likeness, texts in alike.items():
        if len(texts) <= SHOWN_ALIKE:
            yield from ((text, list(names)) for text, names in texts.items())
        else:
            title = likeness if isinstance(likeness, str) else f"{next(iter(texts))} and {len(texts) - 1} more like it"
            yield title, list(dict.fromkeys(name for names in texts.values() for name in names))


def _likeness(step: str, cause: Cause) -> object:
    """What changes have in common that may share a line."""
    if cause.kind == "dependency":
        return _BRACKETS.sub("[...]", cause.text)
    root = _ROOT.match(cause.name)
    return (function_of(step), root and root[0]) if cause.kind == "argument" else cause.text


def _above(followed: Mapping[str, Sequence[Changed]]) -> Iterator[Line]:
    """The upstreams of one function that changed and are needed at one place, with the steps that need them."""
    groups: dict[tuple[str, str], tuple[set[str], dict[str, None]]] = {}
    for name, upstreams in followed.items():
        for changed in upstreams:
            # Each key of a table is a place of its own.
            place = _KEY.sub("{}", changed.place)
            above, below = groups.setdefault((function_of(changed.new.name), place), (set(), {}))
            above.add(changed.new.name)
            below[name] = None
    for (function, place), (above, below) in groups.items():
        text = f"{function}[...]" if len(above) > 1 else next(iter(above))
        yield f"upstream {text} changed ({place})", list(below)
