"""Which part of one identity goes with which of another: by name, else by the name that took its place in the code."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ezpyp.hashing._code_difference import are_alike, names_exchanged
from ezpyp.hashing._record import Part

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
