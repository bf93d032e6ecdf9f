"""Polars: frames and series by names, dtypes and values; chunks do not count."""

import io

import polars as pl

from ezpyp.hashing._files import Anything
from ezpyp.hashing._framing import count, digest, tag, text
from ezpyp.hashing._walk import Children, Node, Walker

_FRAME = tag("polars frame")
_SERIES = tag("polars series")


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
    stream = io.BytesIO()
    # A column of its own, rebuilt in one chunk: flags like "sorted" stay behind.
    series.rechunk().alias("").to_frame().write_ipc_stream(stream)
    w.emit(digest(stream.getbuffer()))


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is a frame or series."""
    if kind is pl.DataFrame:
        return walk_frame
    return walk_series if kind is pl.Series else None
