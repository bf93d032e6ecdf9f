"""Numpy's own file format, written and loaded without a copy.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html (NEP 1). The header is written
and read here, because numpy's public functions for it copy the data, want a file, or know version 1.0 only.
"""

import struct
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from ezpyp.errors import CodecError
from ezpyp.store.codecs.protocol import Buffer

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, np.dtype[Any]]


_MAGIC = b"\x93NUMPY"
_ALIGNMENT = 64
# By the first number of the version: how the length of the header is written, and its text.
_LENGTH = {1: struct.Struct("<H"), 2: struct.Struct("<I"), 3: struct.Struct("<I")}
_TEXT = {1: "latin1", 2: "latin1", 3: "utf8"}


class NumpyCodec:
    """Plain arrays of any dtype that is no object, in C or Fortran order."""

    name = "numpy"
    version = 1
    suffix = ".npy"
    title = "Numpy"

    def encode(self, value: object) -> Sequence[Buffer]:
        """The header, and the array's own memory."""
        array = _storable_array(value)
        is_fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        rows = array.T if is_fortran else array
        # As unsigned bytes: the buffer protocol knows neither datetime64 nor every structured dtype.
        data = rows.reshape(-1).view("u1")
        return [_header(array, is_fortran), memoryview(data)]  # type: ignore[arg-type]  # a buffer since ever

    def decode(self, data: memoryview) -> object:
        """An array over the data; a copy where the data is read-only."""
        import numpy as np

        described, start = _read_header(data)
        dtype, order, shape = described
        array: Array = np.ndarray(shape, dtype, buffer=data[start:], order=order)
        if start + array.nbytes != len(data):
            raise ValueError(f"the header tells of {array.nbytes} bytes, {len(data) - start} follow it")
        return array.copy(order="K") if data.readonly else array


def _storable_array(value: object) -> "Array":
    """The value as an array in one piece of memory; CodecError where the format would lose something."""
    # Subclasses (masked arrays, matrices, records) would come back as plain arrays; a memmap is meant to.
    if "numpy" not in sys.modules or type(value) not in _array_types():
        raise CodecError(f"the result is a {type(value).__qualname__}, no plain numpy array")
    import numpy as np

    array: Array = np.asarray(value)
    if not _is_kept(array.dtype):
        raise CodecError(f"the .npy format does not keep the dtype {array.dtype}")
    is_one_piece = array.flags.c_contiguous or array.flags.f_contiguous
    return array if is_one_piece else np.ascontiguousarray(array)


def _array_types() -> tuple[type, ...]:
    import numpy as np

    return np.ndarray, np.memmap


def _is_kept(dtype: "np.dtype[Any]") -> bool:
    if dtype.hasobject or dtype.itemsize == 0 or dtype.metadata:
        return False
    return _description(dtype) is not None


# Cached, as the reading of a header: a sweep's results are alike, and this is most of a small array's time.
@lru_cache(maxsize=256)
def _description(dtype: "np.dtype[Any]") -> object:
    """What the header says of a dtype; None where it would be read as another."""
    import numpy as np

    description = np.lib.format.dtype_to_descr(dtype)
    return description if np.lib.format.descr_to_dtype(description) == dtype else None


def _header(array: "Array", is_fortran: bool) -> bytes:
    description = {"descr": _description(array.dtype), "fortran_order": is_fortran, "shape": array.shape}
    text = repr(description)
    version = _lowest_version(text)
    body = text.encode(_TEXT[version])
    before = len(_MAGIC) + 2 + _LENGTH[version].size
    body += b" " * (-(before + len(body) + 1) % _ALIGNMENT) + b"\n"
    return _MAGIC + bytes([version, 0]) + _LENGTH[version].pack(len(body)) + body


def _lowest_version(header: str) -> int:
    if not header.isascii():
        return 3
    return 1 if len(header) + _ALIGNMENT < 1 << 16 else 2


def _read_header(data: memoryview) -> tuple["_Described", int]:
    """What the header describes, and where the data begins."""
    if data[:6] != _MAGIC or data[6] not in _LENGTH:
        raise ValueError("it does not begin as a .npy file")
    version = data[6]
    (length,) = _LENGTH[version].unpack_from(data, 8)
    start = 8 + _LENGTH[version].size
    return _parsed(bytes(data[start : start + length]).decode(_TEXT[version])), start + length


@lru_cache(maxsize=256)
def _parsed(header: str) -> "_Described":
    import ast

    import numpy as np

    described = ast.literal_eval(header)
    if not isinstance(described, dict) or described.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError("its header is no description of an array")
    dtype = np.lib.format.descr_to_dtype(described["descr"])
    if dtype.hasobject:
        # The bytes would be taken for addresses: a segmentation fault, not an exception.
        raise ValueError("its header tells of Python objects")
    return _Described(dtype, "F" if described["fortran_order"] else "C", described["shape"])


class _Described(NamedTuple):
    dtype: "np.dtype[Any]"
    order: Literal["C", "F"]
    shape: tuple[int, ...]
