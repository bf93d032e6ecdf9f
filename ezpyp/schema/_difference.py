"""What differs between two recorded steps, down to the constant, the leaf of an argument, the upstream."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from os.path import basename

from ezpyp.hashing import FunctionIdentity, difference
from ezpyp.schema._cause import Cause
from ezpyp.schema._compare import Comparison, IdentityOf
from ezpyp.schema._upstreams import Changed, Upstream, changed_upstreams, dependency_causes


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
    comparison = Comparison(identity_of)
    found = [
        *functions,
        *_argument_changes(old, new, comparison),
        *_plain_changes(old, new, is_told=any(cause.kind == "python" for cause in functions)),
        *dependency_causes(old.upstream, new.upstream, comparison.placed),
        *map(_followed, changed_upstreams(old.upstream, new.upstream)),
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
        else:
            causes = _leaf_changes(old, new, name, comparison)
            is_default = old.takes_default(name) and new.takes_default(name)
            yield from [_of_default(cause, new) for cause in causes] if is_default else causes


def _leaf_changes(old: Recorded, new: Recorded, name: str, comparison: Comparison) -> Iterator[Cause]:
    was, now = old.params[name], new.params[name]
    if _has_all(old, name) and _has_all(new, name):
        yield from comparison.causes(name, old.trees.get(name, was), new.trees.get(name, now))
    # Digests of another length were made in another way (format 1): they say nothing.
    elif len(was) - len(plain(was)) == len(now) - len(plain(now)) or plain(was) != plain(now):
        yield from comparison.causes(name, was, now)


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
