"""Many steps that changed, told in few lines: which one cause changed, and which only follow."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from ezpyp.inspect._chain import function_of
from ezpyp.schema import Cause, Changed

SHOWN_ALIKE = 3
"""So many changes of one argument, or of what a function's steps need, are told one by one."""

_KEY = re.compile(r"\{.*\}")
_BRACKETS = re.compile(r"\[[^\[\]]+\]")
_ROOT = re.compile(r"\w*")

Told = tuple[str, list[str]]
"""A line, and the steps that it is about."""


def by_cause(changed: Mapping[str, Sequence[Cause]], followed: Mapping[str, Sequence[Changed]]) -> list[Told]:
    """Each cause with the steps that it changed, the one with the most first.

    What changed by itself comes before what changed only because of that, of which the steps of one function are told
    of together: a reduce over 2,000 changed steps is one line.

    Args:
        changed: Name of a step -> what changed.
        followed: Name of a step -> the upstreams of it that changed.
    """
    return [told for part in (_own(changed), _above(followed)) for told in sorted(part, key=lambda it: -len(it[1]))]


def _own(changed: Mapping[str, Sequence[Cause]]) -> Iterator[Told]:
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
    """What changes have in common that may be told as one."""
    if cause.kind == "dependency":
        return _BRACKETS.sub("[...]", cause.text)
    root = _ROOT.match(cause.name)
    return (function_of(step), root and root[0]) if cause.kind == "argument" else cause.text


@dataclass(slots=True)
class _Above:
    """The steps of one function that changed and that others need at one place, and those others."""

    place: str
    names: dict[str, None] = field(default_factory=dict)
    below: dict[str, None] = field(default_factory=dict)

    @property
    def text(self) -> str:
        name, *more = self.names
        return f"upstream {f'{function_of(name)}[...]' if more else name} changed ({self.place})"


def _above(followed: Mapping[str, Sequence[Changed]]) -> Iterator[Told]:
    groups: dict[tuple[str, str], _Above] = {}
    for name, upstreams in followed.items():
        for changed in upstreams:
            # Each key of a table is a place of its own.
            place = _KEY.sub("{}", changed.place)
            group = groups.setdefault((function_of(changed.new.name), place), _Above(place))
            group.names[changed.new.name] = group.below[name] = None
    yield from ((group.text, list(group.below)) for group in groups.values())
