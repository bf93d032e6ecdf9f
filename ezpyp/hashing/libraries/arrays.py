"""NumPy's arrays, scalars and dtypes, SciPy's sparse arrays, PyTorch's tensors: by dtype, shape, order and values."""

import gc
import sys
from typing import Any

import numpy as np
from xxhash import xxh3_128

from ezpyp.hashing.objects import holder, walk_instance
from ezpyp.hashing.plain import count, digest, tag, text
from ezpyp.hashing.walk import Children, Node, Walker

_ARRAY = tag("ndarray")
_SCALAR = tag("numpy scalar")
_DTYPE = tag("dtype")
_MASKED = tag("masked array")
_RAW = tag("raw")
_FORTRAN = tag("fortran")
_FIELD = tag("field")
_UFUNC = tag("ufunc")
_GLOBAL_STATE = tag("global random state")
# The x87 number of 80 bits lies in 12 or 16 bytes; the rest is whatever was in memory.
_X87_BYTES = 10
# Memory in other layouts than C and Fortran is brought in order by so much at a time.
_PIECE_BYTES = 1 << 20


def walk_array(w: Walker, array: np.ndarray) -> Children:
    """An array: class, dtype, shape and values; C and Fortran order are told apart, other layouts count as C."""
    if w.met(array):
        return
    w.emit(_ARRAY)
    if type(array) is not np.ndarray:
        yield type(array)
    w.note_large(array, array.nbytes)
    yield from contents(w, array)
    # Which part of which file a memmap shows does not count: what is there does.
    yield None if type(array) is np.memmap else getattr(array, "__dict__", None)


def contents(w: Walker, array: np.ndarray) -> Children:
    """Dtype, shape, order and values of an array of any class."""
    array = array.view(np.ndarray)
    w.keep.append(array)
    yield array.dtype
    w.emit(count(array.ndim) + b"".join(map(count, array.shape)))
    if array.flags.f_contiguous and not array.flags.c_contiguous:
        w.emit(_FORTRAN)
        array = array.T
    if array.dtype.hasobject:
        yield array.tolist() if array.dtype.names is None else _fields(array)
        return
    _note_texts(w, array)
    if w.buffers is None or w.in_code:
        # A global that code reads is hashed for real each time: nothing checks it again but this very walk.
        w.emit(_RAW + values_digest(array))
    else:
        w.emit(_RAW + w.buffers.digest(array, values_digest))


def _note_texts(w: Walker, array: np.ndarray) -> None:
    if w.texts is not None and array.dtype.kind in "US":
        w.texts.extend(np.unique(array).tolist())
    for name in array.dtype.names or ():
        _note_texts(w, array[name])


def _fields(array: np.ndarray) -> list[object]:
    return [array[name].tolist() for name in array.dtype.names or ()]


def values_digest(array: np.ndarray) -> bytes:
    """Return the digest of the values of an array without objects, in C order, without copying them."""
    if array.size == 0:
        return digest(b"")
    dtype = array.dtype
    if dtype.names is not None and _has_padding(dtype):
        return digest(b"".join(_FIELD + values_digest(array[name]) for name in dtype.names))
    if dtype.kind in "fc" and _has_garbage(dtype):
        return digest(_significant(array))
    if not array.flags.c_contiguous and array.nbytes > _PIECE_BYTES:
        return _digest_in_pieces(array)
    flat = np.ascontiguousarray(array).reshape(-1)
    return digest(flat.view(np.uint8).data)


def _digest_in_pieces(array: np.ndarray) -> bytes:
    state = xxh3_128()
    length = _PIECE_BYTES // array.itemsize
    pieces = np.nditer(array, ["external_loop", "buffered"], ["readonly", "contig"], order="C", buffersize=length)  # type: ignore[call-overload]  # the stubs spell it "config"
    for piece in pieces:
        state.update(piece.view(np.uint8).data)
    return state.digest()


def _has_padding(dtype: np.dtype) -> bool:
    parts = [dtype[name] for name in dtype.names or ()]
    inner = any(part.base.names is not None and _has_padding(part.base) for part in parts)
    garbage = any(part.base.kind in "fc" and _has_garbage(part.base) for part in parts)
    return inner or garbage or sum(part.itemsize for part in parts) != dtype.itemsize


def _has_garbage(dtype: np.dtype) -> bool:
    return dtype.itemsize > (8 if dtype.kind == "f" else 16) and np.finfo(dtype).nmant == 63


def _significant(array: np.ndarray) -> bytes:
    size = array.dtype.itemsize // (1 if array.dtype.kind == "f" else 2)
    raw = np.ascontiguousarray(array).reshape(-1).view(np.uint8).reshape(-1, size)
    return raw[:, :_X87_BYTES].tobytes()


def walk_masked(w: Walker, array: np.ma.MaskedArray) -> Children:
    """A masked array: values (hidden ones too), mask, fill value."""
    if array is np.ma.masked:
        # The one hidden value that indexing gives; nothing of it can be written.
        w.emit(_MASKED + text("masked"))
        return
    if w.met(array):
        return
    w.emit(_MASKED)
    yield type(array)
    yield from contents(w, array)
    mask = array.mask
    w.keep.append(mask)
    yield mask if mask is np.ma.nomask else np.asarray(mask)
    yield array.hardmask
    yield np.asarray(array.fill_value)


def walk_scalar(w: Walker, value: np.generic) -> Children:
    """A NumPy scalar: dtype and value."""
    w.emit(_SCALAR)
    array = np.asarray(value)
    w.keep.append(array)
    yield array.dtype
    if array.dtype.hasobject:
        yield array.tolist()
    else:
        _note_texts(w, array)
        w.emit(values_digest(array.reshape(1)))


def walk_dtype(w: Walker, dtype: np.dtype) -> Children:
    """A dtype: a plain one by its text, others by their parts."""
    w.emit(_DTYPE)
    if dtype.kind not in "VT" and dtype.metadata is None:
        yield dtype.str
        return
    yield dtype.kind
    yield dtype.itemsize
    yield dtype.isalignedstruct
    yield dict(dtype.metadata) if dtype.metadata else None
    yield dtype.subdtype
    if dtype.kind == "T":
        yield (repr(getattr(dtype, "na_object", "no missing value")), getattr(dtype, "coerce", True))
    for name, field in (dtype.fields or {}).items():
        yield (name, *field)


def walk_ufunc(w: Walker, function: np.ufunc) -> Children:
    """A universal function: a library's by name; one made of a function (np.frompyfunc) by that."""
    module = holder(function, function.__name__)
    made_of = [part for part in gc.get_referents(function) if callable(part)]
    if (module is not None and not w.policy.is_user_module(module.__name__)) or not made_of:
        yield from walk_instance(w, function)
    elif not w.met(function):
        w.emit(_UFUNC)
        yield (function.nin, function.nout, function.identity)
        yield from made_of


def walk_random_state(w: Walker, state: np.random.RandomState) -> Children:
    """A generator by its state; the one that all share is another in every process, unless the script seeds it."""
    if state is not sys.modules["numpy.random.mtrand"]._rand:
        yield from walk_instance(w, state)
        return
    w.emit(_GLOBAL_STATE)
    if w.observer is not None:
        w.observer.untracked("NumPy's global random state")


_SPARSE = tag("sparse")
_PARTS = {
    "csr": ("data", "indices", "indptr"),
    "csc": ("data", "indices", "indptr"),
    "bsr": ("data", "indices", "indptr"),
    "coo": ("data", "coords"),
    "dia": ("data", "offsets"),
    "lil": ("data", "rows"),
}


def walk_sparse(w: Walker, value: object) -> Children:
    """A sparse array: class, shape, and the arrays of its format."""
    if w.met(value):
        return
    form: str = value.format  # type: ignore[attr-defined]  # sparse arrays have it
    w.emit(_SPARSE + text(form))
    yield type(value)
    yield tuple(map(int, value.shape))  # type: ignore[attr-defined]  # the same
    if form == "dok":
        items = dict(value.items())  # type: ignore[attr-defined]  # a dict of keys
        w.emit(count(len(items)))
        yield items
        return
    yield tuple(getattr(value, name) for name in _PARTS[form])


_TENSOR = tag("tensor")
_GRADIENT = tag("gradient")
_GENERATOR = tag("torch generator")


def walk_tensor(w: Walker, tensor: Any) -> Children:
    """A tensor: class, dtype, device, shape, whether it asks for a gradient, and values."""
    if w.met(tensor):
        return
    reason = _reason_to_refuse(tensor)
    if reason:
        w.refuse(tensor, reason)
        return
    w.emit(_TENSOR + text(str(tensor.dtype)) + text(str(tensor.device)) + text(str(tensor.layout)))
    yield type(tensor)
    yield (tuple(tensor.shape), tensor.requires_grad)
    flat = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous().reshape(-1)
    # Seen as bytes, since NumPy knows no bfloat16.
    w.emit(digest(flat.view(sys.modules["torch"].uint8).numpy().data if flat.numel() else b""))
    # A parameter's own copies and pickles leave its gradient behind, so no step ever sees it.
    if not isinstance(tensor, sys.modules["torch"].nn.Parameter) and tensor.is_leaf and tensor.grad is not None:
        w.emit(_GRADIENT)
        yield tensor.grad


def _reason_to_refuse(tensor: Any) -> str:
    if tensor.is_nested or tensor.layout is not sys.modules["torch"].strided:
        return "only dense tensors have a plain memory to hash; pass .to_dense()"
    if tensor.is_quantized:
        return "the numbers of a quantized tensor mean nothing without their scale; pass .dequantize(), or both"
    return "a meta tensor has no values; pass its shape and dtype" if tensor.is_meta else ""


def walk_generator(w: Walker, generator: Any) -> Children:
    """A random generator: device and state."""
    w.emit(_GENERATOR + text(str(generator.device)))
    yield generator.get_state()


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is an array, a tensor, or what belongs to them.

    The libraries are looked up, not imported: SciPy or PyTorch are there if a value of theirs is.
    """
    return {"scipy": _of_scipy, "torch": _of_torch}.get(kind.__module__.partition(".")[0], _of_numpy)(kind)


def _of_numpy(kind: type) -> Node | None:
    if kind is np.ma.MaskedArray:
        return walk_masked
    if kind is np.ndarray:
        return walk_array
    if kind is np.generic:
        return walk_scalar
    if kind is np.ufunc:
        return walk_ufunc
    if (kind.__module__, kind.__qualname__) == ("numpy.random.mtrand", "RandomState"):
        return walk_random_state
    return walk_dtype if kind is np.dtype else None


def _of_scipy(kind: type) -> Node | None:
    sparse: Any = sys.modules.get("scipy.sparse")
    return walk_sparse if sparse is not None and issubclass(kind, sparse.sparray | sparse.spmatrix) else None


def _of_torch(kind: type) -> Node | None:
    torch: Any = sys.modules["torch"]
    if kind is torch.Tensor:
        return walk_tensor
    return walk_generator if kind is torch.Generator else None
