"""What differs between two recorded steps, down to the constant, the argument, the upstream."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from ezpyp.errors import CacheFormatError
from ezpyp.hashing import FunctionIdentity, difference
from ezpyp.inspect._facts import unpacked
from ezpyp.inspect._reader import Reader
from ezpyp.inspect._text import plain

SHOWN_NAMES = 4
ORDER_ONLY = "depends_on"


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that differs.

    Args:
        kind: "constant", "helper", "global", "argument", "upstream", "codec", "setting", "python", ...
        text: The difference in one line.
        name: What differs: a function, a parameter, an upstream step.
        file: Where it stands, for code.
        line: Line there, 0 where unknown.
        old: What it was.
        new: What it is.
    """

    kind: str
    text: str
    name: str
    file: str = ""
    line: int = 0
    old: str = ""
    new: str = ""


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a step's key is made of, as it was recorded."""

    step: int
    name: str
    key: str
    codec: str
    params: Mapping[str, str]
    settings: Mapping[str, object]
    function: int
    python: str
    upstream: Mapping[str, Mapping[str, "Upstream"]]
    """Slot -> name -> step; a collection of steps is one slot."""


@dataclass(frozen=True, slots=True)
class Upstream:
    """A step that another one needs."""

    step: int
    name: str
    key: str


class Differ:
    """Compares recorded steps; what it has read of a function it keeps, since a sweep shares one."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.identity = lru_cache(maxsize=None)(self._identity)
        self._functions = lru_cache(maxsize=None)(self._function_changes)

    def recorded(self, step: int) -> Recorded:
        """A step's row with its edges."""
        row = self._reader.must(
            "SELECT s.name, lower(hex(s.key)), s.codec, s.params, s.settings, s.function, f.python"
            " FROM steps s JOIN functions f ON f.id = s.function WHERE s.id = ?",
            [step],
        )
        name, key, codec, params, settings, function, python = row
        edges = self._reader.ask(
            "SELECT e.slot, u.id, u.name, lower(hex(u.key)) FROM edges e"
            " JOIN steps u ON u.id = e.upstream WHERE e.step = ? ORDER BY e.ordinal",
            [step],
        )
        upstream: dict[str, dict[str, Upstream]] = {}
        for slot, number, other, its_key in edges:
            upstream.setdefault(slot or ORDER_ONLY, {})[other] = Upstream(number, other, its_key)
        loaded = self._reader.load(params), self._reader.load(settings)
        return Recorded(step, name, key, codec, *loaded, function, python, upstream)

    def causes(self, old: Recorded, new: Recorded) -> list[Cause]:
        """What differs, the most telling first; empty where the keys are the same."""
        if old.key == new.key:
            return []
        found = [
            *self._functions(old.function, new.function),
            *_argument_changes(old.params, new.params),
            *_plain_changes(old, new),
            *_upstream_changes(old, new),
        ]
        return found or [Cause("unknown", "something that is not recorded in detail", new.name)]

    def not_tracked(self, recorded: Recorded) -> tuple[str, ...]:
        """What counts by its type only, so that a change in it is not seen."""
        identity = self.identity(recorded.function)
        return identity.not_tracked if identity else ()

    def _identity(self, function: int) -> FunctionIdentity | None:
        (data,) = self._reader.must("SELECT identity FROM functions WHERE id = ?", [function])
        text = unpacked(data)
        try:
            return FunctionIdentity.from_json(text) if text else None
        except (KeyError, TypeError, ValueError) as error:
            raise CacheFormatError(
                f"{self._reader.file} is damaged: what it says of a function means nothing"
            ) from error

    def _function_changes(self, old: int, new: int) -> tuple[Cause, ...]:
        if old == new:
            return ()
        before, after = self.identity(old), self.identity(new)
        if before is None or after is None:
            return (Cause("code", "the function's code, not recorded in detail", ""),)
        changes = difference(before, after)
        return tuple(Cause(c.kind, str(c), c.name, c.file, c.line, c.old, c.new) for c in changes)


def _argument_changes(old: Mapping[str, str], new: Mapping[str, str]) -> Iterator[Cause]:
    for name in dict.fromkeys([*old, *new]):
        was, now = old.get(name), new.get(name)
        # An argument that is a step is told of as an upstream, with its slot.
        if was == now or "TMP for" in f"{was}{now}":
            continue
        if was is None:
            text = f"argument {name} is new: {plain(now)}"
        elif now is None:
            text = f"argument {name} is gone: it was {plain(was)}"
        elif plain(was) == plain(now):
            text = f"argument {name} changed somewhere in {plain(now)}"
        else:
            text = f"argument {name}: {plain(was)} -> {plain(now)}"
        yield Cause("argument", text, name, old=plain(was), new=plain(now))


def _plain_changes(old: Recorded, new: Recorded) -> Iterator[Cause]:
    if old.codec != new.codec:
        yield Cause("codec", f"codec {old.codec} -> {new.codec}", new.name, old=old.codec, new=new.codec)
    if old.python != new.python:
        yield Cause("python", f"Python {old.python} -> {new.python}", "python", old=old.python, new=new.python)
    for name in sorted({*old.settings, *new.settings}):
        was, now = json.dumps(old.settings.get(name)), json.dumps(new.settings.get(name))
        if was != now:
            yield Cause("setting", f"{name}= {was} -> {now}", name, old=was, new=now)


def _upstream_changes(old: Recorded, new: Recorded) -> Iterator[Cause]:
    for slot in dict.fromkeys([*old.upstream, *new.upstream]):
        was, now = old.upstream.get(slot, {}), new.upstream.get(slot, {})
        came = [name for name in now if name not in was]
        went = [name for name in was if name not in now]
        if len(came) == len(went) == len(was) == len(now) == 1:
            text = f"upstream at {slot}: {went[0]} -> {came[0]}"
            yield Cause("upstream", text, came[0], old=went[0], new=came[0])
            continue
        if came:
            yield Cause("upstream", f"upstream {_listed(came)} came to {slot}", came[0], new=", ".join(came))
        if went:
            yield Cause("upstream", f"upstream {_listed(went)} left {slot}", went[0], old=", ".join(went))
        for name, upstream in now.items():
            if name in was and was[name].key != upstream.key:
                text = f"upstream {name} changed ({slot})"
                yield Cause("upstream", text, name, old=was[name].key, new=upstream.key)


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more
