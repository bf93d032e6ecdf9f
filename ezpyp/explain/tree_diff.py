"""The difference of two trees: which leaf changed, from what to what."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ezpyp.describe import SECRET
from ezpyp.explain.tree import ARRAY, DIGITS, SIZE, Node, clipped, node, short, width_of


@dataclass(frozen=True, slots=True)
class Difference:
    """One part of a value that differs.

    Attributes:
        path: The value, or the part of it, such as ``x[2]``.
        words: What is to be said behind the path: ``3 -> 4`` with a blank in front, ``: values changed``.
        old: What it was; "" for what is new.
        new: What it is; "" for what is gone.
        name: The path of the very part that came or went, where that lies deeper; else the path.
        file: Where the code stands that changed, for code that comes along with a value.
        line: Line there.
    """

    path: str
    words: str
    old: str = ""
    new: str = ""
    name: str = ""
    file: str = ""
    line: int = 0

    @property
    def is_vague(self) -> bool:
        """Whether all that is known is that something changed somewhere inside."""
        return _SOMEWHERE in self.words


_SOMEWHERE = ": changed somewhere in "
_SHOWN_PLACES = 4
_LINE = 60
_AHEAD = 20


def whereabouts(path: str, old: str, new: str) -> tuple[str, str] | None:
    """Where two sketched values differ: the path and words; None where that cannot be told.

    Args:
        path: The argument, or the part of it.
        old: Sketch of the earlier value.
        new: Sketch of the later one.

    Example:
        >>> from ezpyp.explain.tree import sketch
        >>> old = list(range(5000))
        >>> whereabouts("x", sketch(old), sketch([*old[:3000], -1, *old[3001:]]))
        ('x[3000]', 'x[3000] changed')
        >>> whereabouts("x", sketch(old), sketch([*old, 1]))
        ('x', '5000 -> 5001 long, the first difference is in x[4992:5120]')
    """
    (size, rows, columns), (size_now, rows_now, columns_now) = map(_read, (old, new))
    width = width_of(size)
    if width != width_of(size_now):
        return path, f"{size} -> {size_now} long"
    changed = _differing(rows, rows_now)
    if size != size_now:
        first = min([*changed, min(len(rows), len(rows_now))]) * width
        return path, f"{size} -> {size_now} long, the first difference is in {path}[{first}:{first + width}]"
    across = _differing(columns, columns_now)
    if not changed:
        return None
    if across and 1 in (len(changed), len(across)):
        places = [f"{path}[{row * width + column}]" for row in changed for column in across]
        more = f" and {len(places) - _SHOWN_PLACES} more" if len(places) > _SHOWN_PLACES else ""
        return places[0] if len(places) == 1 else path, f"{', '.join(places[:_SHOWN_PLACES])}{more} changed"
    return path, f"changed in {path}[{changed[0] * width}:{min((changed[-1] + 1) * width, size)}]"


def _read(text: str) -> tuple[int, list[str], list[str]]:
    size, *digests = text.split(".")
    rows, columns = ([part[i : i + DIGITS] for i in range(0, len(part), DIGITS)] for part in digests)
    return int(size), rows, columns


def _differing(old: list[str], new: list[str]) -> list[int]:
    return [place for place, (was, now) in enumerate(zip(old, new, strict=False)) if was != now]


def apart(old: str, new: str, most: int = _LINE) -> tuple[str, str]:
    """Two texts cut to a line each, of ``most`` characters, so that the first place where they differ is seen.

    Example:
        >>> apart("'" + "a" * 100 + "b'", "'" + "a" * 100 + "c'")
        ("...aaaaaaaaaaaaaaaaaaaab'", "...aaaaaaaaaaaaaaaaaaaac'")
    """
    if max(len(old), len(new)) <= most:
        return old, new
    same = next((i for i, (was, now) in enumerate(zip(old, new, strict=False)) if was != now), min(len(old), len(new)))
    start = 0 if same < most - _AHEAD else same - _AHEAD
    return _cut(old, start, most), _cut(new, start, most)


def _cut(text: str, start: int, most: int) -> str:
    piece = text[start : start + most]
    return ("..." if start else "") + piece + ("..." if start + most < len(text) else "")


SHOWN_PARTS = 4
_FILE = "<File> "
_RANDOM = re.compile(r"(Generator|RandomState|Random|PCG64|PCG64DXSM|MT19937|Philox|SFC64)\b.*")
_ORDERS = {None: "C", " order F": "F"}


def leaf(path: str, was: Node, now: Node, owner: str) -> Difference:
    """A leaf that changed, or a branch of which nothing more is known.

    Args:
        path: The value, or the part of it.
        was: What it was.
        now: What it is.
        owner: Class of the instance that it is an attribute of.
    """
    of = f" ({owner})" if owner else ""
    if was.step or now.step:
        return Difference(path, f"{of}: {_given(was)} -> {_given(now)}", _result(was), _result(now))
    found = whereabouts(path, was.sketch, now.sketch) if was.text == now.text and was.sketch and now.sketch else None
    if found:
        return Difference(path, f"{of}: {now.text}, {found[1]}", was.text, now.text, found[0])
    return Difference(path, of + _words(path, was, now), was.text, now.text)


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
    return f"{_SOMEWHERE}{path} ({now.text})"


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


CodeChanges = Callable[[str, str], Sequence[Difference]]
"""What changed between two functions or classes that a value brings along, by their digests; ``path`` is ""."""


class Comparison:
    """Compares trees.

    Args:
        code_changes: Tells what changed in code that a value brings along.
        with_steps: Whether a step that stands in another one's place is a difference.

    Attributes:
        placed: The steps, with what is picked of their results, that came to or left the place of a plain value.
    """

    def __init__(self, code_changes: CodeChanges | None = None, *, with_steps: bool = False) -> None:
        self._code_changes = code_changes
        self._with_steps = with_steps
        self.placed: set[str] = set()

    def differences(self, path: str, old: object, new: object, owner: str = "") -> Iterator[Difference]:
        """What differs between two trees.

        Args:
            path: The value, or the part of it, such as ``x[2]``.
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

    def _code(self, path: str, was: Node, now: Node) -> Iterator[Difference]:
        """What changed in a function or a class that the value brings along."""
        if self._code_changes and was.code != now.code and was.code and now.code and was.text == now.text:
            for change in self._code_changes(was.code, now.code):
                yield replace(change, path=path, words=f": {now.text}, {change.words}")

    def _insides(self, path: str, was: Node, now: Node, owner: str) -> Iterator[Difference]:
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
                yield from self.differences(path + place, was.parts[place], part, held_by if place[0] == "." else "")

    def _table(self, path: str, was: Node, now: Node) -> Iterator[Difference]:
        shapes = [ARRAY.fullmatch(node.text) for node in (was, now)]
        rows = [shape[3].partition(",")[0] for shape in shapes if shape]
        came, went = _came_and_went(was, now)
        if came or went or rows[0] != rows[1]:
            yield _resized(path, was, now, came, went)
        if rows[0] == rows[1]:
            for place, part in now.parts.items():
                if place in was.parts:
                    yield from self.differences(path + place, was.parts[place], part)


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


def _resized(path: str, was: Node, now: Node, came: dict[str, object], went: dict[str, object]) -> Difference:
    """Parts that came and went, in one line."""
    lines = [f"{was.text} -> {now.text}"] if was.text != now.text else []
    for parts, what in ((came, "added"), (went, "removed")):
        shown = [_spelled(path, place, part) for place, part in list(parts.items())[:SHOWN_PARTS]]
        more = f" and {len(parts) - SHOWN_PARTS} more" if len(parts) > SHOWN_PARTS else ""
        lines += [f"{', '.join(shown)}{more} {what}"] if shown else []
    only = [*came, *went]
    words = f": {', '.join(lines)}"
    if len(only) != 1:
        return Difference(path, words, was.text, now.text)
    old, new = ("".join(_value(*part) for part in parts.items()) for parts in (went, came))
    return Difference(path, words, old, new, path + only[0])


def _spelled(path: str, place: str, part: object) -> str:
    return place[1:-1] if place[0] == "{" else f"{path}{place} = {clipped(short(part))}"


def _value(place: str, part: object) -> str:
    return place[1:-1] if place[0] == "{" else short(part)
