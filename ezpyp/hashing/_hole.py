"""The mark that stands where an upstream result will be put."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Hole:
    """Stands in an argument where an upstream result will be put.

    Args:
        index: Position in the step's list of upstream slots; from 0.
        path: Typed path of the part that is picked, outermost first; default: the whole result.

    Example:
        >>> Hole(0, (("item", "mean"),))
        Hole(index=0, path=(('item', 'mean'),))
    """

    index: int
    path: tuple[tuple[str, object], ...] = ()
