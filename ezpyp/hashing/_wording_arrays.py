"""Texts of arrays, tables and random generators that code reads. None of their packages is imported."""

from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from ezpyp.hashing._describe import describe
from ezpyp.hashing._secrets import is_secret

_PACKAGES = frozenset({"numpy", "pandas", "polars", "pyarrow", "scipy", "xarray", "torch"})
_TABLES = frozenset({"pandas", "polars"})
_SAID_BY_REPR = frozenset({"Timestamp", "Timedelta", "Period", "Interval", "datetime64", "timedelta64"})
_SMALL = 12
_COLUMNS = 100

DigestOf = Callable[[object], str]


def is_table(value: object) -> bool:
    """Tell whether a value is a data frame of a package that is known here."""
    kind = type(value)
    return kind.__module__.partition(".")[0] in _TABLES and kind.__name__ == "DataFrame"


def is_array(value: object) -> bool:
    """Tell whether a value is an array, a column or a generator of such a package, whose attributes are its own."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    return package in _TABLES or (package in _PACKAGES and (hasattr(kind, "dtype") or hasattr(kind, "shape")))


def table_text(value: object, digest_of: DigestOf) -> str:
    """Return the text of a data frame, column by column."""
    columns = [f"{name}: {array_text(column, digest_of, is_hidden=hidden)}" for name, column, hidden in _columns(value)]
    return f"DataFrame({{{', '.join(columns)}}})"


def _columns(table: Any) -> Iterator[tuple[str, object, bool]]:
    """Each column with its name as text, and whether it looks like a secret; a labelled index comes first."""
    is_pandas = hasattr(table, "iloc")
    if is_pandas and type(table.index).__name__ != "RangeIndex":
        yield "<index>", table.index, False
    for place, name in enumerate(table.columns[:_COLUMNS]):
        yield (
            describe(name) if type(name) in (str, int) else repr(describe(name)),
            _values(table.iloc[:, place]) if is_pandas else table.to_series(place),
            is_secret(name),
        )


def _values(series: Any) -> Any:
    """The values of a column of pandas without its index, which would count in each."""
    return series.to_numpy(copy=False) if type(series.dtype).__module__.startswith("numpy") else series.array


def array_text(value: object, digest_of: DigestOf, *, is_hidden: bool = False) -> str | None:
    """Return the text of an array, a column or a random generator; None for anything else.

    Args:
        value: Anything.
        digest_of: Gives what stands for its content.
        is_hidden: Whether its values must not be written down.
    """
    kind = type(value)
    if kind.__module__.partition(".")[0] not in _PACKAGES:
        return None
    if kind.__module__.startswith("numpy.random"):
        return marked(kind.__name__, _seed(value), digest_of(value))
    if kind.__name__ in _SAID_BY_REPR:
        return repr(value)
    dtype, shape = getattr(value, "dtype", None), getattr(value, "shape", None)
    if dtype is None or not isinstance(shape, tuple) or not shape:
        return None
    order = ["'order F'"] if _is_fortran(value) else []
    numbers = None if is_hidden else _numbers(value, shape)
    if numbers is not None:
        return marked(kind.__name__, [repr(str(dtype)), str(numbers), *order], "")
    return marked(kind.__name__, [repr(str(dtype)), str(tuple(shape)), *order], digest_of(value))


def _numbers(value: Any, shape: tuple[int, ...]) -> object:
    """The values of a small array of numbers; None of any other."""
    size, dtype = prod(shape), value.dtype
    if not 0 < size <= _SMALL:
        return None
    if getattr(dtype, "kind", "") in tuple("biuf") and hasattr(value, "tolist"):
        return value.tolist()
    is_polars = type(value).__module__.startswith("polars.")
    return value.to_list() if is_polars and dtype.is_numeric() else None


def _is_fortran(value: object) -> bool:
    flags = getattr(value, "flags", None) if type(value).__module__ == "numpy" else None
    return bool(flags is not None and flags.f_contiguous and not flags.c_contiguous)


def _seed(value: Any) -> list[str]:
    """Return the kind and the seed of a generator, where it knows it."""
    bits = getattr(value, "bit_generator", value)
    seeds = getattr(bits, "seed_seq", None) if type(bits).__module__.startswith("numpy.random") else None
    told = [repr(type(bits).__name__)] if bits is not value else []
    return told if seeds is None else [*told, describe(seeds.entropy), *map(describe, seeds.spawn_key)]


def marked(name: str, facts: list[str], digest: str) -> str:
    """Return the text of what is known by some facts, and by a digest where they do not say all."""
    return f"{name.replace('<locals>.', '')}({', '.join([*facts, *([repr('#' + digest)] if digest else [])])})"
