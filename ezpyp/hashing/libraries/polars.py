"""Polars: frames and series by names, dtypes and values; chunks, offsets and what lies under nulls do not count."""

import re
from array import array
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec

import polars as pl
from xxhash import xxh3_128

from ezpyp.hashing.files import Anything
from ezpyp.hashing.plain import count, digest, tag, text
from ezpyp.hashing.walk import Children, Node, Walker

_FRAME = tag("polars frame")
_SERIES = tag("polars series")
_LAZY = tag("polars lazy frame")
_PART = tag("part")
# As a line of a plan says it: "Csv SCAN [data.csv]".
_SCAN = re.compile(r"^\s*\w+ SCAN\b", re.MULTILINE)
# Texts of so many rows are joined at a time.
_ROWS = 1 << 17
_CODES = {"Int8": "b", "Int16": "h", "Int32": "i", "Int64": "q", "Float32": "f", "Float64": "d"} | {
    "UInt8": "B", "UInt16": "H", "UInt32": "I", "UInt64": "Q",
}  # fmt: skip


def walk_frame(w: Walker, frame: pl.DataFrame) -> Children:
    """A frame: its columns in order."""
    w.emit(_FRAME + count(frame.width) + count(frame.height))
    yield type(frame)
    yield from frame.get_columns()


def walk_series(w: Walker, series: pl.Series) -> Children:
    """A series: name, dtype and values."""
    w.emit(_SERIES + text(series.name) + text(repr(series.dtype)) + count(len(series)))
    yield type(series)
    if series.dtype == pl.Object:
        yield series.to_list()
        return
    if w.texts is not None:
        plain = series.dtype == pl.String
        w.texts.extend(
            series.unique().drop_nulls().to_list() if plain else [Anything] if series.dtype.is_nested() else []
        )
    w.emit(b"".join(_PART + part for part in _parts(series)))


def _parts(series: pl.Series) -> Iterator[bytes]:
    """Return digests of a column's values: which are null, then those that are not."""
    if series.null_count():
        known = series.is_not_null()
        yield _digest_of(known.cast(pl.UInt8))
        series = series.filter(known)
    dtype = series.dtype
    if dtype.is_nested():
        yield from _parts_of_nested(series)
    elif isinstance(dtype, pl.Binary):
        yield from _texts(series)
    elif isinstance(dtype, pl.Boolean):
        yield _digest_of(series.cast(pl.UInt8))
    elif (dtype.is_numeric() and not _is_wide(dtype)) or dtype.is_temporal():
        yield _digest_of(series.to_physical())
    elif not isinstance(dtype, pl.Null):
        yield from _texts(series.cast(pl.String))


def _is_wide(dtype: pl.DataType) -> bool:
    """Tell whether a number has no plain form in memory everywhere, such as a decimal; its text is exact."""
    return str(dtype) not in _CODES


def _parts_of_nested(series: pl.Series) -> Iterator[bytes]:
    dtype = series.dtype
    if isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            yield from _parts(series.struct.field(field.name))
        return
    if isinstance(dtype, pl.List):
        lengths = series.list.len()
        yield _digest_of(lengths)
        # An empty list would be exploded to a null.
        series = series.filter(lengths > 0)
    yield from _parts(series.explode())


def _texts(series: pl.Series) -> Iterator[bytes]:
    """Return digests of the lengths and of all texts in a row."""
    is_text = series.dtype == pl.String
    yield _digest_of(series.str.len_bytes() if is_text else series.bin.size())
    state = xxh3_128()
    for start in range(0, len(series), _ROWS):
        piece = series[start : start + _ROWS]
        state.update(piece.str.join("").item().encode() if is_text else b"".join(piece.to_list()))
    yield state.digest()


def _digest_of(numbers: pl.Series) -> bytes:
    if not _has_numpy():
        # Slow, and the same bytes.
        return digest(array(_CODES[str(numbers.dtype)], numbers.to_list()))
    return digest(numbers.rechunk().to_numpy().data) if len(numbers) else digest(b"")


@cache
def _has_numpy() -> bool:
    return find_spec("numpy") is not None


def walk_lazy(w: Walker, frame: pl.LazyFrame) -> Children:
    """A lazy frame: its plan, with the frames that it holds; files that it would read are in no plan."""
    if _SCAN.search(frame.explain(optimized=False)):
        w.refuse(frame, "it reads files when it is collected; pass ezpyp.File(path) and scan it in the step")
    w.emit(_LAZY)
    yield frame.serialize()


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is a frame or series."""
    if kind is pl.LazyFrame:
        return walk_lazy
    if kind is pl.DataFrame:
        return walk_frame
    return walk_series if kind is pl.Series else None
