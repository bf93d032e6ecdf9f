"""The difference of two identities, as data: which part changed, from what to what."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from ezpyp.hashing._change import Change
from ezpyp.hashing._code_difference import changes_of_names, changes_of_text, code_changes
from ezpyp.hashing._identity import FunctionIdentity
from ezpyp.hashing._inside import inside, shortened
from ezpyp.hashing._pairs import CODE, Pair, Pairs
from ezpyp.hashing._record import Part
from ezpyp.hashing._telling import told, with_folders


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
        >>> from ezpyp.hashing import function_identity
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
