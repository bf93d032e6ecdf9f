"""The difference of two recorded arguments: which leaf changed, from what to what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ezpyp.describe import SECRET
from ezpyp.explain.argument_tree import ARRAY, SIZE, Node, clipped, node, short
from ezpyp.explain.function_diff import difference
from ezpyp.hashing.code.identity import FunctionIdentity
from ezpyp.hashing.tree_diff import apart, whereabouts

# One difference between two recorded steps, as data and in a line.


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that differs.

    Attributes:
        kind: "argument", "dependency" (it needs other steps, or other parts of their results), "upstream" (a step that
            it needs changed), "codec", "setting", "python", or a kind of `ezpyp.hashing.Change`: "constant",
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


# A leaf of an argument that changed, in words.

SHOWN_PARTS = 4
_FILE = "<File> "
_RANDOM = re.compile(r"(Generator|RandomState|Random|PCG64|PCG64DXSM|MT19937|Philox|SFC64)\b.*")
_ORDERS = {None: "C", " order F": "F"}


def leaf(path: str, was: Node, now: Node, owner: str) -> Cause:
    """A leaf that changed, or a branch of which nothing more is known.

    Args:
        path: The argument, or the part of it.
        was: What it was.
        now: What it is.
        owner: Class of the instance that it is an attribute of.
    """
    of = f" ({owner})" if owner else ""
    if was.step or now.step:
        old, new = _result(was), _result(now)
        text = f"argument {path}{of}: {_given(was)} -> {_given(now)}"
        return Cause("argument", text, path, old=old, new=new)
    found = whereabouts(path, was.sketch, now.sketch) if was.text == now.text and was.sketch and now.sketch else None
    if found:
        return Cause("argument", f"argument {path}{of}: {now.text}, {found[1]}", found[0], old=was.text, new=now.text)
    return Cause("argument", f"argument {path}{of}{_words(path, was, now)}", path, old=was.text, new=now.text)


def _result(node: Node) -> str:
    return f"step {node.step}" if node.step else node.text


def _given(node: Node) -> str:
    return f"the result of step {node.step}" if node.step else f"the value {node.text}"


def _words(path: str, was: Node, now: Node) -> str:
    if was.text == now.text:
        return _unseen(path, was, now)
    arrays = ARRAY.fullmatch(was.text), ARRAY.fullmatch(now.text)
    if arrays[0] and arrays[1] and arrays[0][1] == arrays[1][1]:
        return f": {_array_words(arrays[0], arrays[1])}"
    kinds = number_kind(was.text), number_kind(now.text)
    types = f" ({kinds[0]} -> {kinds[1]})" if all(kinds) and kinds[0] != kinds[1] else ""
    old, new = apart(was.text, now.text)
    return f" {old} -> {new}{types}"


def _array_words(was: re.Match[str], now: re.Match[str]) -> str:
    facts = {what: (was[group], now[group]) for what, group in (("dtype", 2), ("shape", 3))}
    same = [pair[0] for pair in facts.values() if pair[0] == pair[1] and pair[0]]
    facts["order"] = _ORDERS[was[4]], _ORDERS[now[4]]
    told = [f"{what} {old} -> {new}" for what, (old, new) in facts.items() if old != new]
    return f"{' '.join([now[1], *same])}, {', '.join(told)}"


def _unseen(path: str, was: Node, now: Node) -> str:
    if now.text == SECRET:
        return " changed (a secret, known by its digest only)"
    if ARRAY.fullmatch(now.text):
        return f": {now.text}, values changed"
    if now.text.startswith(_FILE):
        return f": content of {now.text.removeprefix(_FILE)} changed"
    if _RANDOM.fullmatch(now.text):
        return f": {now.text} in another state"
    if now.parts and list(was.parts) != list(now.parts) and was.parts.keys() == now.parts.keys():
        return f": another order of {now.text}: {_order(was)} -> {_order(now)}"
    return f": changed somewhere in {path} ({now.text})"


def _order(node: Node) -> str:
    return ", ".join([place[1:-1] for place in node.parts][:SHOWN_PARTS])


def number_kind(text: str) -> str:
    """The type of a number from its text; "" for what is none.

    Example:
        >>> [number_kind(text) for text in ("1", "1.0", "True", "1e-3", "(1+2j)", "'1'", "nan")]
        ['int', 'float', 'bool', 'float', 'complex', '', 'float']
    """
    if text in ("True", "False"):
        return "bool"
    for kind in (int, float, complex):
        try:
            kind(text)
        except ValueError:
            continue
        return kind.__name__
    return ""


IdentityOf = Callable[[str], FunctionIdentity | None]


class Comparison:
    """Compares the trees of arguments.

    Args:
        identity_of: Gives the recorded identity of a function or class that an argument brings along.
        with_steps: Whether a step that stands in another one's place is told of as an argument.

    Attributes:
        placed: The steps, with what is picked of their results, that came to or left the place of a plain value.
    """

    def __init__(self, identity_of: IdentityOf, *, with_steps: bool = False) -> None:
        self._identity_of = identity_of
        self._with_steps = with_steps
        self.placed: set[str] = set()

    def causes(self, path: str, old: object, new: object, owner: str = "") -> Iterator[Cause]:
        """What differs between two trees.

        Args:
            path: The argument, or the part of it, such as ``x[2]``.
            old: Its tree then.
            new: Its tree now.
            owner: Class of the instance that it is an attribute of.
        """
        # As text: the order of a dictionary's keys counts, and equal dictionaries do not tell it.
        if json.dumps(old) == json.dumps(new):
            return
        was, now = node(old), node(new)
        if (was.is_steps and now.is_steps) or (was.step and now.step and not self._with_steps):
            return
        if was.digest and was.digest == now.digest and not (was.parts or now.parts):
            return  # recorded by two versions of ezpyp, in other words
        if bool(was.step) != bool(now.step):
            self.placed |= {was.step, now.step}
        found = [*self._code(path, was, now), *self._insides(path, was, now, owner)]
        yield from found
        if not found and not (was.parts and self._only_steps(was, now)):
            yield leaf(path, was, now, owner)

    def _only_steps(self, was: Node, now: Node) -> bool:
        """Whether nothing of two branches differs but the steps in them, which are told of as upstreams."""
        if was[:3] == now[:3] and list(was.parts) == list(now.parts):
            return True
        return was.kind == now.kind and was.parts.keys() ^ now.parts.keys() != self._own(was, now)

    def _own(self, was: Node, now: Node) -> set[str]:
        """The places that came or went, but for those of steps."""
        different = {**was.parts, **now.parts}.items()
        places = was.parts.keys() ^ now.parts.keys()
        return {place for place, part in different if place in places and (self._with_steps or not _is_step(part))}

    def _code(self, path: str, was: Node, now: Node) -> Iterator[Cause]:
        """What changed in a function or a class that the argument brings along."""
        if was.code == now.code or not (was.code and now.code):
            return
        before, after = self._identity_of(was.code), self._identity_of(now.code)
        if before is None or after is None or was.text != now.text:
            return
        for change in difference(before, after):
            text = f"argument {path}: {now.text}, {change}"
            yield Cause("argument", text, path, change.file, change.line, change.old, change.new)

    def _insides(self, path: str, was: Node, now: Node, owner: str) -> Iterator[Cause]:
        if was.kind != now.kind or not (was.parts or now.parts):
            return
        if ARRAY.fullmatch(now.text):  # a data frame: rows that come change every column
            yield from self._table(path, was, now)
            return
        is_instance = not SIZE.fullmatch(now.text) and not now.text.startswith("<")
        held_by = now.text if is_instance else owner
        moved = _moved(was, now)
        own = self._own(was, now)
        came, went = moved or _came_and_went(was, now)
        if own or (moved and not all(map(_is_step, (came | went).values()))):
            yield _resized(path, was, now, came, went)
        if moved:
            return
        for place, part in now.parts.items():
            if place in was.parts:
                yield from self.causes(path + place, was.parts[place], part, held_by if place[0] == "." else "")

    def _table(self, path: str, was: Node, now: Node) -> Iterator[Cause]:
        shapes = [ARRAY.fullmatch(node.text) for node in (was, now)]
        rows = [shape[3].partition(",")[0] for shape in shapes if shape]
        came, went = _came_and_went(was, now)
        if came or went or rows[0] != rows[1]:
            yield _resized(path, was, now, came, went)
        if rows[0] == rows[1]:
            for place, part in now.parts.items():
                if place in was.parts:
                    yield from self.causes(path + place, was.parts[place], part)


def _is_step(tree: object) -> bool:
    return isinstance(tree, str) and bool(node(tree).step)


def _came_and_went(was: Node, now: Node) -> tuple[dict[str, object], dict[str, object]]:
    """The parts whose places only one of the two has."""
    return (
        {place: part for place, part in now.parts.items() if place not in was.parts},
        {place: part for place, part in was.parts.items() if place not in now.parts},
    )


def _moved(was: Node, now: Node) -> tuple[dict[str, object], dict[str, object]] | None:
    """What came into or left a sequence at one place, while all before and behind it stayed; else None."""
    if not next(iter([*now.parts, *was.parts]), "").startswith("[0]") or len(was.parts) == len(now.parts):
        return None
    old, new = list(was.parts.values()), list(now.parts.values())
    most = min(len(old), len(new))
    start = _agreeing(old, new, most)
    end = _agreeing(old[::-1], new[::-1], most - start)
    if start + end < most:
        return None
    came, went = list(now.parts.items())[start : len(new) - end], list(was.parts.items())[start : len(old) - end]
    return dict(came), dict(went)


def _agreeing(old: Sequence[object], new: Sequence[object], most: int) -> int:
    return next((i for i in range(most) if old[i] != new[i]), most)


def _resized(path: str, was: Node, now: Node, came: dict[str, object], went: dict[str, object]) -> Cause:
    """Parts that came and went, in one line."""
    lines = [f"{was.text} -> {now.text}"] if was.text != now.text else []
    for parts, what in ((came, "added"), (went, "removed")):
        shown = [_spelled(path, place, part) for place, part in list(parts.items())[:SHOWN_PARTS]]
        more = f" and {len(parts) - SHOWN_PARTS} more" if len(parts) > SHOWN_PARTS else ""
        lines += [f"{', '.join(shown)}{more} {what}"] if shown else []
    only = [*came, *went]
    text = f"argument {path}: {', '.join(lines)}"
    if len(only) != 1:
        return Cause("argument", text, path, old=was.text, new=now.text)
    old, new = ("".join(_value(*part) for part in parts.items()) for parts in (went, came))
    return Cause("argument", text, path + only[0], old=old, new=new)


def _spelled(path: str, place: str, part: object) -> str:
    return place[1:-1] if place[0] == "{" else f"{path}{place} = {clipped(short(part))}"


def _value(place: str, part: object) -> str:
    return place[1:-1] if place[0] == "{" else short(part)
