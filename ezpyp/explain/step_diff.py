"""What differs between two recorded steps, down to the constant, the leaf of an argument, the upstream."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import basename
from typing import NamedTuple

from ezpyp.explain.function_diff import difference
from ezpyp.explain.record import FunctionRecord
from ezpyp.explain.tree_diff import Comparison, Difference


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that differs between two steps.

    Attributes:
        kind: "argument", "dependency" (it needs other steps, or other parts of their results), "upstream" (a step that
            it needs changed), "codec", "setting", "python", or a kind of `ezpyp.explain.change.Change`: "constant",
            "helper", "method", "default", "global", "closure", "class", ...
        text: The difference in one line.
        name: What differs: a function, the path of an argument (``x[2]``), an upstream step, a setting.
        file: Where it stands, for code.
        line: Line there, 0 where unknown.
        old: What it was; "" for what is new.
        new: What it is; "" for what is gone.
    """

    kind: str
    text: str
    name: str
    file: str = ""
    line: int = 0
    old: str = ""
    new: str = ""


RecordOf = Callable[[str], FunctionRecord | None]
"""Gives the record of a function or class that an argument brings along, by its digest."""


# What changed among the steps that a step needs: which ones, which part of their results, what they are.

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


@dataclass(frozen=True, slots=True)
class Recorded:
    """What a step's key is made of, as it was recorded.

    Attributes:
        params: Parameter -> short text of its argument.
        trees: Parameter -> tree of its argument, where the text does not say all.
        settings: ``version``, ``ignore``, ``cache``, ``track`` and so on, as far as they were given.
        python: Tag of the Python that it was recorded with.
        upstream: Slot -> name -> step; a collection of steps is one slot.
        args: What the call gave by position, as text.
        kwargs: What it gave by name, as text.
        file: Where the function is defined; "" where that is not known.
        line: Its line there.
    """

    name: str
    key: str
    codec: str
    params: Mapping[str, str]
    trees: Mapping[str, object]
    settings: Mapping[str, object]
    python: str
    upstream: Mapping[str, Mapping[str, Upstream]]
    args: str = ""
    kwargs: str = ""
    file: str = ""
    line: int = 0

    def takes_default(self, parameter: str) -> bool:
        """Whether the call gave no argument for a parameter; False too where its text is too long to tell."""
        texts = {name: plain(text) for name, text in self.params.items()}
        before = list(texts).index(parameter)
        by_place = [f"[{', '.join(list(texts.values())[:given])}]" for given in range(before + 1)]
        by_name = [f"{name!r}: {text}" for name, text in texts.items() if f"{name!r}: " in self.kwargs]
        # Anything else there is of **kwargs, which has no default, or was cut.
        is_known = self.args in by_place and len(self.kwargs) == len(f"{{{', '.join(by_name)}}}")
        return is_known and not any(text.startswith(f"{parameter!r}: ") for text in by_name)


def function_causes(old: FunctionRecord | None, new: FunctionRecord | None) -> tuple[Cause, ...]:
    """What changed in a function, as far as it was recorded."""
    if old is None or new is None:
        return (Cause("code", "the function's code, not recorded in detail", ""),)
    return tuple(Cause(c.kind, str(c), c.name, c.file, c.line, c.old, c.new) for c in difference(old, new))


def causes_of(old: Recorded, new: Recorded, functions: Sequence[Cause], record_of: RecordOf) -> list[Cause]:
    """What differs, the most telling first; empty where the keys are the same.

    Args:
        old: The step as it was.
        new: The step as it is.
        functions: What `function_causes` says of its function.
        record_of: Gives the record of code that an argument brings along.
    """
    if old.key == new.key:
        return []
    of_code = code_changes(record_of)
    comparison = Comparison(of_code)
    found = [
        *functions,
        *_argument_changes(old, new, comparison),
        *_plain_changes(old, new, is_told=any(cause.kind == "python" for cause in functions)),
        *dependency_causes(old.upstream, new.upstream, comparison.placed),
        *map(_followed, changed_upstreams(old.upstream, new.upstream)),
    ]
    # Steps that changed places only are told of as arguments.
    found = found or list(_argument_changes(old, new, Comparison(of_code, with_steps=True)))
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
        else:
            causes = _leaf_changes(old, new, name, comparison)
            is_default = old.takes_default(name) and new.takes_default(name)
            yield from [_of_default(cause, new) for cause in causes] if is_default else causes


def _leaf_changes(old: Recorded, new: Recorded, name: str, comparison: Comparison) -> Iterator[Cause]:
    was, now = old.params[name], new.params[name]
    if _has_all(old, name) and _has_all(new, name):
        was, now = old.trees.get(name, was), new.trees.get(name, now)  # type: ignore[assignment]  # trees
    for it in comparison.differences(name, was, now):
        yield Cause("argument", f"argument {it.path}{it.words}", it.name or it.path, it.file, it.line, it.old, it.new)


def code_changes(record_of: RecordOf) -> Callable[[str, str], list[Difference]]:
    """Tells what changed in code that an argument brings along; see `Comparison`."""

    def changes(old: str, new: str) -> list[Difference]:
        was, now = record_of(old), record_of(new)
        found = difference(was, now) if was and now else ()
        return [Difference("", str(it), it.old, it.new, file=it.file, line=it.line) for it in found]

    return changes


def _of_default(cause: Cause, new: Recorded) -> Cause:
    """A change in what the function's own default gave, which is told by the function's place."""
    function, text = new.name.partition("[")[0], f"default{cause.text.removeprefix('argument')}"
    if cause.file or not new.file:
        return replace(cause, kind="default", text=text)
    text = f"{text} in {function} ({basename(new.file)}:{new.line})"
    return replace(cause, kind="default", text=text, file=new.file, line=new.line)


def _followed(upstream: Changed) -> Cause:
    place, old, new = upstream
    return Cause("upstream", f"upstream {new.name} changed ({place})", new.name, old=old.key, new=new.key)


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
