"""One thing that a name leads to."""

from dataclasses import dataclass
from types import FunctionType


@dataclass(frozen=True, slots=True)
class Lead:
    """One thing that a name leads to.

    Attributes:
        name: Name as the code reads it.
        value: What it leads to; None where ``label`` stands for it.
        label: Says what counts where no value does: a library's name, a missing name; "" where only what the user
            hung on a library's class counts.
        kind: "global", "closure", "import", "library", "builtin" or "missing".
        file: Where it is defined, if not beside the code that reads it.
        package: The module that it was read from, where that is a library's.
    """

    name: str
    value: object = None
    label: str | None = None
    kind: str = "global"
    file: str = ""
    package: str = ""


def is_code(value: object) -> bool:
    """Tell whether a value is a function or class written in Python."""
    return isinstance(value, FunctionType | type)
