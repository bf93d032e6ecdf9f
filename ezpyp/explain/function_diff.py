"""The difference of two identities, as data: which part changed, from what to what."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from os.path import basename

from ezpyp.describe import SECRET
from ezpyp.explain.change import Change
from ezpyp.explain.code_diff import CODE, Pair, Pairs, changes_of_names, changes_of_text, code_changes
from ezpyp.hashing.code.identity import FunctionIdentity
from ezpyp.hashing.recording import Part
from ezpyp.hashing.tree_diff import inside, is_told_by_digest, shortened

# Which of the changes found are the reason, and which only come along with it.

_WITH_CODE = frozenset({"helper", "default", "global", "closure", "version"})
_OF_CLASS = frozenset({"class", "method"})
_FIELDS = (".__dataclass_fields__", ".__match_args__")
_ANNOTATION = ".__annotations__['"


def told(found: Iterable[Change]) -> tuple[Change, ...]:
    """Return the changes that are a reason, each once; all where none of them seems to be one."""
    changes = list(dict.fromkeys(found))
    # A table of functions changes with each of them: the function says more.
    telling = [change for change in changes if change.old != change.new or _is_told(change)]
    # A dataclass writes its __init__ out of its fields, which say more.
    telling = [change for change in telling if change.file != "<string>"] or telling
    telling = list(_of_dataclasses(telling)) or telling
    # Helpers and classes come and go with the code that calls them, which is what changed.
    came_along = {change.name.removesuffix(" bases") for change in telling if _is_class_that_came(change)}
    telling = [change for change in telling if not _comes_along(change, came_along)] or telling
    return tuple(telling or changes)


def _is_told(change: Change) -> bool:
    return change.new == SECRET or is_told_by_digest(change.new) or bool(change.within and change.line)


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
            yield replace(change, name=field)
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


def difference(old: FunctionIdentity, new: FunctionIdentity) -> tuple[Change, ...]:
    """Return what changed from one identity to another.

    Args:
        old: The earlier identity.
        new: The later one.

    Returns:
        One entry a change, another Python first, then in the order in which the code meets them; empty where
        digests and Pythons are equal.

    Example:
        >>> from ezpyp.hashing.code.identity import function_identity
        >>> def area(r):
        ...     return 3 * r * r
        >>> old = function_identity(area)
        >>> def area(r):
        ...     return 4 * r * r
        >>> [(change.kind, change.name, change.old, change.new) for change in difference(old, function_identity(area))]
        [('constant', 'area', '3', '4')]
    """
    python = tuple(_python(old, new))
    if old.digest == new.digest:
        return python
    found = told(_found(Pairs(old.parts, new.parts), is_one_python=not python))
    whole = Change("code", new.name, new.file, new.line, "", "", "code")
    changes = python + found or (whole,)
    return with_folders(changes, [part.file for part in new.parts])


def changed_sources(old: FunctionIdentity, new: FunctionIdentity) -> list[tuple[str, str, str]]:
    """Return the name, the earlier source and the later one of each piece of code that is written otherwise now.

    Args:
        old: The earlier identity.
        new: The later one. A helper that has another name in it is compared with what it was before.

    Example:
        >>> from os.path import basename
        >>> from ezpyp.hashing.code.identity import function_identity
        >>> [name for name, before, now in changed_sources(function_identity(basename), function_identity(basename))]
        []
    """
    pairs = [(pair.old, pair.new) for pair in Pairs(old.parts, new.parts)]
    found = [(now.name, was.source, now.source) for was, now in pairs if was and now and now.kind in CODE]
    return [(name, was, now) for name, was, now in dict.fromkeys(found) if was and now and was != now]


def _python(old: FunctionIdentity, new: FunctionIdentity) -> Iterator[Change]:
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
        text = shortened(part.text or part.name)
        old, new = (text if side else "" for side in (pair.old, pair.new))
        yield Change(part.kind, part.name, part.file, part.line, old, new)


def _of_code(was: Part, now: Part, pairs: Pairs, *, is_one_python: bool) -> Iterator[Change]:
    if was.digest == now.digest:
        return changes_of_names(was, now, pairs.is_renamed)
    return code_changes(was, now, pairs.is_renamed) if is_one_python else changes_of_text(was, now)


def _of_value(was: Part, now: Part) -> Iterator[Change]:
    if now.kind == "options":
        inner = [(path[1:], old, new) for path, old, new in inside(was.text, now.text)]
        old, new = (f"@dataclass({', '.join(texts)})" for texts in zip(*(
            (f"{name}={old}", f"{name}={new}") for name, old, new in inner
        ), strict=True))  # fmt: skip
        yield Change("class", now.name, now.file, now.line, old, new)
        return
    kind = "global" if now.kind == "name" else now.kind
    whole = now.name.endswith(" bases")
    for path, old, new in [("", was.text, now.text)] if whole else inside(was.text, now.text):
        yield Change(kind, now.name + path, now.file, now.line, old, new)


def _renamed(change: Change, was: Part, now: Part) -> Change:
    return change if now.kind == "code" or was.name == now.name else replace(change, before=was.name)


# What differs between two recorded identities without counting in the key: shown beside what made a step run.


def circumstances(old: FunctionIdentity, new: FunctionIdentity) -> tuple[Change, ...]:
    """Return what changed around a function from one identity to another and counts in no key.

    Args:
        old: The earlier identity.
        new: The later one; its digest may be the same.

    Returns:
        Changes of kind "environment" (a variable that the code reads by a constant name; ``old`` and ``new`` are
        digests of its values, "" where it was not set) and "library" (the version of a library that the code leads to).

    Example:
        >>> import os
        >>> from ezpyp.hashing.code.identity import function_identity
        >>> def area(r):
        ...     return float(os.environ["EZPYP_DOC_PI"]) * r * r
        >>> os.environ["EZPYP_DOC_PI"] = "3"
        >>> old = function_identity(area)
        >>> os.environ["EZPYP_DOC_PI"] = "3.1"
        >>> [str(change) for change in circumstances(old, function_identity(area))]
        ['environment variable EZPYP_DOC_PI changed']
        >>> del os.environ["EZPYP_DOC_PI"]
    """
    return (*_environment(old, new), *_libraries(old, new))


def _environment(old: FunctionIdentity, new: FunctionIdentity) -> Iterator[Change]:
    before = {part.name: part.digest for part in old.parts if part.kind == "environment"}
    for part in new.parts:
        # A variable that is read for the first time came with the code that reads it.
        if part.kind == "environment" and before.get(part.name, part.digest) != part.digest:
            yield Change("environment", part.name, "", 0, before[part.name], part.digest)


def _libraries(old: FunctionIdentity, new: FunctionIdentity) -> Iterator[Change]:
    counted = {part.name for part in old.parts if part.kind == "version"}
    counted &= {part.name for part in new.parts if part.kind == "version"}
    before = {part.name: part.text for part in old.parts if part.kind == "library" and part.name not in counted}
    for part in new.parts:
        was = before.get(part.name)
        if part.kind == "library" and was and part.text and was != part.text:
            yield Change("library", part.name, "", 0, was, part.text)
