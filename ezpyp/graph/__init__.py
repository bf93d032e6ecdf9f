"""Dependencies between steps: phases, reduction, names, lookup. Pure: nothing here reads or writes."""

from ezpyp.graph._lookup import find_names
from ezpyp.graph._program import Builder, Program, slot_material
from ezpyp.graph._reduction import reduced

__all__ = ["Builder", "Program", "find_names", "reduced", "slot_material"]
