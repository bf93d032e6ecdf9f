"""SciPy: sparse arrays and matrices by format, shape and entries; what is remembered about them does not count."""

from scipy import sparse  # type: ignore[import-untyped]  # its types are another package

from ezpyp.hashing.framing import count, tag, text
from ezpyp.hashing.walk import Children, Node, Walker

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


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is a sparse array."""
    return walk_sparse if issubclass(kind, sparse.sparray | sparse.spmatrix) else None
