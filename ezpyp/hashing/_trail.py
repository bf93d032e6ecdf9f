"""Where a part stands: the path to it, found only once something went wrong."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

from ezpyp.hashing._walk import UnwalkableError


def path_of(caught: UnwalkableError, values: Sequence[object], names: Sequence[str]) -> str:
    """Return the path of the part that was refused, such as ``args[1].model.w``."""
    owners = [*caught.trail]
    if not owners or owners[-1] is not caught.value:
        owners.append(caught.value)
    roots = [name for value, name in zip(values, names, strict=False) if value is owners[0]]
    path = roots[0] if roots else "value"
    for owner, part in pairwise(owners):
        path += _step(owner, part)
    return path


def _step(owner: object, part: object) -> str:
    if isinstance(owner, Mapping):
        return next((f"[{_key(key)}]" for key, value in owner.items() if value is part), "")
    if isinstance(owner, list | tuple):
        return next((f"[{index}]" for index, value in enumerate(owner) if value is part), "")
    state = getattr(owner, "__dict__", None)
    for name, value in state.items() if isinstance(state, dict) else ():
        if value is part:
            return f".{name}"
    for kind in type(owner).__mro__:
        for name in kind.__dict__.get("__slots__", ()):
            if isinstance(name, str) and getattr(owner, name, None) is part:
                return f".{name}"
    return ""


def _key(key: object) -> str:
    return repr(key) if type(key) in (str, int, float, bool, bytes) else f"<{type(key).__name__}>"
