"""The difference of two recorded functions: which part changed, from what to what."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from ezpyp.describe import SECRET, describe, is_secret
from ezpyp.explain.code_diff import Change, IsRenamed, changes_of_text, code_changes
from ezpyp.explain.record import FunctionRecord, Part, record_of
from ezpyp.explain.tree import Node
from ezpyp.explain.tree_diff import differences
from ezpyp.explain.untracked import Circumstance
from ezpyp.hashing.code.identity import FunctionIdentity

_CODE = frozenset({"code", "helper", "method"})
# Recorded and shown, but in no digest: no reason for a change.
_NO_REASON = frozenset({"library", "environment"})
# They come and go with the code that uses them.
_WITH_CODE = frozenset({"helper", "default", "global", "closure", "version"})
_OF_CLASS = frozenset({"class", "method"})
_BASES = " bases"
# What a dataclass keeps of its fields, beside the attributes of the class itself.
_FIELDS = (".__dataclass_fields__", ".__match_args__")
_ANNOTATION = ".__annotations__['"


def difference(old: FunctionRecord, new: FunctionRecord) -> tuple[Change, ...]:
    """Return what changed from one record to another.

    Returns:
        One entry a change, another Python first, then in the order in which the code meets them; empty where
        digests and Pythons are equal.

    Example:
        >>> from ezpyp.explain.record import record_of
        >>> def area(r):
        ...     return 3 * r * r
        >>> old = record_of(area)
        >>> def area(r):
        ...     return 4 * r * r
        >>> [(change.kind, change.name, change.old, change.new) for change in difference(old, record_of(area))]
        [('constant', 'area', '3', '4')]
    """
    is_one_python = old.python == new.python or not (old.python and new.python)
    python = () if is_one_python else (Change("python", "python", "", 0, old.python, new.python),)
    if old.digest == new.digest:
        return python
    found = _reasons(_found(old, new, is_one_python=is_one_python))
    return python + found or (Change("code", new.name, new.file, new.line, "", "", "code"),)


def changed_sources(old: FunctionRecord, new: FunctionRecord) -> list[tuple[str, str, str]]:
    """Return the name, the earlier source and the later one of each piece of code that is written otherwise now.

    Example:
        >>> from os.path import basename
        >>> from ezpyp.explain.record import record_of
        >>> changed_sources(record_of(basename), record_of(basename))
        []
    """
    pairs = [(pair.old, pair.new) for pair in _pairs(old.parts, new.parts)]
    found = [(now.name, was.source, now.source) for was, now in pairs if was and now and now.kind in _CODE]
    return [(name, was, now) for name, was, now in dict.fromkeys(found) if was and now and was != now]


# Which part of one record goes with which of another: those of one kind and name.


@dataclass(slots=True)
class _Pair:
    """A part as it was and as it is; None where there is none."""

    old: Part | None
    new: Part | None


def _pairs(old: Sequence[Part], new: Sequence[Part]) -> list[_Pair]:
    """Pair the parts of one name: equal ones first, the others in order."""
    before = _by_name(old)
    pairs = [_Pair(None, part) for part in new if part.kind not in _NO_REASON]
    for is_equal in (True, False):
        for pair in pairs:
            candidates = before.get(_name(pair.new), []) if pair.new and pair.old is None else []
            for part in candidates:
                if not is_equal or (pair.new and part.digest == pair.new.digest):
                    pair.old = part
                    candidates.remove(part)
                    break
    return pairs + [_Pair(part, None) for parts in before.values() for part in parts]


def _name(part: Part) -> tuple[str, str]:
    # The function itself may be renamed; everything else is known by its name.
    return part.kind, "" if part.kind == "code" else part.name


def _by_name(parts: Sequence[Part]) -> dict[tuple[str, str], list[Part]]:
    found: dict[tuple[str, str], list[Part]] = {}
    for part in parts:
        if part.kind not in _NO_REASON:
            found.setdefault(_name(part), []).append(part)
    return found


def _renaming(old: Sequence[Part], new: Sequence[Part]) -> IsRenamed:
    """Tell whether two names, before and now, lead to the same: an import under another name is no change."""
    before, after = _led_to(old), _led_to(new)
    return lambda was, now: bool(before.get(was)) and before.get(was) == after.get(now)


def _led_to(parts: Sequence[Part]) -> dict[str, set[tuple[str, str, str]]]:
    """What each name that code reads leads to."""
    found: dict[str, set[tuple[str, str, str]]] = {}
    for part in parts:
        if part.kind in ("name", "global", "closure"):
            name, _, member = part.name.partition(".")
            found.setdefault(name, set()).add((member, part.kind, part.digest))
    return found


def _found(old: FunctionRecord, new: FunctionRecord, *, is_one_python: bool) -> Iterator[Change]:
    """All that differs, reason or not."""
    is_renamed = _renaming(old.parts, new.parts)
    for pair in _pairs(old.parts, new.parts):
        was, now = pair.old, pair.new
        if was is None or now is None:
            yield from _one_sided(was, now)
        elif now.kind in _CODE:
            yield from code_changes(was, now, is_renamed) if is_one_python else changes_of_text(was, now)
        elif was.digest != now.digest:
            yield from _of_value(was, now)


def _one_sided(was: Part | None, now: Part | None) -> Iterator[Change]:
    part = now or was
    if part is not None and part.kind not in ("name", "options"):
        text = part.text or part.name
        yield Change(part.kind, part.name, part.file, part.line, text if was else "", text if now else "")


def _of_value(was: Part, now: Part) -> Iterator[Change]:
    kind = {"name": "global", "options": "class"}.get(now.kind, now.kind)
    whole = Change(kind, now.name, now.file, now.line, was.text, now.text)
    if now.kind == "name" or now.name.endswith(_BASES):
        yield whole
        return
    found = list(differences(now.name, was.tree or Node(was.text), now.tree or Node(now.text)))
    if now.kind == "options":
        old, new = (
            f"@dataclass({', '.join(f'{it.path.rpartition(chr(46))[2]}={getattr(it, side)}' for it in found)})"
            for side in ("old", "new")
        )
        yield replace(whole, old=old, new=new)
        return
    # Where the trees are equal, code that the value brings along changed, which is recorded by itself.
    yield from [replace(whole, name=it.path, old=it.old, new=it.new, detail=it.text) for it in found] or [whole]


# Which of the changes found are the reason, and which only come along with it.


def _reasons(found: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes that are a reason, each once; all where none of them seems to be one."""
    changes = list(dict.fromkeys(found))
    # A table of functions changes with each of them: the function says more.
    reasons = [change for change in changes if change.old != change.new or change.detail or change.within]
    # A dataclass writes its __init__ out of its fields, which say more.
    reasons = [change for change in reasons if change.file != "<string>"] or reasons
    reasons = list(_of_dataclasses(reasons)) or reasons
    came = {it.name.removesuffix(_BASES) for it in reasons if it.name.endswith(_BASES) and _is_one_sided(it)}
    reasons = [change for change in reasons if not _comes_along(change, came)] or reasons
    return tuple(reasons or changes)


def _is_one_sided(change: Change) -> bool:
    return not (change.old and change.new) and not change.within


def _comes_along(change: Change, classes: set[str]) -> bool:
    """Whether it came or went with the code or the class that uses it, which is what changed."""
    if not _is_one_sided(change):
        return False
    owner = change.name.removesuffix(_BASES)
    is_of_class = owner in classes or owner.rpartition(".")[0] in classes
    return change.kind in _WITH_CODE or (change.kind in _OF_CLASS and is_of_class)


def _of_dataclasses(changes: Sequence[Change]) -> Iterator[Change]:
    """Return one change for one field, however many attributes of its class hold it."""
    names = {change.name for change in changes if change.kind == "class"}
    with_options = {change.name for change in changes if change.kind == "class" and change.old.startswith("@")}
    for change in changes:
        owner, _, attribute = change.name.partition(_ANNOTATION)
        field = f"{owner}.{attribute.partition(chr(39))[0]}"
        holds = next((text for text in _FIELDS if text in change.name), "")
        if holds:
            owner = change.name.partition(holds)[0]
            if any(name.startswith(f"{owner}.") and not any(text in name for text in _FIELDS) for name in names):
                continue
        elif attribute and _is_one_sided(change):
            if field in names:
                continue
            yield replace(change, name=field)
            continue
        elif any(change.name.startswith(f"{name}.__") for name in with_options):
            continue
        yield change


# What differs around a function without counting in its key: shown beside what made a step run.


def circumstances(
    old: Iterable[Circumstance], new: Iterable[Circumstance], counted: Iterable[str]
) -> tuple[Change, ...]:
    """Return what changed around a function from one run to another and counts in no key.

    Returns:
        Changes of kind "environment" (a variable that the code reads by a constant name; ``old`` and ``new`` are
        digests of its values, "" where it was not set) and "library" (the version of a library that the code leads to).

    Example:
        >>> old, new = [Circumstance("environment", "PI", "3f")], [Circumstance("environment", "PI", "4a")]
        >>> [str(change) for change in circumstances(old, new, ())]
        ['environment variable PI changed']
    """
    before = {(it.kind, it.name): it for it in old}
    found = []
    for now in new:
        was = before.get((now.kind, now.name))
        # A variable that is read for the first time came with the code that reads it.
        if was is None or was == now or (now.kind == "library" and now.name in counted):
            continue
        if now.kind == "environment":
            found.append(Change("environment", now.name, "", 0, was.digest, now.digest))
        elif was.text and now.text:
            found.append(Change("library", now.name, "", 0, was.text, now.text))
    return tuple(found)


def state_changes(frozen: FunctionIdentity, now: FunctionIdentity, function: object) -> list[Change]:
    """What of the values that a function reads is not what it was, in this process."""
    was = {(read.kind, read.name): read for read in frozen.reads}
    changed = [read for read in now.reads if (read.kind, read.name) in was]
    changed = [read for read in changed if was[read.kind, read.name].digest != read.digest]
    places = {(part.name): (part.file, part.line) for part in record_of(function, now).parts} if changed else {}
    found = []
    for read in changed:
        old, new = was[read.kind, read.name].value, read.value
        texts = [describe(value) for value in (old, new)] if old is not new else ["", describe(new)]
        file, line = places.get(read.name, ("", 0))
        if is_secret(read.name):
            texts = [SECRET, SECRET]
        detail = f"changed in place, now {texts[1]}" if old is new else ""
        found.append(Change(read.kind, read.name, file, line, texts[0], texts[1], detail=detail))
    return found
