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
    """``ndarray float64 (3, 4) #...``, or ``float64(0.5)`` for one of numpy's numbers; None for anything else.

    Of Fortran's order, which counts, ``order F`` stands behind the shape; a random generator has its seed.
    """
    if _package(value) not in _PACKAGES or is_table(value):
        return None
    kind = type(value).__name__
    if type(value).__module__.startswith("numpy.random"):
        return f"{kind}{_seed(value)} #{short_digest(value)}"
    text = describe(value)
    if getattr(value, "shape", None) == () and not text.startswith("<") and not text.endswith("..."):
        return f"{kind}({text})"
    facts = [str(fact) for fact in (getattr(value, "dtype", None), _shape(value)) if fact is not None]
    facts += ["order F"] if _is_fortran(value) else []
    return f"{' '.join([kind, *facts])} #{short_digest(value)}"


def _is_fortran(value: object) -> bool:
    flags = getattr(value, "flags", None) if _package(value) == "numpy" else None
    return bool(flags is not None and flags.f_contiguous and not flags.c_contiguous)


def _seed(value: Any) -> str:
    """``(PCG64, seed 1)`` of a generator; "" where it does not know its seed."""
    bits = getattr(value, "bit_generator", value)
    seeds = getattr(bits, "seed_seq", None) if type(bits).__module__.startswith("numpy.random") else None
    if seeds is None:
        return ""
    told = [type(bits).__name__] if bits is not value else []
    told.append(f"seed {describe(seeds.entropy)}")
    told += [f"spawned as {describe(seeds.spawn_key)}"] if seeds.spawn_key else []
    return f"({', '.join(told)})"


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
