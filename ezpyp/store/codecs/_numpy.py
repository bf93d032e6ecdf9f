"""Numpy's own file format, written and loaded without a copy.

Source: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html (NEP 1). The header is written here,
because numpy's public writers copy the data or write version 1.0 only.
"""

import struct
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ezpyp.errors import CodecError
from ezpyp.store.codecs._protocol import Buffer

if TYPE_CHECKING:
    import numpy

    Array = numpy.ndarray[Any, numpy.dtype[Any]]

_MAGIC = b"\x93NUMPY"
_ALIGNMENT = 64
_ENCODINGS = {1: "latin1", 2: "latin1", 3: "utf8"}
_LENGTHS = {1: "<H", 2: "<I", 3: "<I"}


class NumpyCodec:
    """Plain arrays of any dtype but object, C or Fortran order kept."""

    name = "numpy"
    version = 1
    suffix = ".npy"
    title = "Numpy"

    def encode(self, value: object) -> Sequence[Buffer]:
        """The header and the array's own memory."""
        array = _plain_array(value)
        fortran = array.flags.f_contiguous and not array.flags.c_contiguous
        rows = array.T if fortran else array
        header = _header(array, fortran)
        # As unsigned bytes: the buffer protocol knows neither datetime64 nor all structured dtypes.
        flat = rows.reshape(-1).view("u1")
        return [header, memoryview(flat)]

    def decode(self, data: memoryview) -> object:
        """An array over the data; a copy where the data is read-only."""
        import numpy

        described, start = _read_header(data)
        dtype = numpy.lib.format.descr_to_dtype(described["descr"])
        order = "F" if described["fortran_order"] else "C"
        shape = described["shape"]
        array: Array = numpy.ndarray(shape, dtype, buffer=data[start:], order=order)  # type: ignore[call-overload]
        if array.nbytes != len(data) - start:
            raise ValueError(f"the header says {array.nbytes} bytes of data, the file has {len(data) - start}")
        return array.copy(order="K") if data.readonly else array


def _plain_array(value: object) -> "Array":
    """The value as an array in one piece, or CodecError with what .npy would lose."""
    numpy = sys.modules.get("numpy")
    kinds = () if numpy is None else (numpy.ndarray, numpy.memmap)
    if type(value) not in kinds:
        raise CodecError(f"the result is a {type(value).__qualname__}, not a plain numpy array")
    array: Array = numpy.asarray(value)  # type: ignore[union-attr]  # kinds were found
    dtype = array.dtype
    if dtype.hasobject:
        raise CodecError(f"an array of dtype {dtype} holds Python objects")
    described = numpy.lib.format.dtype_to_descr(dtype)  # type: ignore[union-attr]
    if dtype.itemsize == 0 or dtype.metadata or numpy.lib.format.descr_to_dtype(described) != dtype:  # type: ignore[union-attr]
        raise CodecError(f"the .npy format does not keep the dtype {dtype}")
    if array.flags.c_contiguous or array.flags.f_contiguous:
        return array
    return numpy.ascontiguousarray(array)  # type: ignore[union-attr,no-any-return]


def _header(array: "Array", fortran: bool) -> bytes:
    import numpy

    descr = numpy.lib.format.dtype_to_descr(array.dtype)
    text = repr({"descr": descr, "fortran_order": fortran, "shape": array.shape})
    version = _version(text)
    encoded = text.encode(_ENCODINGS[version])
    length = struct.calcsize(_LENGTHS[version])
    padding = -(len(_MAGIC) + 2 + length + len(encoded) + 1) % _ALIGNMENT
    encoded += b" " * padding + b"\n"
    return _MAGIC + bytes([version, 0]) + struct.pack(_LENGTHS[version], len(encoded)) + encoded


def _version(text: str) -> int:
    """The lowest format version that can hold the header."""
    if not text.isascii():
        return 3
    return 1 if len(text) + _ALIGNMENT < 1 << 16 else 2


def _read_header(data: memoryview) -> tuple[dict[str, Any], int]:
    """The description in the header, and where the data starts."""
    import ast

    if data[: len(_MAGIC)] != _MAGIC or data[6] not in _ENCODINGS:
        raise ValueError("the bytes are no .npy file")
    version = data[6]
    (length,) = struct.unpack_from(_LENGTHS[version], data, 8)
    start = 8 + struct.calcsize(_LENGTHS[version])
    text = bytes(data[start : start + length]).decode(_ENCODINGS[version])
    return ast.literal_eval(text), start + length
