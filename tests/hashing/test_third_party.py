"""Values of other packages: by content, whatever their memory looks like inside."""

import copy
import pickle
from datetime import date
from decimal import Decimal

import attrs
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import xarray as xr
from scipy import sparse

from ezpyp.hashing.encode import value_digest

FRAME = pd.DataFrame({"a": [1.0, 2.0], "b": [3, 4], "c": ["x", None]}, index=[5, 6])
SERIES = pd.Series([1, 2, 3], name="s")
DATASET = xr.Dataset({"t": (("x", "y"), np.eye(2))}, coords={"x": [1, 2]}, attrs={"unit": "K"})


@attrs.define
class Slotted:
    a: int
    b: list


@attrs.frozen
class Frozen:
    a: int


class Signal(np.ndarray):
    __slots__ = ()


DIFFERENT = {
    "class of an array": (np.arange(3), np.arange(3).view(Signal)),
    "frame value": (FRAME, FRAME.assign(a=[1.0, 2.5])),
    "frame dtype": (FRAME, FRAME.astype({"b": "float64"})),
    "frame column name": (FRAME, FRAME.rename(columns={"a": "z"})),
    "frame column order": (FRAME, FRAME[["b", "a", "c"]]),
    "frame index": (FRAME, FRAME.set_axis([5, 7])),
    "frame index name": (FRAME, FRAME.rename_axis("i")),
    "frame text": (FRAME, FRAME.assign(c=["x", "y"])),
    "series name": (SERIES, SERIES.rename("t")),
    "series and frame": (SERIES, SERIES.to_frame()),
    "range index": (SERIES, SERIES.set_axis([0, 1, 2])),
    "categories": (pd.Categorical(["a"], ["a", "b"]), pd.Categorical(["a"], ["a", "c"])),
    "ordered": (pd.Categorical(["a"], ["a"], ordered=True), pd.Categorical(["a"], ["a"])),
    "masked integers": (pd.array([1, None]), pd.array([1, 2])),
    "time zone": (pd.Series(pd.to_datetime(["2020"]).tz_localize("UTC")), pd.Series(pd.to_datetime(["2020"]))),
    "timestamps": (pd.Timestamp(1, unit="ns"), pd.Timestamp(2, unit="ns")),
    "interval": (pd.interval_range(0, 2), pd.interval_range(0, 2, closed="left")),
    "period": (pd.period_range("2020", periods=2, freq="D"), pd.period_range("2020", periods=2, freq="h")),
    "multi index": (pd.MultiIndex.from_tuples([(1, 2)]), pd.MultiIndex.from_tuples([(1, 3)])),
    "sparse series": (pd.arrays.SparseArray([0, 1]), pd.arrays.SparseArray([1, 0])),
    "arrow value": (pa.table({"a": [1, 2]}), pa.table({"a": [1, 3]})),
    "arrow type": (pa.table({"a": [1]}), pa.table({"a": pa.array([1], pa.int32())})),
    "arrow null": (pa.array([1, None]), pa.array([1, 0])),
    "arrow metadata": (pa.schema([("a", pa.int8())]), pa.schema([("a", pa.int8())], {"k": "v"})),
    "polars value": (pl.DataFrame({"a": [1]}), pl.DataFrame({"a": [2]})),
    "polars dtype": (pl.Series("a", [1]), pl.Series("a", [1], pl.Int8)),
    "polars lazy frame": (pl.DataFrame({"a": [1]}).lazy(), pl.DataFrame({"a": [2]}).lazy()),
    "polars plan": (pl.DataFrame({"a": [1]}).lazy(), pl.DataFrame({"a": [1]}).lazy().filter(pl.col("a") > 0)),
    "polars name": (pl.Series("a", [1]), pl.Series("b", [1])),
    "polars text": (pl.Series("a", ["x", None]), pl.Series("a", ["x", "y"])),
    "polars null": (pl.Series("a", [1, None]), pl.Series("a", [None, 1])),
    "polars split of texts": (pl.Series("a", ["ab", "c"]), pl.Series("a", ["a", "bc"])),
    "polars bytes": (pl.Series("a", [b"\xff"]), pl.Series("a", [b"\xfe"])),
    "polars empty list": (pl.Series("a", [[1], []]), pl.Series("a", [[], [1]])),
    "polars empty list and null": (pl.Series("a", [[1], []]), pl.Series("a", [[1], None])),
    "polars array": (pl.Series("a", [[1, 2]], pl.Array(pl.Int64, 2)), pl.Series("a", [[1, 3]], pl.Array(pl.Int64, 2))),
    "polars struct": (pl.Series("a", [{"b": 1, "c": None}]), pl.Series("a", [{"b": None, "c": 1}])),
    "polars flags": (pl.Series("a", [True, None]), pl.Series("a", [False, None])),
    "polars decimal": (pl.Series("a", [Decimal("1.5")]), pl.Series("a", [Decimal("2.5")])),
    "polars date": (pl.Series("a", [date(2020, 1, 1)]), pl.Series("a", [date(2020, 1, 2)])),
    "masked constant": (np.ma.masked, np.ma.array(0.0, mask=True)),
    "polars and its column": (pl.DataFrame({"a": [1]}), pl.Series("a", [1])),
    "sparse value": (sparse.csr_array(np.eye(2)), sparse.csr_array(np.eye(2) * 2)),
    "sparse format": (sparse.csr_array(np.eye(2)), sparse.csc_array(np.eye(2))),
    "sparse shape": (sparse.coo_array((2, 3)), sparse.coo_array((3, 2))),
    "sparse matrix": (sparse.csr_array(np.eye(2)), sparse.csr_matrix(np.eye(2))),
    "data set value": (DATASET, DATASET + 1),
    "data set attribute": (DATASET, DATASET.assign_attrs(unit="C")),
    "data set coordinate": (DATASET, DATASET.assign_coords(x=[1, 3])),
    "data array name": (DATASET.t, DATASET.t.rename("u")),
    "attrs class": (Slotted(1, [2]), Slotted(1, [3])),
    "frozen attrs class": (Frozen(1), Frozen(2)),
}


def consolidated(frame):
    return pd.concat([frame[[name]] for name in frame.columns], axis=1)


def warmed(frame):
    frame = frame.copy()
    frame.index.is_unique, frame.columns.get_loc("a"), frame.sum(numeric_only=True)
    return frame


def checked(matrix):
    assert matrix.has_sorted_indices
    return matrix


LONG = "a text that is too long for a view"
MOMENT = pd.Timestamp("2020")
DAY = pd.offsets.Day(2)
MASKED = pd.array([1, 2, 3], "Int64")
EQUAL = {
    "frame in other blocks": (FRAME, consolidated(FRAME)),
    "frame after use": (FRAME, warmed(FRAME)),
    "frame of a row-major array": (pd.DataFrame(np.eye(3)), pd.DataFrame(np.asfortranarray(np.eye(3)))),
    "masked garbage": (pd.array([1, None], "Int64"), MASKED.take([0, 1]).copy() * pd.array([1, None], "Int64")),
    "arrow chunks": (pa.chunked_array([[1, 2], [3]]), pa.chunked_array([[1], [2, 3]])),
    "arrow slice": (pa.table({"a": [1, 2, 3]}).slice(1), pa.table({"a": [2, 3]})),
    "arrow text slice": (pa.array(["x", "yy", "z"]).slice(1), pa.array(["yy", "z"])),
    "polars chunks": (pl.concat([pl.Series("a", [1]), pl.Series("a", [2])], rechunk=False), pl.Series("a", [1, 2])),
    "polars sorted flag": (pl.Series("a", [1, 2]).sort(), pl.Series("a", [1, 2])),
    "polars slice": (pl.Series("a", ["x", "y", "z"])[1:], pl.Series("a", ["y", "z"])),
    "polars slice with a null": (pl.Series("a", [1, None, 2])[1:], pl.Series("a", [None, 2])),
    "polars value under a null": (
        pl.Series("a", [5, 2]).set(pl.Series([True, False]), None),
        pl.Series("a", [None, 2]),
    ),
    "polars filtered nulls": (pl.Series("a", [1, None, 2]).drop_nulls(), pl.Series("a", [1, 2])),
    "polars sorted texts": (pl.Series("a", [LONG + "b", LONG]).sort(), pl.Series("a", [LONG, LONG + "b"])),
    "polars gathered texts": (pl.Series("a", ["x", LONG, LONG + "c"])[[2, 1]], pl.Series("a", [LONG + "c", LONG])),
    "polars slice of flags": (pl.Series("a", [True, False, None])[1:], pl.Series("a", [False, None])),
    "polars slice of lists": (pl.Series("a", [[1], [2, None]])[1:], pl.Series("a", [[2, None]])),
    "polars slice of structs": (pl.Series("a", [{"b": 1}, {"b": 2}])[1:], pl.Series("a", [{"b": 2}])),
    "polars slice of decimals": (pl.Series("a", [Decimal(1), Decimal("2.5")])[1:], pl.Series("a", [Decimal("2.5")])),
    "shared timestamp": ([MOMENT, MOMENT], [pd.Timestamp("2020"), pd.Timestamp("2020")]),
    "shared offset": ([DAY, DAY], [pd.offsets.Day(2), pd.offsets.Day(2)]),
    "sparse after use": (sparse.csr_array(np.eye(2)), checked(sparse.csr_array(np.eye(2)))),
    "data set copied": (DATASET, DATASET.copy(deep=True)),
}


@pytest.mark.parametrize("pair", DIFFERENT.values(), ids=DIFFERENT)
def test_different_values_have_different_digests(pair):
    one, two = map(value_digest, pair)
    assert one != two


@pytest.mark.parametrize("pair", EQUAL.values(), ids=EQUAL)
def test_equal_values_have_equal_digests(pair):
    one, two = map(value_digest, pair)
    assert one == two


@pytest.mark.parametrize("value", [pair[0] for pair in DIFFERENT.values()], ids=DIFFERENT)
def test_copies_and_pickles_keep_the_digest(value):
    assert value_digest(pickle.loads(pickle.dumps(value))) == value_digest(copy.deepcopy(value)) == value_digest(value)


def test_polars_counts_alike_without_numpy(monkeypatch):
    values = [pl.Series("a", [1, None]), pl.Series("a", ["x", None]), pl.Series("a", [[1.5], []])]
    digests = list(map(value_digest, values))
    monkeypatch.setattr("ezpyp.hashing.libraries.polars._has_numpy", lambda: False)
    assert list(map(value_digest, values)) == digests
