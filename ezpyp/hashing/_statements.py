"""The statements of two versions of a source text, and which of them go together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from io import StringIO

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
