"""Whether a result names files: then their content may change although the result does not."""

import os
from collections.abc import Collection

# Few names are asked for one by one; many are looked up in listings of their folders.
_FEW = 32
_LONGEST = 4096


class Anything:
    """Stands for texts that are not looked at one by one: any of them may name a file."""


def name_existing_files(parts: Collection[object]) -> bool:
    """Tell whether a Path is among ``parts``, or a text that names something that exists."""
    names = set()
    for part in parts:
        if not isinstance(part, str | bytes):
            return True
        if 0 < len(part) < _LONGEST and "\0" not in (name := os.fsdecode(part)):
            names.add(name)
    if len(names) <= _FEW:
        return any(map(os.path.lexists, names))
    return _any_listed(names)


def _any_listed(names: Collection[str]) -> bool:
    listings: dict[str, frozenset[str]] = {}
    for name in names:
        folder, last = os.path.split(name)
        if folder not in listings:
            listings[folder] = _listing(folder)
        if last in listings[folder] or (not last and os.path.lexists(name)):
            return True
    return False


def _listing(folder: str) -> frozenset[str]:
    try:
        return frozenset((*os.listdir(folder or "."), ".", ".."))
    except (OSError, ValueError):
        return frozenset()
