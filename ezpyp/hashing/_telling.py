"""Which of the changes found are the reason, and which only come along with it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from os.path import basename

from ezpyp.hashing._change import Change
from ezpyp.hashing._inside import is_told_by_digest
from ezpyp.hashing._secrets import SECRET

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
