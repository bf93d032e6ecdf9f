"""What differs between two recorded steps, down to the constant, the leaf of an argument, the upstream."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import basename
from typing import NamedTuple

from ezpyp.describe import plain
from ezpyp.explain.function_diff import difference
from ezpyp.explain.record import FunctionRecord
from ezpyp.explain.tree import STEP, Node
from ezpyp.explain.tree_diff import CodeChanges, Difference, differences


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that differs between two steps.

    Attributes:
        kind: "argument", "dependency" (it needs other steps, or other parts of their results), "upstream" (a step that
            it needs changed), "codec", "setting", "python", or a kind of `ezpyp.explain.code_diff.Change`: "constant",
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


_Slots = Mapping[str, Mapping[str, Upstream]]
"""Upstreams by slot and name."""


def upstream_of(edges: Iterable[tuple[str, Upstream]]) -> dict[str, dict[str, Upstream]]:
    """Upstreams by slot and name."""
    found: dict[str, dict[str, Upstream]] = {}
    for slot, upstream in edges:
        found.setdefault(slot or ORDER_ONLY, {})[upstream.name] = upstream
    return found


def _by_place(slots: _Slots) -> dict[str, dict[str, Upstream]]:
    """Upstreams by place, a slot without what is picked, and by name with what is picked there."""
    found: dict[str, dict[str, Upstream]] = {}
    for slot, upstreams in slots.items():
        place, _, pick = slot.partition(_PICK)
        found.setdefault(place, {}).update({f"{name}{pick}": upstream for name, upstream in upstreams.items()})
    return found


def changed_upstreams(old: _Slots, new: _Slots) -> Iterator[Changed]:
    """The upstreams that are the same steps by name, and other ones by key."""
    was, now = _by_place(old), _by_place(new)
    for place, needed in now.items():
        before = {upstream.name: upstream for upstream in was.get(place, {}).values()}
        for upstream in {upstream.name: upstream for upstream in needed.values()}.values():
            if upstream.name in before and before[upstream.name].key != upstream.key:
                yield Changed(place, before[upstream.name], upstream)


def _dependency_causes(old: _Slots, new: _Slots, reported: Collection[str]) -> Iterator[Cause]:
    """What a step needs otherwise than before: other steps, other parts of their results, another order."""
    was, now = _by_place(old), _by_place(new)
    for place in dict.fromkeys([*was, *now]):
        before, after = was.get(place, {}), now.get(place, {})
        came = [name for name in after if name not in before]
        went = [name for name in before if name not in after]
        if place in reported:
            continue
        if len(came) == len(went) == 1:
            [name], [earlier] = came, went
            text = f"upstream at {place}: {earlier} -> {name}"
            yield Cause("dependency", text, after[name].name, old=before[earlier].name, new=after[name].name)
            continue
        if came:
            yield Cause("dependency", f"upstream {listed(came)} came to {place}", came[0], new=", ".join(came))
        if went:
            yield Cause("dependency", f"upstream {listed(went)} left {place}", went[0], old=", ".join(went))
        names = listed(list(before)), listed(list(after))
        if not (came or went or place.endswith((_SET, ORDER_ONLY))) and list(before) != list(after):
            text = f"another order of the steps at {place}: {names[0]} -> {names[1]}"
            yield Cause("dependency", text, place, old=names[0], new=names[1])


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
    """What differs, the function first; empty where the keys are the same."""
    if old.key == new.key:
        return []
    arguments: list[Cause] = []
    steps: list[Cause] = []
    for cause in _argument_changes(old, new, changes_of_code(record_of)):
        (steps if all(map(_is_step_or_nothing, (cause.old, cause.new))) else arguments).append(cause)
    reported = {cause.name for cause in arguments}
    found = [
        *functions,
        *arguments,
        *_plain_changes(old, new, is_reported=any(cause.kind == "python" for cause in functions)),
        *_dependency_causes(old.upstream, new.upstream, reported),
        *map(_followed, changed_upstreams(old.upstream, new.upstream)),
    ]
    # The upstreams say more of steps among arguments, but where they changed places only.
    return found or steps or [Cause("unknown", "something that is not recorded in detail", new.name)]


def _is_step_or_nothing(text: str) -> bool:
    return not text or text.startswith(STEP)


def _argument_changes(old: Recorded, new: Recorded, code_changes: CodeChanges) -> Iterator[Cause]:
    for name in dict.fromkeys([*old.params, *new.params]):
        if old.params.get(name) == new.params.get(name):
            continue
        if name not in old.params or name not in new.params:
            found = [Difference(name, plain(old.params.get(name)), plain(new.params.get(name)))]
            is_default = False
        else:
            found = list(differences(name, *_trees(old, new, name), code_changes))
            is_default = old.takes_default(name) and new.takes_default(name)
        for it in found:
            text = f"argument {it.path} {it.text}"
            cause = Cause("argument", text, it.path, it.file, it.line, it.old, it.new)
            yield _of_default(cause, new) if is_default else cause


def _trees(old: Recorded, new: Recorded, name: str) -> tuple[Node, Node]:
    """An argument's trees; where one is not recorded, both as their short texts."""
    texts = [recorded.params[name] for recorded in (old, new)]
    if all(name in recorded.trees or plain(text) == text for recorded, text in zip((old, new), texts, strict=True)):
        was, now = (Node.from_json(it.trees.get(name, text)) for it, text in zip((old, new), texts, strict=True))
    else:
        was, now = (Node(plain(text), digest=text.removeprefix(plain(text))) for text in texts)
    return was, now


def changes_of_code(record_of: RecordOf) -> CodeChanges:
    """Tell what changed in code that an argument brings along; see `differences`."""

    def changes(old: str, new: str) -> list[Difference]:
        was, now = record_of(old), record_of(new)
        found = difference(was, now) if was and now else ()
        return [Difference("", it.old, it.new, str(it), it.file, it.line) for it in found]

    return changes


def _of_default(cause: Cause, new: Recorded) -> Cause:
    """A change in what the function's own default gave, which stands at the function's place."""
    function, text = new.name.partition("[")[0], f"default{cause.text.removeprefix('argument')}"
    if cause.file or not new.file:
        return replace(cause, kind="default", text=text)
    text = f"{text} in {function} ({basename(new.file)}:{new.line})"
    return replace(cause, kind="default", text=text, file=new.file, line=new.line)


def _followed(upstream: Changed) -> Cause:
    place, old, new = upstream
    return Cause("upstream", f"upstream {new.name} changed ({place})", new.name, old=old.key, new=new.key)


def _plain_changes(old: Recorded, new: Recorded, *, is_reported: bool) -> Iterator[Cause]:
    if old.codec != new.codec:
        yield Cause("codec", f"codec {old.codec} -> {new.codec}", new.name, old=old.codec, new=new.codec)
    if old.python != new.python and not is_reported:
        yield Cause("python", f"Python {old.python} -> {new.python}", "python", old=old.python, new=new.python)
    for name in sorted({*old.settings, *new.settings}):
        was, now = _setting(old, name), _setting(new, name)
        if was != now:
            yield Cause("setting", f"{name}= {was or 'not given'} -> {now or 'not given'}", name, old=was, new=now)


def _setting(recorded: Recorded, name: str) -> str:
    return repr(recorded.settings[name]) if name in recorded.settings else ""
