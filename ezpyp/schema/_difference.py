"""What differs between two recorded steps, down to the constant, the leaf of an argument, the upstream."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from ezpyp.hashing import FunctionIdentity, difference
from ezpyp.schema._cause import Cause
from ezpyp.schema._compare import Comparison, IdentityOf

SHOWN_NAMES = 4
ORDER_ONLY = "depends_on[]"


@dataclass(frozen=True, slots=True)
class Upstream:
    """A step that another one needs; ``step`` is its row, 0 where it has none."""

    step: int
    name: str
    key: str


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a step's key is made of, as it was recorded.

    Attributes:
        params: Parameter -> short text of its argument.
        trees: Parameter -> tree of its argument, where the text does not say all.
        settings: ``version``, ``ignore``, ``cache``, as far as they were given.
        python: Tag of the Python that it was recorded with.
        upstream: Slot -> name -> step; a collection of steps is one slot.
    """

    name: str
    key: str
    codec: str
    params: Mapping[str, str]
    trees: Mapping[str, object]
    settings: Mapping[str, object]
    python: str
    upstream: Mapping[str, Mapping[str, Upstream]]


def upstream_of(edges: Iterable[tuple[str, Upstream]]) -> dict[str, dict[str, Upstream]]:
    """Upstreams by slot and name."""
    found: dict[str, dict[str, Upstream]] = {}
    for slot, upstream in edges:
        found.setdefault(slot or ORDER_ONLY, {})[upstream.name] = upstream
    return found


def function_causes(old: FunctionIdentity | None, new: FunctionIdentity | None) -> tuple[Cause, ...]:
    """What changed in a function, as far as it was recorded."""
    if old is None or new is None:
        return (Cause("code", "the function's code, not recorded in detail", ""),)
    return tuple(Cause(c.kind, str(c), c.name, c.file, c.line, c.old, c.new) for c in difference(old, new))


def causes_of(old: Recorded, new: Recorded, functions: Sequence[Cause], identity_of: IdentityOf) -> list[Cause]:
    """What differs, the most telling first; empty where the keys are the same.

    Args:
        old: The step as it was.
        new: The step as it is.
        functions: What `function_causes` says of its function.
        identity_of: Gives the recorded identity of a function or class that an argument brings along, by its digest.
    """
    if old.key == new.key:
        return []
    upstream = list(_upstream_changes(old, new))
    found = [
        *functions,
        *_argument_changes(old, new, Comparison(identity_of)),
        *_plain_changes(old, new, is_told=any(cause.kind == "python" for cause in functions)),
        *upstream,
    ]
    # Steps that changed places only are told of as arguments.
    found = found or list(_argument_changes(old, new, Comparison(identity_of, with_steps=True)))
    return found or [Cause("unknown", "something that is not recorded in detail", new.name)]


def _argument_changes(old: Recorded, new: Recorded, comparison: Comparison) -> Iterator[Cause]:
    for name in dict.fromkeys([*old.params, *new.params]):
        was, now = old.params.get(name), new.params.get(name)
        if was == now:
            continue
        if was is None:
            yield Cause("argument", f"argument {name} is new: {plain(now)}", name, new=plain(now))
        elif now is None:
            yield Cause("argument", f"argument {name} is gone: it was {plain(was)}", name, old=plain(was))
        elif _has_all(old, name) and _has_all(new, name):
            yield from comparison.causes(name, old.trees.get(name, was), new.trees.get(name, now))
        # Digests of another length were made in another way (format 1): they say nothing.
        elif len(was) - len(plain(was)) == len(now) - len(plain(now)) or plain(was) != plain(now):
            yield from comparison.causes(name, was, now)


def _has_all(recorded: Recorded, name: str) -> bool:
    """Whether the whole argument was recorded, as a tree or as a text."""
    return name in recorded.trees or plain(recorded.params[name]) == recorded.params[name]


def plain(text: str | None) -> str:
    """An argument's text without the digest that may stand beside it.

    Example:
        >>> plain("[1, 2, 3...] #91d9490aff3114e0")
        '[1, 2, 3...]'
    """
    if text is None:
        return ""
    before, mark, digest = text.rpartition(" #")
    return before if mark and len(digest) in (12, 16) and set(digest) <= set("0123456789abcdef") else text


def _plain_changes(old: Recorded, new: Recorded, *, is_told: bool) -> Iterator[Cause]:
    if old.codec != new.codec:
        yield Cause("codec", f"codec {old.codec} -> {new.codec}", new.name, old=old.codec, new=new.codec)
    if old.python != new.python and not is_told:
        yield Cause("python", f"Python {old.python} -> {new.python}", "python", old=old.python, new=new.python)
    for name in sorted({*old.settings, *new.settings}):
        was, now = _setting(old, name), _setting(new, name)
        if was != now:
            yield Cause("setting", f"{name}= {was or 'not given'} -> {now or 'not given'}", name, old=was, new=now)


def _setting(recorded: Recorded, name: str) -> str:
    return repr(recorded.settings[name]) if name in recorded.settings else ""


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
            yield Cause("upstream", f"upstream {listed(came)} came to {slot}", came[0], new=", ".join(came))
        if went:
            yield Cause("upstream", f"upstream {listed(went)} left {slot}", went[0], old=", ".join(went))
        for name, upstream in now.items():
            if name in was and was[name].key != upstream.key:
                text = f"upstream {name} changed ({slot})"
                yield Cause("upstream", text, name, old=was[name].key, new=upstream.key)


def listed(names: Sequence[str]) -> str:
    """The first few names, and how many more there are."""
    more = f" and {len(names) - SHOWN_NAMES} more" if len(names) > SHOWN_NAMES else ""
    return ", ".join(names[:SHOWN_NAMES]) + more
