"""What changed in one body of code: the one constant, operator or name, else the statement as it is written."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO

from ezpyp.explain.change import Change
from ezpyp.explain.operations import Token
from ezpyp.explain.record import Part
from ezpyp.explain.tree_diff import apart

# The statements of two versions of a source text, and which of them go together.

# They steer without leaving an operation of their own.
_STEERING = frozenset({"break", "continue", "else", "elif", "try", "finally", "and", "or", "global", "nonlocal"})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_ALIKE = 0.5
# Pairs of statements in a stretch that was written anew which are worth looking at, each some 50 us.
_MOST = 2500


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, or the head of one that holds others.

    Attributes:
        key: What is written, without comments and line breaks.
        text: The same on one line.
        first: Its first line in the file.
        last: Its last line there.
        column: Its indentation.
    """

    key: tuple[str, ...]
    text: str
    first: int
    last: int
    column: int

    @property
    def steering(self) -> tuple[str, ...]:
        """Return the words that steer without leaving an operation."""
        return tuple(word for word in self.key if word in _STEERING)

    @property
    def is_text(self) -> bool:
        """Tell whether it is a bare text, such as a docstring."""
        return len(self.key) == 1 and self.key[0][-1:] in ("'", '"')


# Statements that go together: one and one, or some that are gone or new; the last is the line now.
Group = tuple[tuple[Statement, ...], tuple[Statement, ...], int]


def statements(source: str, line: int) -> list[Statement]:
    """Return the statements of a source text that begins on a line of its file."""
    import tokenize  # a few milliseconds that only a difference is worth

    layout = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
    found: list[Statement] = []
    words: list[_Word] = []
    try:
        for token in tokenize.generate_tokens(StringIO(source).readline):
            if token.type == tokenize.NEWLINE and words:
                found.append(_statement(words, line))
                words = []
            elif token.type not in layout and token.string:
                words.append((token.string, token.start, token.end))
    except (tokenize.TokenError, SyntaxError):
        pass  # the end of a piece of a larger expression
    return [*found, _statement(words, line)] if words else found


# A word with where it begins and ends, as (line, column).
_Word = tuple[str, tuple[int, int], tuple[int, int]]


def _statement(words: list[_Word], line: int) -> Statement:
    text, end = "", words[0][1]
    for word, start, stop in words:
        broken = start[0] > end[0] and text[-1:] not in _OPENING and word not in _CLOSING
        text += " " * (start[1] - end[1] if start[0] == end[0] else broken) + word
        end = stop
    shift = line - 1
    return Statement(
        tuple(word for word, _, _ in words), text, words[0][1][0] + shift, words[-1][2][0] + shift, words[0][1][1]
    )


class Aligned:
    """Two versions, statement by statement.

    Args:
        old: The earlier ones.
        new: The later ones.
    """

    def __init__(self, old: Sequence[Statement], new: Sequence[Statement]) -> None:
        self.old, self.new = old, new
        # Which goes with which, equal or not; -1 stands for what is around the whole.
        self._now = {-1: -1}
        self.groups = list(self._aligned())

    def _aligned(self) -> Iterator[Group]:
        from difflib import SequenceMatcher

        matcher = SequenceMatcher(None, [s.key for s in self.old], [s.key for s in self.new], autojunk=False)
        for operation, i1, i2, j1, j2 in matcher.get_opcodes():
            if operation == "equal":
                self._now.update(zip(range(i1, i2), range(j1, j2), strict=True))
            else:
                yield from self._replaced(i1, i2, j1, j2)

    def _replaced(self, i1: int, i2: int, j1: int, j2: int) -> Iterator[Group]:
        """Take apart a stretch that differs: statements that are alike go together, in order."""
        for i, j in (*self._alike(i1, i2, j1, j2), (i2, j2)):
            if i - i1 == j - j1 == 1:
                # One in the place of one, between neighbours that stayed.
                yield self._pair(i1, j1)
            else:
                yield from self._one_sided(i1, i, j1, j)
            if i < i2:
                yield self._pair(i, j)
            i1, j1 = i + 1, j + 1

    def _pair(self, i: int, j: int) -> Group:
        self._now[i] = j
        return (self.old[i],), (self.new[j],), self.new[j].first

    def _one_sided(self, i1: int, i2: int, j1: int, j2: int) -> Iterator[Group]:
        if i1 < i2:
            yield tuple(self.old[i1:i2]), (), self.new[min(j1, len(self.new) - 1)].first if self.new else 0
        if j1 < j2:
            yield (), tuple(self.new[j1:j2]), self.new[j1].first

    def _alike(self, i1: int, i2: int, j1: int, j2: int) -> list[tuple[int, int]]:
        """Return the pairs in order that are most alike altogether."""
        if (i2 - i1) * (j2 - j1) > _MOST:
            return []
        best: dict[tuple[int, int], tuple[float, list[tuple[int, int]]]] = {}
        nothing: tuple[float, list[tuple[int, int]]] = (0.0, [])
        for i in reversed(range(i1, i2)):
            for j in reversed(range(j1, j2)):
                score, pairs = best.get((i + 1, j + 1), nothing)
                likeness = _likeness(self.old[i].key, self.new[j].key)
                taken = (score + likeness, [(i, j), *pairs]) if likeness >= _ALIKE else nothing
                others = best.get((i + 1, j), nothing), best.get((i, j + 1), nothing)
                best[i, j] = max(taken, *others, key=lambda found: found[0])
        return best.get((i1, j1), nothing)[1]

    def moved(self) -> Iterator[tuple[Statement, str, Statement, str]]:
        """Return the statements that stand under another head than before, and both heads, where both stayed."""
        above, below = _heads(self.old), _heads(self.new)
        stayed = set(self._now.values())
        for i, j in self._now.items():
            if i < 0 or self.old[i].key != self.new[j].key:
                continue
            head, now = above[i], below[j]
            if head in self._now and now in stayed and self._now[head] != now:
                yield self.old[i], _text(self.old, head), self.new[j], _text(self.new, now)


def _likeness(old: tuple[str, ...], new: tuple[str, ...]) -> float:
    from difflib import SequenceMatcher

    return SequenceMatcher(None, old, new, autojunk=False).ratio()


def _heads(listed: Sequence[Statement]) -> list[int]:
    """Return for each statement the place of the one that holds it; -1 for what is around the whole."""
    heads: list[int] = []
    for place, statement in enumerate(listed):
        head = place - 1
        while head >= 0 and listed[head].column >= statement.column:
            head = heads[head]
        heads.append(head)
    return heads


def _text(listed: Sequence[Statement], place: int) -> str:
    return listed[place].text if place >= 0 else ""


def joined(listed: Sequence[Statement]) -> str:
    """Return statements on one line."""
    text = ""
    for statement in listed:
        text += ("" if not text else " " if text.endswith(":") else "; ") + statement.text
    return text


_SIMPLE = frozenset({"constant", "keyword", "name", "operator", "variable"})
# Characters of a statement that are shown.
_SHOWN = 100

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
        old, new = apart(old, new, _SHOWN)
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
    # A variable has another number once a new one is met before it.
    return was[0] == "variable" and was[2] == now[2]


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


# Which part of one identity goes with which of another: by name, else by the name that took its place in the code.

CODE = frozenset({"code", "helper", "method"})
# Recorded and shown, but in no digest: no reason for a change.
_NO_REASON = frozenset({"library", "environment"})
_WORD = re.compile(r"\w+")


@dataclass(slots=True)
class Pair:
    """A part as it was and as it is; None where there is none."""

    old: Part | None
    new: Part | None


class Pairs:
    """The parts of two identities, each with the one that it goes with.

    Args:
        old: The earlier parts.
        new: The later ones.
    """

    def __init__(self, old: Sequence[Part], new: Sequence[Part]) -> None:
        before, after = _by_name(old), _by_name(new)
        self._found: dict[int, Pair] = {id(part): Pair(None, part) for part in new if part.kind not in _NO_REASON}
        self._gone: list[Part] = []
        for key in dict.fromkeys([*after, *before]):
            self._match(before.get(key, []), after.get(key, []))
        # Where names were exchanged, other names below them may have been as well.
        while self._left() and self._match_renamed():
            pass

    def __iter__(self) -> Iterator[Pair]:
        yield from self._found.values()
        yield from (Pair(part, None) for part in self._gone)

    def is_renamed(self, old: str, new: str) -> bool:
        """Tell whether a name stands for what another one stood for: an import or a helper that is called otherwise."""
        pairs = [pair for pair in self if pair.old and pair.new and _root(pair.old) == old and _root(pair.new) == new]
        return bool(pairs) and all(self._is_told(pair) for pair in pairs)

    def _is_told(self, pair: Pair) -> bool:
        """Tell whether what a name leads to is the same, or is compared by itself."""
        if pair.old is None or pair.new is None:
            return False
        if pair.old.kind != "name" or pair.old.digest == pair.new.digest:
            return True
        names = (pair.old.text, pair.new.text)
        return any(other.old and other.new and (_owner(other.old), _owner(other.new)) == names for other in self)

    def _match(self, old: list[Part], new: list[Part]) -> None:
        """Pair parts of one name: equal ones first, the others in order."""
        left, waiting = list(old), []
        for part in new:
            same = next((other for other in left if other.digest == part.digest), None)
            if same is None:
                waiting.append(part)
            else:
                left.remove(same)
                self._found[id(part)].old = same
        for part, other in zip(waiting, left, strict=False):
            self._found[id(part)].old = other
        self._gone += left[len(waiting) :]

    def _left(self) -> list[Part]:
        return [pair.new for pair in self._found.values() if pair.old is None and pair.new] if self._gone else []

    def _match_renamed(self) -> bool:
        """Pair what is left by the names that took the place of others; tell whether there was any."""
        names: dict[str, str] = {}
        for pair in self._found.values():
            if pair.old and pair.new and pair.new.kind in CODE:
                for was, now in names_exchanged(pair.old, pair.new):
                    names.setdefault(was, now)
        count = len(self._gone)
        for old in list(self._gone):
            name = _WORD.sub(lambda word: names.get(word[0], word[0]), old.name)
            new = next((part for part in self._left() if (part.kind, part.name) == (old.kind, name)), None)
            if new and (old.kind not in CODE or are_alike(old, new)):
                self._found[id(new)].old = old
                self._gone.remove(old)
        return len(self._gone) < count


def _by_name(parts: Sequence[Part]) -> dict[tuple[str, str], list[Part]]:
    found: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        if part.kind not in _NO_REASON:
            # The function itself may be renamed; everything else is known by its name.
            found.setdefault((part.kind, "" if part.kind == "code" else part.name), []).append(part)
    return found


def _root(part: Part) -> str:
    """Return the name that code reads to get at a part; "" for what no name leads to by itself."""
    return part.name.partition(".")[0] if part.kind in ("name", "global", "closure") else ""


def _owner(part: Part) -> str:
    """Return the name of the function whose code this is, or of the class whose bases; "" for any other part."""
    if part.kind in CODE:
        return part.name
    return part.name.removesuffix(" bases") if part.name.endswith(" bases") else ""
