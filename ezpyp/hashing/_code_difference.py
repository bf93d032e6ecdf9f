"""What changed in one body of code: the one constant, operator or name, else the statement as it is written."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from ezpyp.hashing._change import Change
from ezpyp.hashing._inside import both_shortened
from ezpyp.hashing._record import Part
from ezpyp.hashing._statements import Aligned, Group, Statement, joined, statements
from ezpyp.hashing._words import Token

_SIMPLE = frozenset({"constant", "keyword", "name", "operator", "variable"})
# Characters of a statement that are shown, and of a constant that were recorded once.
_SHOWN, _ONCE = 100, 60

# Whether two names are one thing under another name, which is told where that thing is.
IsRenamed = Callable[[str, str], bool]
# Operations that differ, before and now.
_Region = tuple[tuple[Token, ...], tuple[Token, ...]]


@dataclass(frozen=True, slots=True)
class _Two:
    """Two versions of one body of code."""

    old: Part
    new: Part
    is_renamed: IsRenamed

    def change(self, kind: str, line: int, old: str = "", new: str = "") -> Change:
        old, new = both_shortened(old, new, _SHOWN)
        return Change(kind, self.new.name, self.new.file, line, old, new, self.new.kind)


def code_changes(old: Part, new: Part, is_renamed: IsRenamed) -> Iterator[Change]:
    """Return what changed between two versions of code, of one Python.

    Args:
        old: The earlier one, of another digest.
        new: The later one.
        is_renamed: Whether two names are one thing that is called otherwise now.
    """
    two = _Two(old, new, is_renamed)
    found = list(_signature(two))
    if old.source and new.source:
        by_source = _BySource(two)
        found += list(by_source.told_by_operations()) or ([] if found else list(by_source.told_by_text()))
    else:
        found += _without_source(two, told=bool(found))
    yield from found or [two.change("code", new.line)]


def changes_of_text(old: Part, new: Part) -> Iterator[Change]:
    """Compare code of two Pythons, whose operations say nothing of each other, by its source."""
    if old.source and new.source:
        yield from _BySource(_Two(old, new, lambda _old, _new: False)).told_by_text()


def changes_of_names(old: Part, new: Part, is_renamed: IsRenamed) -> Iterator[Change]:
    """Return the names that differ in code that is equal otherwise: one builtin in the place of another."""
    two = _Two(old, new, is_renamed)
    if len(old.tokens) == len(new.tokens):
        for was, now in zip(old.tokens, new.tokens, strict=True):
            if was[0] == now[0] == "name" and was[1] != now[1] and not is_renamed(was[1], now[1]):
                yield two.change("name", now[3], was[2], now[2])


def names_exchanged(old: Part, new: Part) -> Iterator[tuple[str, str]]:
    """Return the names that stand where others stood."""
    for was, now in _regions(old.tokens, new.tokens):
        if len(was) == len(now) == 1 and was[0][0] == now[0][0] == "name":
            yield was[0][1], now[0][1]


def are_alike(old: Part, new: Part) -> bool:
    """Tell whether two pieces of code are more alike than not."""
    from difflib import SequenceMatcher

    return SequenceMatcher(None, _keys(old.tokens), _keys(new.tokens), autojunk=False).ratio() > 1 / 2


def _signature(two: _Two) -> Iterator[Change]:
    if two.old.text.partition("(")[2] != two.new.text.partition("(")[2]:
        yield two.change("signature", two.new.line, two.old.text, two.new.text)


class _BySource:
    """Two versions of which both sources are known."""

    def __init__(self, two: _Two) -> None:
        self.two = two
        self.old, self.new = (statements(part.source or "", part.line) for part in (two.old, two.new))
        self.aligned = Aligned(self.old, self.new)

    def told_by_operations(self) -> Iterator[Change]:
        """Return the statements that do something else now."""
        for group in self.aligned.groups:
            before, now, _ = group
            if before and now:
                yield from self._pair(before[0], now[0])
            elif _do_something(self.two.old, before) or _do_something(self.two.new, now):
                yield self._told(group)
        for was, head, then, head_now in self.aligned.moved():
            if _do_something(self.two.new, [then]):
                yield self.two.change("code", then.first, f"{was.text} under {head}", f"{then.text} under {head_now}")

    def told_by_text(self) -> Iterator[Change]:
        """Return the statements that are written otherwise, where operations do not tell."""
        heads = {id(s) for listed in (self.old, self.new) for s in _head(listed)}
        for before, now, line in self.aligned.groups:
            old, new = (tuple(s for s in some if id(s) not in heads and not s.is_text) for some in (before, now))
            if old or new:
                yield self._told((old, new, line))

    def _told(self, group: Group) -> Change:
        old, new, line = group
        return self.two.change("code", line, joined(old), joined(new))

    def _pair(self, was: Statement, now: Statement) -> Iterator[Change]:
        operations = _operations(self.two.old, was), _operations(self.two.new, now)
        regions = [region for region in _regions(*operations) if not self._is_renaming(*region)]
        if not regions and was.steering == now.steering:
            return
        lines = Counter(region[1][0][3] if region[1] else 0 for region in regions)
        if all(_is_simple(*region) and lines[region[1][0][3]] == 1 for region in regions) and regions:
            yield from (_simple(self.two, *region) for region in regions)
        else:
            yield self._told(((was,), (now,), now.first))

    def _is_renaming(self, was: tuple[Token, ...], now: tuple[Token, ...]) -> bool:
        is_name = len(was) == len(now) == 1 and was[0][0] == now[0][0] == "name"
        return is_name and self.two.is_renamed(was[0][1], now[0][1])


def _without_source(two: _Two, *, told: bool) -> Iterator[Change]:
    """Compare operations where the source of one is not known; a line is all that can be said of most."""
    if told and _keys(two.old.tokens) == _keys(two.new.tokens):
        return
    regions = list(_regions(two.old.tokens, two.new.tokens))
    # What is gone has no line of its own now.
    lines = Counter(region[1][0][3] if region[1] else 0 for region in regions)
    done: set[int] = set()
    for was, now in regions:
        line = now[0][3] if now else 0
        if lines[line] == 1 and _is_simple(was, now):
            yield _simple(two, was, now)
        elif line not in done and line:
            text = _line_of_source(two.new, line) or ""
            yield two.change("code", line, text, text)
        done.add(line)


def _simple(two: _Two, was: tuple[Token, ...], now: tuple[Token, ...]) -> Change:
    (kind, _, old, _), (_, _, new, line) = was[0], now[0]
    change = two.change(kind, line, old, new)
    if kind != "keyword":
        return change
    words = [text.split(", ") for text in (old, new)]
    if len(words[0]) != len(words[1]):
        return change
    exchanged = [pair for pair in zip(*words, strict=True) if pair[0] != pair[1]]
    return replace(change, old=", ".join(a for a, _ in exchanged), new=", ".join(b for _, b in exchanged))


def _keys(tokens: Sequence[Token]) -> list[tuple[str, str]]:
    return [token[:2] for token in tokens]


def _regions(old: Sequence[Token], new: Sequence[Token]) -> Iterator[_Region]:
    from difflib import SequenceMatcher  # 5 ms that only a difference is worth

    matcher = SequenceMatcher(None, _keys(old), _keys(new), autojunk=False)
    for operation, i1, i2, j1, j2 in matcher.get_opcodes():
        was, now = tuple(old[i1:i2]), tuple(new[j1:j2])
        if operation == "equal":
            continue
        if len(was) != len(now):
            yield was, now
            continue
        # As many as before: each by itself, so that two changed constants are two changes.
        for one, other in zip(was, now, strict=True):
            if not _is_same(one, other):
                yield (one,), (other,)


def _is_same(was: Token, now: Token) -> bool:
    if was[0] != now[0]:
        return False
    # Of a long constant, older records have the beginning.
    is_cut = len(was[2]) == _ONCE and was[2].endswith("...") and now[2].startswith(was[2][:-3])
    # A variable has another number once a new one is met before it.
    return is_cut or (was[0] == "variable" and was[2] == now[2])


def _is_simple(was: tuple[Token, ...], now: tuple[Token, ...]) -> bool:
    return len(was) == len(now) == 1 and was[0][0] == now[0][0] in _SIMPLE and was[0][1] != now[0][1]


def _operations(part: Part, statement: Statement) -> list[Token]:
    return [token for token in part.tokens if statement.first <= token[3] <= statement.last]


def _do_something(part: Part, listed: Sequence[Statement]) -> bool:
    return any(statement.steering or _operations(part, statement) for statement in listed)


def _head(listed: Sequence[Statement]) -> Iterator[Statement]:
    """Return the decorators and the head of a function: what of them counts, counts elsewhere."""
    for statement in listed:
        if statement.key[0] in ("def", "async", "@"):
            yield statement
        if statement.key[0] != "@":
            return


def _line_of_source(part: Part, line: int) -> str:
    lines = (part.source or "").splitlines()
    index = line - part.line
    return lines[index].strip() if 0 <= index < len(lines) else ""
