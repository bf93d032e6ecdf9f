"""The difference of two identities, as data: which part changed, from what to what."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from os.path import basename

from ezpyp.describe import SECRET, describe, is_secret
from ezpyp.explain.change import Change
from ezpyp.explain.code_diff import CODE, Pair, Pairs, changes_of_names, changes_of_text, code_changes
from ezpyp.explain.record import FunctionRecord, Part, record_of
from ezpyp.explain.tree_diff import Comparison
from ezpyp.explain.untracked import Circumstance
from ezpyp.hashing.code.identity import FunctionIdentity

# Which of the changes found are the reason, and which only come along with it.

_WITH_CODE = frozenset({"helper", "default", "global", "closure", "version"})
_OF_CLASS = frozenset({"class", "method"})
_FIELDS = (".__dataclass_fields__", ".__match_args__")
_ANNOTATION = ".__annotations__['"


def told(found: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes that are a reason, each once; all where none of them seems to be one."""
    changes = list(dict.fromkeys(found))
    # A table of functions changes with each of them: the function says more.
    telling = [change for change in changes if _tells(change)]
    # A dataclass writes its __init__ out of its fields, which say more.
    telling = [change for change in telling if change.file != "<string>"] or telling
    telling = list(_of_dataclasses(telling)) or telling
    # Helpers and classes come and go with the code that calls them, which is what changed.
    came_along = {change.name.removesuffix(" bases") for change in telling if _is_class_that_came(change)}
    telling = [change for change in telling if not _comes_along(change, came_along)] or telling
    return tuple(telling or changes)


def _tells(change: Change) -> bool:
    return change.old != change.new or bool(change.words and not change.is_vague) or bool(change.within and change.line)


def _is_one_sided(change: Change) -> bool:
    return not (change.old and change.new) and not change.within


def _is_class_that_came(change: Change) -> bool:
    return change.kind == "class" and change.name.endswith(" bases") and _is_one_sided(change)


def _comes_along(change: Change, classes: set[str]) -> bool:
    if not _is_one_sided(change):
        return False
    owner = change.name.removesuffix(" bases")
    return change.kind in _WITH_CODE or (
        change.kind in _OF_CLASS and (owner in classes or owner.rpartition(".")[0] in classes)
    )


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
            yield replace(change, name=field, words="")
            continue
        elif any(change.name.startswith(f"{name}.__") for name in with_options):
            continue
        yield change


def with_folders(changes: Sequence[Change], files: Iterable[str]) -> tuple[Change, ...]:
    """Return the changes with folders where the name of a file alone would not say which it is."""
    others = {file for file in files if file}
    return tuple(replace(change, shown=_told_apart(change.file, others)) for change in changes)


def _told_apart(file: str, others: set[str]) -> str:
    name = basename(file)
    alike = [other for other in others if other != file and basename(other) == name]
    parts = file.replace("\\", "/").split("/")
    for count in range(1, len(parts) + 1):
        shown = "/".join(parts[-count:])
        if not any(other.replace("\\", "/").endswith("/" + shown) for other in alike):
            return shown if count > 1 else ""
    return file


def difference(old: FunctionRecord, new: FunctionRecord) -> tuple[Change, ...]:
    """Return what changed from one record to another.

    Args:
        old: The earlier record.
        new: The later one.

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
    python = tuple(_python(old, new))
    if old.digest == new.digest:
        return python
    found = told(_found(Pairs(old.parts, new.parts), is_one_python=not python))
    whole = Change("code", new.name, new.file, new.line, "", "", "code")
    changes = python + found or (whole,)
    return with_folders(changes, [part.file for part in new.parts])


def changed_sources(old: FunctionRecord, new: FunctionRecord) -> list[tuple[str, str, str]]:
    """Return the name, the earlier source and the later one of each piece of code that is written otherwise now.

    Args:
        old: The earlier identity.
        new: The later one. A helper that has another name in it is compared with what it was before.

    Example:
        >>> from os.path import basename
        >>> from ezpyp.explain.record import record_of
        >>> [name for name, before, now in changed_sources(record_of(basename), record_of(basename))]
        []
    """
    pairs = [(pair.old, pair.new) for pair in Pairs(old.parts, new.parts)]
    found = [(now.name, was.source, now.source) for was, now in pairs if was and now and now.kind in CODE]
    return [(name, was, now) for name, was, now in dict.fromkeys(found) if was and now and was != now]


def _python(old: FunctionRecord, new: FunctionRecord) -> Iterator[Change]:
    if old.python and new.python and old.python != new.python:
        yield Change("python", "python", "", 0, old.python, new.python)


def _found(pairs: Pairs, *, is_one_python: bool) -> Iterable[Change]:
    for pair in pairs:
        was, now = pair.old, pair.new
        if was is None or now is None:
            yield from _one_sided(pair)
        elif now.kind in CODE:
            found = _of_code(was, now, pairs, is_one_python=is_one_python)
            yield from (_renamed(change, was, now) for change in found)
        elif was.digest != now.digest and not (now.kind == "name" and was.name != now.name):
            yield from (_renamed(change, was, now) for change in _of_value(was, now))


def _one_sided(pair: Pair) -> Iterator[Change]:
    part = pair.new or pair.old
    if part is not None and part.kind not in ("name", "options"):
        text = part.text or part.name
        old, new = (text if side else "" for side in (pair.old, pair.new))
        yield Change(part.kind, part.name, part.file, part.line, old, new)


def _of_code(was: Part, now: Part, pairs: Pairs, *, is_one_python: bool) -> Iterator[Change]:
    if was.digest == now.digest:
        return changes_of_names(was, now, pairs.is_renamed)
    return code_changes(was, now, pairs.is_renamed) if is_one_python else changes_of_text(was, now)


def _of_value(was: Part, now: Part) -> Iterator[Change]:
    if now.kind == "name" or now.name.endswith(" bases"):
        yield Change("global" if now.kind == "name" else now.kind, now.name, now.file, now.line, was.text, now.text)
        return
    found = list(Comparison().differences(now.name, was.tree, now.tree))
    if now.kind == "options":
        old, new = (f"@dataclass({', '.join(texts)})" for texts in zip(*(
            (f"{it.path.rpartition('.')[2]}={it.old}", f"{it.path.rpartition('.')[2]}={it.new}") for it in found
        ), strict=True))  # fmt: skip
        yield Change("class", now.name, now.file, now.line, old, new)
        return
    for it in found:
        yield Change(
            now.kind, it.name or it.path, now.file, now.line, it.old, it.new, words=it.words, is_vague=it.is_vague
        )
    if not found:
        yield Change(now.kind, now.name, now.file, now.line, was.text, now.text, is_vague=True)


def _renamed(change: Change, was: Part, now: Part) -> Change:
    return change if now.kind == "code" or was.name == now.name else replace(change, before=was.name)


# What differs around a function without counting in its key: shown beside what made a step run.


def circumstances(
    old: Iterable[Circumstance], new: Iterable[Circumstance], counted: Iterable[str]
) -> tuple[Change, ...]:
    """Return what changed around a function from one run to another and counts in no key.

    Args:
        old: What was around it.
        new: What is around it.
        counted: Packages whose version is in the key.

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
    """What of the values that a function reads is not what it was, in this process.

    Args:
        frozen: What the function was.
        now: What it is.
        function: The function, to look up where the values are bound.
    """
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
        words = f" {texts[0]} -> {texts[1]}" if old is not new else f" changed in place, now {texts[1]}"
        found.append(Change(read.kind, read.name, file, line, texts[0], texts[1], words=words))
    return found
