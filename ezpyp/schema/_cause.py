"""One difference between two recorded steps, as data and in a line."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that differs.

    Attributes:
        kind: "argument", "dependency" (it needs other steps, or other parts of their results), "upstream" (a step that
            it needs changed), "codec", "setting", "python", or a kind of `ezpyp.hashing.Change`: "constant",
            "helper", "method", "default", "global", "closure", "class", ...
        text: The difference in one line.
        name: What differs: a function, the path of an argument (``x[2]``), an upstream step, a setting.
        file: Where it stands, for code.
        line: Line there, 0 where unknown.
        old: What it was; "" for what is new.
        new: What it is; "" for what is gone.
    """

    kind: str
    text: str
    name: str
    file: str = ""
    line: int = 0
    old: str = ""
    new: str = ""
