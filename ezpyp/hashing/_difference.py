"""The difference of two identities, as data: which part changed, from what to what."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from os.path import basename

from ezpyp.hashing._identity import FunctionIdentity
from ezpyp.hashing._inside import inside, is_told_by_digest, shortened
from ezpyp.hashing._record import Part
from ezpyp.hashing._secrets import SECRET
from ezpyp.hashing._words import Token

_CODE = frozenset({"code", "helper", "method"})
# Recorded and shown, but in no digest: no reason for a change.
_NO_REASON = frozenset({"library", "environment"})
_WITH_CODE = frozenset({"helper", "default", "global", "closure", "version"})
_SIMPLE = frozenset({"constant", "name", "operator", "variable"})


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two identities.

    Attributes:
        kind: "constant", "operator", "name", "variable", "code", "signature", "default", "global", "closure", "class",
            "helper", "method", "version" (of a tracked package), "python"; of ``circumstances``, "environment" and
            "library".
        name: The function, global, default or class attribute that changed.
        file: Where it is defined now; "" where that is unknown.
        line: Line of the change there; 0 where that is unknown.
        old: What it was; "" for what is new.
        new: What it is; "" for what is gone.
        within: "code" for the function itself, "helper" or "method" for code that it leads to, else "".
    """

    kind: str
    name: str
    file: str
    line: int
    old: str
    new: str
    within: str = ""

    def __str__(self) -> str:
        if self.kind == "python":
            return f"Python {self.old} -> {self.new}"
        if self.kind == "environment":
            # Values are recorded by digest: they may be passwords.
            how = "changed" if self.old and self.new else "is set now" if self.new else "is not set any more"
            return f"environment variable {self.name} {how}"
        place = f"{basename(self.file)}:{self.line}" if self.line else basename(self.file)
        place = f" ({place})" if place else ""
        what = f"{self.old} -> {self.new}"
        if not self.old or not self.new:
            what = f"is new: {self.new}" if self.new else f"is gone: {self.old}" if self.old else "changed"
        elif self.old == self.new == SECRET:
            what = "changed (a secret, known by its digest only)"
        elif self.old == self.new and is_told_by_digest(self.new):
            return f"{self.kind} {self.name}{place}: content of {self.new} changed"
        elif self.old == self.new:
            what = f"changed somewhere in {self.new}"
        if self.within == "code":
            return f"{self.kind} {what} in {self.name}{place}"
        if self.within:
            return f"{self.within} {self.name}{place}: {self.kind} {what}"
        kind = "version of" if self.kind in ("version", "library") else self.kind
        return f"{kind} {self.name}{place} {what}"


def difference(old: FunctionIdentity, new: FunctionIdentity) -> tuple[Change, ...]:
    """Return what changed from one identity to another.

    Args:
        old: The earlier identity.
        new: The later one.

    Returns:
        One entry a change, another Python first, then in the order in which the code meets them; empty where
        digests and Pythons are equal.

    Example:
        >>> from ezpyp.hashing import function_identity
        >>> def area(r):
        ...     return 3 * r * r
        >>> old = function_identity(area)
        >>> def area(r):
        ...     return 4 * r * r
        >>> [(change.kind, change.name, change.old, change.new) for change in difference(old, function_identity(area))]
        [('constant', 'area', '3', '4')]
    """
    python = tuple(_python(old, new))
    found = () if old.digest == new.digest else tuple(_found(old, new, _by_lines if python else _code))
    whole = Change("code", new.name, new.file, new.line, "", "", "code")
    return python + found if python or found or old.digest == new.digest else (whole,)


def _python(old: FunctionIdentity, new: FunctionIdentity) -> Iterator[Change]:
    if old.python and new.python and old.python != new.python:
        yield Change("python", "python", "", 0, old.python, new.python)


def _found(old: FunctionIdentity, new: FunctionIdentity, code: "_Compare") -> Iterable[Change]:
    before, after = _numbered(old), _numbered(new)
    changes: list[Change] = []
    for key in dict.fromkeys([*after, *before]):
        changes.extend(_changes(before.get(key), after.get(key), code))
    # A table of functions changes with each of them: the function says more.
    telling = [change for change in changes if change.old != change.new or _is_known_by_digest(change.new)]
    # A dataclass writes its __init__ out of its fields, which say more.
    telling = [change for change in telling if change.file != "<string>"] or telling
    # Helpers come and go with the code that calls them, which is what changed.
    telling = [change for change in telling if not _comes_along(change)] or telling
    return dict.fromkeys(telling or changes)


def _is_known_by_digest(text: str) -> bool:
    return text == SECRET or is_told_by_digest(text)


def _comes_along(change: Change) -> bool:
    return change.kind in _WITH_CODE and not (change.old and change.new)


def _numbered(identity: FunctionIdentity) -> dict[tuple[str, str, int], Part]:
    seen: Counter[tuple[str, str]] = Counter()
    parts = {}
    for part in identity.parts:
        if part.kind in _NO_REASON:
            continue
        # The function itself may be renamed; everything else is known by its name.
        key = (part.kind, "" if part.kind == "code" else part.name)
        parts[*key, seen[key]] = part
        seen[key] += 1
    return parts


_Compare = Callable[[Part, Part], Iterator[Change]]


def _changes(old: Part | None, new: Part | None, code: _Compare) -> Iterator[Change]:
    if old is None or new is None:
        part = new or old
        if part is not None and part.kind != "name":
            text = shortened(part.text or part.name)
            yield Change(part.kind, part.name, part.file, part.line, text if old else "", text if new else "")
    elif old.digest == new.digest:
        return
    elif new.kind in _CODE:
        yield from code(old, new)
    else:
        kind = "global" if new.kind == "name" else new.kind
        whole = new.name.endswith(" bases")
        for path, was, now in [("", old.text, new.text)] if whole else inside(old.text, new.text):
            yield Change(kind, new.name + path, new.file, new.line, was, now)


def _by_lines(old: Part, new: Part) -> Iterator[Change]:
    """Compare code of two Pythons, whose operations say nothing of each other, by its source."""
    from difflib import SequenceMatcher

    was, now = (old.source or "").splitlines(), (new.source or "").splitlines()
    for operation, i1, i2, j1, j2 in SequenceMatcher(None, was, now, autojunk=False).get_opcodes():
        if was and now and operation != "equal":
            texts = [" ".join(line.strip() for line in lines) for lines in (was[i1:i2], now[j1:j2])]
            yield Change("code", new.name, new.file, new.line + j1, texts[0], texts[1], new.kind)


def _code(old: Part, new: Part) -> Iterator[Change]:
    if old.text.partition("(")[2] != new.text.partition("(")[2]:
        yield Change("signature", new.name, new.file, new.line, old.text, new.text, new.kind)
        if _keys(old.tokens) == _keys(new.tokens):
            return
    regions = list(_regions(old.tokens, new.tokens))
    lines = Counter(_line(new, region.after) for region in regions)
    done = set()
    for region in regions:
        line = _line(new, region.after)
        was, now = region.old, region.new
        if lines[line] == 1 and _is_simple(was, now):
            yield Change(was[0][0], new.name, new.file, line, was[0][2], now[0][2], new.kind)
        elif line not in done:
            done.add(line)
            texts = (_source_line(old, _line(old, region.before)), _source_line(new, line))
            if texts[0] and texts[0] == texts[1] and len(lines) > 1:
                # Only reached in another order, because of a change on another line.
                continue
            yield Change("code", new.name, new.file, line, *_spelled(texts, was, now), new.kind)
    if not regions:
        yield Change("code", new.name, new.file, new.line, "", "", new.kind)


@dataclass(frozen=True, slots=True)
class _Region:
    """A stretch of operations that differs, and where it begins in both versions."""

    old: tuple[Token, ...]
    new: tuple[Token, ...]
    before: int
    after: int


def _keys(tokens: tuple[Token, ...]) -> list[tuple[str, str]]:
    return [token[:2] for token in tokens]


def _regions(old: tuple[Token, ...], new: tuple[Token, ...]) -> Iterator[_Region]:
    from difflib import SequenceMatcher  # 5 ms that only a difference is worth

    matcher = SequenceMatcher(None, _keys(old), _keys(new), autojunk=False)
    for operation, i1, i2, j1, j2 in matcher.get_opcodes():
        if operation == "equal":
            continue
        if i2 - i1 == j2 - j1:
            # As many as before: each by itself, so that two changed constants are two changes.
            yield from (
                _Region(old[i : i + 1], new[j : j + 1], i, j) for i, j in zip(range(i1, i2), range(j1, j2), strict=True)
            )
        else:
            yield _Region(old[i1:i2], new[j1:j2], i1, j1)


def _line(part: Part, place: int) -> int:
    return part.tokens[min(place, len(part.tokens) - 1)][3] if part.tokens else part.line


def _is_simple(was: tuple[Token, ...], now: tuple[Token, ...]) -> bool:
    return len(was) == len(now) == 1 and was[0][0] == now[0][0] in _SIMPLE and was[0][2] != now[0][2]


def _source_line(part: Part, line: int) -> str:
    lines = (part.source or "").splitlines()
    index = line - part.line
    return lines[index].strip() if line and 0 <= index < len(lines) else ""


def _spelled(texts: tuple[str, str], was: tuple[Token, ...], now: tuple[Token, ...]) -> tuple[str, str]:
    if texts[0] != texts[1] and any(texts):
        return texts
    return (" ".join(token[2] for token in was), " ".join(token[2] for token in now))
