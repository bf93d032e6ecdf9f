"""Labelled data: pandas' frames, series and indexes column by column, xarray's arrays by dimension and coordinate."""

from typing import Any

import numpy as np
import pandas as pd  # type: ignore[import-untyped]  # its types are another package
from pandas.api.extensions import ExtensionArray  # type: ignore[import-untyped]  # the same

from ezpyp.hashing.plain import count, tag, text
from ezpyp.hashing.walk import Children, Node, Walker

_FRAME = tag("pandas frame")
_SERIES = tag("pandas series")
_INDEX = tag("pandas index")
_ARRAY = tag("pandas array")
# What a value takes, nearly always: asking a frame for its size in memory takes 100 us.
_BYTES = 8


def walk_frame(w: Walker, frame: pd.DataFrame) -> Children:
    """A frame: class, labels, attributes, then each column by dtype and values."""
    if w.met(frame):
        return
    w.note_large(frame, frame.size * _BYTES)
    w.emit(_FRAME + count(len(frame.columns)))
    yield type(frame)
    yield (frame.columns, frame.index, frame.attrs, frame.flags.allows_duplicate_labels)
    for place in range(len(frame.columns)):
        yield from _column(w, frame.iloc[:, place])


def walk_series(w: Walker, series: pd.Series) -> Children:
    """A series: class, name, index, attributes, values."""
    if w.met(series):
        return
    w.note_large(series, series.size * _BYTES)
    w.emit(_SERIES)
    yield type(series)
    yield (series.name, series.index, series.attrs, series.flags.allows_duplicate_labels)
    yield from _column(w, series)


def _column(w: Walker, series: pd.Series) -> Children:
    values = series.to_numpy(copy=False) if isinstance(series.dtype, np.dtype) else series.array
    # Views made here live as long as the walk, so that no later one gets their id.
    w.keep.append(values)
    yield values


def walk_index(w: Walker, index: pd.Index) -> Children:
    """An index: class, names, and what it is made of."""
    if w.met(index):
        return
    w.emit(_INDEX)
    yield type(index)
    yield list(index.names)
    parts = _index_parts(index)
    w.keep.append(parts)
    yield parts


def _index_parts(index: pd.Index) -> tuple[object, ...]:
    if isinstance(index, pd.RangeIndex):
        return (index.start, index.stop, index.step)
    if isinstance(index, pd.MultiIndex):
        return (list(index.levels), [np.asarray(codes) for codes in index.codes])
    values = index.to_numpy(copy=False) if isinstance(index.dtype, np.dtype) else index.array
    return (values, getattr(index, "freqstr", None))


def walk_extension(w: Walker, array: ExtensionArray) -> Children:
    """An extension array: class, dtype, and the plain arrays inside."""
    if w.met(array):
        return
    dtype = array.dtype
    storage = (getattr(dtype, "storage", None), repr(getattr(dtype, "na_value", None)))
    w.emit(_ARRAY + text(type(array).__qualname__) + text(str(dtype)))
    parts = (storage, *_array_parts(array))
    w.keep.append(parts)
    yield parts


def _array_parts(array: ExtensionArray) -> tuple[object, ...]:
    if isinstance(array, pd.Categorical):
        return (np.asarray(array.codes), array.categories, array.ordered)
    if isinstance(array, pd.arrays.IntervalArray):
        return (array.left, array.right, array.closed)
    if isinstance(array, pd.arrays.SparseArray):
        return (array.sp_values, array.sp_index.to_int_index().indices, array.fill_value, len(array))
    if isinstance(array, pd.arrays.DatetimeArray | pd.arrays.TimedeltaArray | pd.arrays.PeriodArray):
        return (array.asi8, getattr(array, "freqstr", None))
    if hasattr(array, "_mask") and hasattr(array, "_data"):
        return _masked(array._data, array._mask)
    if hasattr(array, "_pa_array"):
        return (array._pa_array,)
    return (np.asarray(array, dtype=object),)


def _masked(data: np.ndarray, mask: np.ndarray) -> tuple[object, ...]:
    if mask.any():
        # What lies under the mask is left over from earlier computations.
        data = data.copy()
        data[mask] = data.dtype.type()
    return (data, mask)


_VARIABLE = tag("xarray variable")
_ARRAY = tag("xarray array")
_DATASET = tag("xarray dataset")


def walk_variable(w: Walker, variable: Any) -> Children:
    """A variable: dimensions, attributes, values. How a file encoded it does not count."""
    if w.met(variable):
        return
    w.emit(_VARIABLE)
    parts = (type(variable), variable.dims, dict(variable.attrs), variable.values)
    w.keep.append(parts)
    yield from parts


def walk_data_array(w: Walker, array: Any) -> Children:
    """A data array: name, its variable, coordinates in order."""
    if w.met(array):
        return
    w.emit(_ARRAY)
    parts = (type(array), array.name, array.variable, _coordinates(array))
    w.keep.append(parts)
    yield from parts


def walk_dataset(w: Walker, dataset: Any) -> Children:
    """A data set: attributes, coordinates and data variables in order."""
    if w.met(dataset):
        return
    w.emit(_DATASET)
    data = [(name, dataset.variables[name]) for name in dataset.data_vars]
    parts = (type(dataset), dict(dataset.attrs), _coordinates(dataset), data)
    w.keep.append(parts)
    yield from parts


def _coordinates(value: Any) -> list[tuple[object, object, bool]]:
    return [(name, coordinate.variable, name in value.indexes) for name, coordinate in value.coords.items()]


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is a frame, a series, an index, or one of xarray's."""
    return _of_xarray(kind) if kind.__module__.partition(".")[0] == "xarray" else _of_pandas(kind)


def _of_xarray(kind: type) -> Node | None:
    ways: dict[str, Node] = {"Variable": walk_variable, "DataArray": walk_data_array, "Dataset": walk_dataset}
    return ways.get(kind.__name__)


def _of_pandas(kind: type) -> Node | None:
    if kind is pd.DataFrame:
        return walk_frame
    if kind is pd.Series:
        return walk_series
    if kind is pd.Index:
        return walk_index
    return walk_extension if kind is ExtensionArray else None
