"""The difference of two identities, as data: which part changed, from what to what."""

from dataclasses import dataclass
from difflib import SequenceMatcher
from os.path import basename

from ezpyp.hashing._identity import FunctionIdentity
from ezpyp.hashing._record import Part


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between two identities.

    Attributes:
        kind: "constant", "code", "default", "global", "helper", "class", ...
        name: What changed.
        file: Where it is defined now; "" where that is unknown.
        line: Line there; 0 where that is unknown.
        old: What it was; "" for what is new.
        new: What it is; "" for what is gone.
    """

    kind: str
    name: str
    file: str
    line: int
    old: str
    new: str

    def __str__(self) -> str:
        place = f"{basename(self.file)}:{self.line}" if self.line else basename(self.file)
        return f"{self.kind} {self.old} -> {self.new} in {self.name} ({place})"


def difference(old: FunctionIdentity, new: FunctionIdentity) -> tuple[Change, ...]:
    """Return what changed from one identity to another, most telling first.

    Args:
        old: The earlier identity.
        new: The later one.

    Returns:
        One entry a changed part; empty where the digests are equal.
    """
    if old.digest == new.digest:
        return ()
    before = {(part.kind, part.name): part for part in old.parts}
    after = {(part.kind, part.name): part for part in new.parts}
    changes: list[Change] = []
    for key in dict.fromkeys([*after, *before]):
        changes.extend(_part(before.get(key), after.get(key)))
    return tuple(changes) or (Change("code", new.name, new.file, new.line, "", ""),)


def _part(old: Part | None, new: Part | None) -> list[Change]:
    if old is None or new is None:
        part = new or old
        assert part is not None
        return [Change(part.kind, part.name, part.file, part.line, old.text if old else "", new.text if new else "")]
    if old.digest == new.digest:
        return []
    if new.tokens:
        return _code(old, new)
    return [Change(new.kind, new.name, new.file, new.line, old.text, new.text)]


def _code(old: Part, new: Part) -> list[Change]:
    before = [token[:2] for token in old.tokens]
    after = [token[:2] for token in new.tokens]
    changes = []
    for operation, i1, i2, j1, j2 in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if operation == "equal":
            continue
        kinds = {kind for kind, _ in before[i1:i2] + after[j1:j2]}
        line = new.tokens[j1][2] if j1 < j2 else (new.tokens[j1 - 1][2] if j1 else new.line)
        kind = "constant" if kinds == {"constant"} else "code"
        was, now = (" ".join(text for _, text in part) for part in (before[i1:i2], after[j1:j2]))
        changes.append(Change(kind, new.name, new.file, line, was, now))
    return changes or [Change("code", new.name, new.file, new.line, "", "")]
