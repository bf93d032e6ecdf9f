"""Dependencies between steps: phases, reduction, names, lookup. Pure: nothing here reads or writes."""

from importlib import import_module
from typing import TYPE_CHECKING

from ezpyp.graph._lookup import find_names

if TYPE_CHECKING:
    from ezpyp.graph._program import Builder, Program, slot_material
    from ezpyp.graph._reduction import reduced

__all__ = ["Builder", "Program", "find_names", "reduced", "slot_material"]

_HOMES = {"Builder": "_program", "Program": "_program", "slot_material": "_program", "reduced": "_reduction"}


def __getattr__(name: str) -> object:
    """Import what is asked for: `ezpyp.inspect` looks names up, and need not wait 60 ms for all of `ezpyp.hashing`."""
    if name not in _HOMES:
        raise AttributeError(f"module 'ezpyp.graph' has no attribute {name!r}")
    value: object = getattr(import_module(f"ezpyp.graph.{_HOMES[name]}"), name)
    globals()[name] = value  # the next look-up does not come here
    return value
