"""The difference of two trees: which leaf changed, from what to what."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ezpyp.explain.tree import STEP, Node, on_a_line

Place = tuple[str, Node]

_SHOWN_PARTS = 4
# Characters of a value that are shown, and of those before the first that differs.
_LINE = 60
_BEFORE = 20


@dataclass(frozen=True, slots=True)
class Difference:
    """One part of a value that differs.

    Attributes:
        path: The value, or the part of it, such as ``x[2]``.
        old: What it was; "" for what is new.
        new: What it is; "" for what is gone.
        detail: What is said in place of old and new, where they do not say it.
        file: Where the code stands that changed, for code that comes along with a value.
        line: Line there.
    """

    path: str
    old: str = ""
    new: str = ""
    detail: str = ""
    file: str = ""
    line: int = 0

    @property
    def text(self) -> str:
        """What changed, as it is said behind the path."""
        if self.detail:
            return self.detail
        old, new = apart(self.old, self.new)
        return f"is new: {new}" if not old else f"is gone: {old}" if not new else f"{old} -> {new}"


CodeChanges = Callable[[str, str], Sequence[Difference]]
"""What changed between two functions or classes that a value brings along, by their digests; ``path`` is ""."""


def differences(path: str, was: Node, now: Node, code_changes: CodeChanges | None = None) -> Iterator[Difference]:
    """Compare two trees.

    Args:
        path: The value, or the part of it, such as ``x[2]``.
        was: Its tree then.
        now: Its tree now.
        code_changes: Tells what changed in code that a value brings along.

    Returns:
        One entry for each part that differs, in order; empty where the trees are equal.

    Example:
        >>> from ezpyp.explain.tree import TreeBuilder
        >>> was, now = map(TreeBuilder().tree, ({"lr": 0.1, "sizes": [8, 16]}, {"lr": 0.1, "sizes": [8, 32]}))
        >>> [(it.path, it.text) for it in differences("x", was, now)]
        [("x['sizes'][1]", '16 -> 32')]
    """
    if was == now:
        return
    found: list[Difference] = []
    if code_changes and was.code and now.code and was.code != now.code and was.text == now.text:
        changes = code_changes(was.code, now.code)
        found += [replace(it, path=path, detail=f"({now.text}): {it.detail}") for it in changes]
    if was.kind == now.kind and (was.parts or now.parts):
        found += _inside(path, was, now, code_changes)
    if found:
        yield from found
    elif was.text != now.text:
        yield Difference(path, was.text, now.text)
    else:
        order = "in the order of its parts " if dict(was.parts) == dict(now.parts) and was.parts != now.parts else ""
        yield Difference(path, was.text, now.text, f"changed {order}({on_a_line(now.text)})")


def _inside(path: str, was: Node, now: Node, code_changes: CodeChanges | None) -> Iterator[Difference]:
    """What differs among the parts."""
    old, new = dict(was.parts), dict(now.parts)
    moved = _moved(was.parts, now.parts)
    came, went = moved or (
        [part for part in now.parts if part[0] not in old],
        [part for part in was.parts if part[0] not in new],
    )
    # Each step is one: which came and went, its step's upstreams say.
    if sum(not part.text.startswith(STEP) for _, part in (*came, *went)) > _SHOWN_PARTS:
        yield Difference(
            path, was.text, now.text, f"has other parts: {len(came)} are new, {len(went)} are gone ({now.text})"
        )
    else:
        yield from (Difference(path + place, "", part.text) for place, part in came)
        yield from (Difference(path + place, part.text, "") for place, part in went)
    # Of a table that is longer now each column differs: the shape says it.
    is_longer_table = bool(now.text != was.text and not came and not went)
    if not moved and not is_longer_table:
        for place, part in now.parts:
            if place in old:
                yield from differences(path + place, old[place], part, code_changes)


def _moved(old: Sequence[Place], new: Sequence[Place]) -> tuple[list[Place], list[Place]] | None:
    """What came into or left a sequence at one place, while all before and behind it stayed; else None."""
    if not next(iter([*new, *old]), ("", None))[0].startswith("[0]") or len(old) == len(new):
        return None
    was, now = [part for _, part in old], [part for _, part in new]
    most = min(len(was), len(now))
    start = next((i for i in range(most) if was[i] != now[i]), most)
    end = next((i for i in range(most - start) if was[-1 - i] != now[-1 - i]), most - start)
    if start + end < most:
        return None
    return list(new[start : len(new) - end]), list(old[start : len(old) - end])


def apart(old: str, new: str, most: int = _LINE) -> tuple[str, str]:
    """Cut two texts to a line each, of ``most`` characters, so that the first place where they differ is seen.

    Example:
        >>> apart("'" + "a" * 100 + "b'", "'" + "a" * 100 + "c'")
        ("...aaaaaaaaaaaaaaaaaaaab'", "...aaaaaaaaaaaaaaaaaaaac'")
    """
    if max(len(old), len(new)) <= most:
        return old, new
    same = next((i for i, (was, now) in enumerate(zip(old, new, strict=False)) if was != now), min(len(old), len(new)))
    start = 0 if same < most - _BEFORE else same - _BEFORE
    return _cut(old, start, most), _cut(new, start, most)


def _cut(text: str, start: int, most: int) -> str:
    piece = text[start : start + most]
    return ("..." if start else "") + piece + ("..." if start + most < len(text) else "")
