"""xarray: variables, arrays and data sets by dimensions, coordinates, attributes and values."""

import xarray as xr

from ezpyp.hashing.framing import tag
from ezpyp.hashing.walk import Children, Node, Walker

_VARIABLE = tag("xarray variable")
_ARRAY = tag("xarray array")
_DATASET = tag("xarray dataset")


def walk_variable(w: Walker, variable: xr.Variable) -> Children:
    """A variable: dimensions, attributes, values. How a file encoded it does not count."""
    if w.met(variable):
        return
    w.emit(_VARIABLE)
    parts = (type(variable), variable.dims, dict(variable.attrs), variable.values)
    w.keep.append(parts)
    yield from parts


def walk_data_array(w: Walker, array: xr.DataArray) -> Children:
    """A data array: name, its variable, coordinates in order."""
    if w.met(array):
        return
    w.emit(_ARRAY)
    parts = (type(array), array.name, array.variable, _coordinates(array))
    w.keep.append(parts)
    yield from parts


def walk_dataset(w: Walker, dataset: xr.Dataset) -> Children:
    """A data set: attributes, coordinates and data variables in order."""
    if w.met(dataset):
        return
    w.emit(_DATASET)
    data = [(name, dataset.variables[name]) for name in dataset.data_vars]
    parts = (type(dataset), dict(dataset.attrs), _coordinates(dataset), data)
    w.keep.append(parts)
    yield from parts


def _coordinates(value: xr.DataArray | xr.Dataset) -> list[tuple[object, object, bool]]:
    return [(name, coordinate.variable, name in value.indexes) for name, coordinate in value.coords.items()]


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is one of xarray's."""
    if kind is xr.Variable:
        return walk_variable
    if kind is xr.DataArray:
        return walk_data_array
    return walk_dataset if kind is xr.Dataset else None
