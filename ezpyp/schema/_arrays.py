"""Texts of arrays and tables: type, dtype and shape, and a digest a column. None of their packages is imported."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ezpyp.hashing import describe, short_digest

_PACKAGES = frozenset({"numpy", "pandas", "polars", "pyarrow", "scipy", "xarray", "torch"})
_TABLES = frozenset({"pandas", "polars"})


def _package(value: object) -> str:
    return type(value).__module__.partition(".")[0]


def is_table(value: object) -> bool:
    """Whether it is a data frame of a package that is known here."""
    return _package(value) in _TABLES and type(value).__name__ == "DataFrame"


def array_text(value: object) -> str | None:
    """``ndarray float64 (3, 4) #...``, or ``float64(0.5)`` for one of numpy's numbers; None for anything else."""
    if _package(value) not in _PACKAGES or is_table(value):
        return None
    kind = type(value).__name__
    text = describe(value)
    if getattr(value, "shape", None) == () and not text.startswith("<") and not text.endswith("..."):
        return f"{kind}({text})"
    facts = [str(fact) for fact in (getattr(value, "dtype", None), _shape(value)) if fact is not None]
    return f"{' '.join([kind, *facts])} #{short_digest(value)}"


def table_text(value: object) -> str:
    """``DataFrame (3, 2)``."""
    return f"{type(value).__name__} {_shape(value)}"


def _shape(value: object) -> tuple[object, ...] | None:
    shape = getattr(value, "shape", None)
    return tuple(shape) if isinstance(shape, tuple) else None


def table_parts(value: Any) -> Iterator[tuple[str, object, object]]:
    """The columns of a data frame, each by itself, and its index."""
    for place, name in enumerate(value.columns):
        # The index would count in each column of it.
        column = value.iloc[:, place].reset_index(drop=True) if hasattr(value, "iloc") else value.to_series(place)
        yield f"[{describe(name)}]", name, column
    if hasattr(value, "index"):
        yield ".index", "index", value.index
