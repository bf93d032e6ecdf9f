"""Objects that say of themselves that they are a global: whether they are, and whose."""

import sys
from types import ModuleType


def holder(value: object, name: str) -> ModuleType | None:
    """Return the module that holds ``value`` under ``name``, as pickle would find it; None where there is none.

    Example:
        >>> holder(sys, "sys") is not None
        True
    """
    for place in (getattr(value, "__module__", None), type(value).__module__):
        module = sys.modules.get(place) if isinstance(place, str) else None
        if module is not None and _holds(module, name, value):
            return module
    return next((module for module in list(sys.modules.values()) if _holds(module, name, value)), None)


def _holds(module: object, name: str, value: object) -> bool:
    if not isinstance(module, ModuleType):
        return False
    first, *rest = name.split(".")
    found = vars(module).get(first)
    for part in rest:
        found = vars(found).get(part) if isinstance(found, type) else None
    return found is value
