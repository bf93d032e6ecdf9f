"""What changed in one body of code: the one constant, operator or name, else the statement as it is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import StringIO
from os.path import basename

from ezpyp.explain.record import Part, Token
from ezpyp.explain.tree_diff import apart

# They steer without an operation of their own.
_STEERING = frozenset({"break", "continue", "else", "elif", "try", "finally", "and", "or", "global", "nonlocal"})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_SIMPLE = frozenset({"constant", "keyword", "name", "operator", "variable"})
# Characters of a statement that are shown.
_SHOWN = 100

IsRenamed = Callable[[str, str], bool]
"""Whether two names lead to the same thing, before and now."""

_Region = tuple[tuple[Token, ...], tuple[Token, ...]]
"""Operations that differ, before and now."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two records of a function.

    Attributes:
        kind: "constant", "operator", "name", "keyword" (of a call), "variable", "code", "signature", "default",
            "global", "closure", "class", "helper", "method", "version" (of a tracked package), "python"; of what
            counts in no key, "environment" and "library".
        name: The function, global, default or class attribute that changed.
        file: Where it is defined now; "" where that is unknown.
        line: Line of the change there; 0 where that is unknown.
        old: What it was; "" for what is new.
        new: What it is; "" for what is gone.
        within: "code" for the function itself, "helper" or "method" for code that it leads to, else "".
        detail: What is said in place of old and new, where they do not say it.
    """

    kind: str
    name: str
    file: str
    line: int
    old: str
    new: str
    within: str = ""
    detail: str = ""

    def __str__(self) -> str:
        if self.kind == "python":
            return f"Python {self.old} -> {self.new}"
        if self.kind == "environment":
            # Values are recorded by digest: they may be passwords.
            how = "changed" if self.old and self.new else "is set now" if self.new else "is not set any more"
            return f"environment variable {self.name} {how}"
        place = f"{basename(self.file)}:{self.line}" if self.line else basename(self.file)
        named = f"{self.name} ({place})" if place else self.name
        if self.within == "code":
            return f"{self.kind} {self._what()} in {named}"
        if self.within:
            return f"{self.within} {named}: {self.kind} {self._what()}"
        kind = "version of" if self.kind in ("version", "library") else self.kind
        return f"{kind} {named} {self._what()}"

    def _what(self) -> str:
        if self.detail:
            return self.detail
        if self.old == self.new:
            return f"changed ({self.new})" if self.new else "changed"
        if self.old and self.new:
            return f"{self.old} -> {self.new}"
        return f"is new: {self.new}" if self.new else f"is gone: {self.old}"


@dataclass(frozen=True, slots=True)
class _Bodies:
    """Two versions of one body of code."""

    old: Part
    new: Part
    is_renamed: IsRenamed

    def change(self, kind: str, line: int, old: str = "", new: str = "") -> Change:
        old, new = apart(old, new, _SHOWN)
        return Change(kind, self.new.name, self.new.file, line, old, new, self.new.kind)


def code_changes(old: Part, new: Part, is_renamed: IsRenamed) -> Iterator[Change]:
    """Return what changed between two versions of code, of one Python."""
    bodies = _Bodies(old, new, is_renamed)
    if old.digest == new.digest:
        yield from _names_exchanged(bodies)
        return
    found = list(_signature(bodies))
    if old.source and new.source:
        found += list(_by_operations(bodies)) or ([] if found else list(_by_text(bodies)))
    elif not found or _keys(old.tokens) != _keys(new.tokens):
        found += _without_source(bodies)
    yield from found or [bodies.change("code", new.line)]


def changes_of_text(old: Part, new: Part) -> Iterator[Change]:
    """Compare code of two Pythons, whose operations say nothing of each other, by its source."""
    if old.source and new.source:
        yield from _by_text(_Bodies(old, new, lambda _old, _new: False))


def _names_exchanged(bodies: _Bodies) -> Iterator[Change]:
    """Code that is equal otherwise: one builtin or helper in the place of another."""
    for was, now in zip(bodies.old.tokens, bodies.new.tokens, strict=False):
        if was[0] == now[0] == "name" and was[1] != now[1] and not bodies.is_renamed(was[1], now[1]):
            yield bodies.change("name", now[3], was[2], now[2])


def _signature(bodies: _Bodies) -> Iterator[Change]:
    if bodies.old.text.partition("(")[2] != bodies.new.text.partition("(")[2]:
        yield bodies.change("signature", bodies.new.line, bodies.old.text, bodies.new.text)


# Statements as they are written.


@dataclass(frozen=True, slots=True)
class _Statement:
    """One statement, or the head of one that holds others.

    Attributes:
        key: How deep it stands, and what is written, without comments and line breaks.
        text: The same on one line.
        first: Its first line in the file.
        last: Its last line there.
    """

    key: tuple[int | str, ...]
    text: str
    first: int
    last: int

    @property
    def steering(self) -> tuple[int | str, ...]:
        """The words that steer without an operation."""
        return tuple(word for word in self.key if word in _STEERING)


_Group = tuple[Sequence[_Statement], Sequence[_Statement], int]
"""Statements in the place of which others stand now, and the line now."""

_Word = tuple[str, tuple[int, int], tuple[int, int]]
"""A word with where it begins and ends, as (line, column)."""


def _statements(part: Part) -> list[_Statement]:
    """The statements of a source text."""
    import tokenize  # a few milliseconds that only a difference is worth

    layout = {tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING, tokenize.ENDMARKER}
    found: list[_Statement] = []
    words: list[_Word] = []
    depth = 0
    try:
        for token in tokenize.generate_tokens(StringIO(part.source or "").readline):
            depth += (token.type == tokenize.INDENT) - (token.type == tokenize.DEDENT)
            if token.type == tokenize.NEWLINE and words:
                found.append(_statement(words, depth, part.line))
                words = []
            elif token.type not in layout and token.string:
                words.append((token.string, token.start, token.end))
    except (tokenize.TokenError, SyntaxError):
        pass  # the end of a piece of a larger expression
    found += [_statement(words, depth, part.line)] if words else []
    # A function that stands in a class now is not another one.
    least = int(found[0].key[0]) if found else 0
    return [replace(statement, key=(int(statement.key[0]) - least, *statement.key[1:])) for statement in found]


def _statement(words: list[_Word], depth: int, line: int) -> _Statement:
    text, end = "", words[0][1]
    for word, start, stop in words:
        is_broken = start[0] > end[0] and text[-1:] not in _OPENING and word not in _CLOSING
        text += " " * (start[1] - end[1] if start[0] == end[0] else is_broken) + word
        end = stop
    key: tuple[int | str, ...] = (depth, *[word for word, _, _ in words])
    return _Statement(key, text, words[0][1][0] + line - 1, words[-1][2][0] + line - 1)


def _groups(old: Sequence[_Statement], new: Sequence[_Statement]) -> Iterator[_Group]:
    """What is written otherwise; where as many statements stand as before, each by itself."""
    from difflib import SequenceMatcher

    matcher = SequenceMatcher(None, [s.key for s in old], [s.key for s in new], autojunk=False)
    for operation, i1, i2, j1, j2 in matcher.get_opcodes():
        if operation == "equal" or not new:
            continue
        if i2 - i1 == j2 - j1:
            yield from (((was,), (now,), now.first) for was, now in zip(old[i1:i2], new[j1:j2], strict=True))
        else:
            yield old[i1:i2], new[j1:j2], new[min(j1, len(new) - 1)].first


def _by_operations(bodies: _Bodies) -> Iterator[Change]:
    """The statements that do something else now."""
    for before, now, line in _groups(_statements(bodies.old), _statements(bodies.new)):
        was_done, is_done = _done(bodies.old, before), _done(bodies.new, now)
        regions = [region for region in _regions(was_done, is_done) if not _is_renaming(bodies, region)]
        lines = Counter(region[1][0][3] if region[1] else 0 for region in regions)
        is_steered_alike = _steering(bodies.old, before) == _steering(bodies.new, now)
        if not regions and is_steered_alike:
            continue
        is_one_for_one = len(before) == len(now) == 1 and bool(regions)
        if is_one_for_one and all(_is_simple(region) and lines[region[1][0][3]] == 1 for region in regions):
            yield from (_simple(bodies, region) for region in regions)
        else:
            yield bodies.change("code", line, _joined(before), _joined(now))


def _by_text(bodies: _Bodies) -> Iterator[Change]:
    """The statements that are written otherwise, where operations do not tell."""
    old, new = _statements(bodies.old), _statements(bodies.new)
    heads = {id(statement) for statements in (old, new) for statement in _head(statements)}
    for before, now, line in _groups(old, new):
        texts = [_joined([s for s in some if id(s) not in heads and not _is_text(s)]) for some in (before, now)]
        if any(texts):
            yield bodies.change("code", line, *texts)


def _head(statements: Sequence[_Statement]) -> Iterator[_Statement]:
    """Decorators and the head of a function: what of them counts, counts elsewhere."""
    for statement in statements:
        if statement.key[1] in ("def", "async", "@"):
            yield statement
        if statement.key[1] != "@":
            return


def _is_text(statement: _Statement) -> bool:
    """Whether it is a bare text, such as a docstring."""
    return len(statement.key) == 2 and str(statement.key[1])[-1:] in ("'", '"')


def _joined(statements: Sequence[_Statement]) -> str:
    """Statements on one line."""
    text = ""
    for statement in statements:
        text += ("" if not text else " " if text.endswith(":") else "; ") + statement.text
    return text


def _done(part: Part, statements: Sequence[_Statement]) -> list[Token]:
    """The operations of statements."""
    return [token for token in part.tokens if any(s.first <= token[3] <= s.last for s in statements)]


def _steering(part: Part, statements: Sequence[_Statement]) -> list[tuple[object, ...]]:
    """How deep each statement stands that does something, and its words that steer."""
    return [(s.key[0], s.steering) for s in statements if s.steering or _done(part, [s])]


# Operations.


def _without_source(bodies: _Bodies) -> Iterator[Change]:
    """Compare operations where the source of one is not known; a line is all that can be said of most."""
    regions = list(_regions(bodies.old.tokens, bodies.new.tokens))
    # What is gone has no line of its own now.
    lines = Counter(region[1][0][3] if region[1] else 0 for region in regions)
    for line, count in lines.items():
        region = next(region for region in regions if (region[1][0][3] if region[1] else 0) == line)
        if count == 1 and _is_simple(region):
            yield _simple(bodies, region)
        elif line:
            yield bodies.change("code", line)


def _is_renaming(bodies: _Bodies, region: _Region) -> bool:
    was, now = region
    is_name = len(was) == len(now) == 1 and was[0][0] == now[0][0] == "name"
    return is_name and bodies.is_renamed(was[0][1], now[0][1])


def _is_simple(region: _Region) -> bool:
    was, now = region
    return len(was) == len(now) == 1 and was[0][0] == now[0][0] in _SIMPLE and was[0][1] != now[0][1]


def _simple(bodies: _Bodies, region: _Region) -> Change:
    (kind, _, old, _), (_, _, new, line) = region[0][0], region[1][0]
    if kind == "keyword":  # the keywords of a call are one operation
        names = [text.split(", ") for text in (old, new)]
        if len(names[0]) == len(names[1]):
            pairs = [pair for pair in zip(*names, strict=True) if pair[0] != pair[1]]
            old, new = (", ".join(side) for side in zip(*pairs, strict=True))
    return bodies.change(kind, line, old, new)


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
            # A variable has another number once a new one is met before it.
            if not (one[0] == other[0] == "variable" and one[2] == other[2]):
                yield (one,), (other,)
