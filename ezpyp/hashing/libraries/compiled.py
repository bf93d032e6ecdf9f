"""What libraries make of a user's function or class: the function and the options count, not what was compiled."""

from types import FunctionType
from typing import Any

from ezpyp.hashing.plain import tag, text
from ezpyp.hashing.walk import Children, Node, Walker

_COMPILED = tag("compiled function")
_DECORATOR = tag("decorator of pydantic")
_OF_NUMBA = frozenset({"CPUDispatcher", "CUDADispatcher", "DUFunc", "GUFunc"})
# Where the code is kept between processes, and in how many threads, changes no result.
_NO_RESULT = frozenset({"cache", "target_backend"})

OF_PYDANTIC = frozenset(
    [
        "__pydantic_core_schema__",
        "__pydantic_validator__",
        "__pydantic_serializer__",
        "__pydantic_complete__",
        "__pydantic_setattr_handlers__",
    ]
)
"""What pydantic makes of a model's fields, decorators and settings, which count themselves; an address stands in it."""


def is_generated(function: FunctionType) -> bool:
    """Whether attrs made a method, of fields, which count themselves; the hash of a text stands in it."""
    return function.__code__.co_filename.startswith("<attrs generated")


def walk_numba(w: Walker, value: Any) -> Children:
    """``njit``, ``vectorize``, ``guvectorize``, ``cuda.jit``: the Python function, and what the decorator was told."""
    if w.met(value):
        return
    maker = value if hasattr(value, "py_func") else getattr(value, "_dispatcher", None) or value.gufunc_builder
    told = getattr(maker, "targetoptions", None) or {}
    options = {name: option for name, option in told.items() if name not in _NO_RESULT}
    layout = getattr(value, "signature", None)
    w.keep.append(options)
    w.emit(_COMPILED + text(type(value).__name__))
    yield maker.py_func
    yield options
    yield layout if isinstance(layout, str) else None


def walk_pydantic_decorator(w: Walker, value: Any) -> Children:
    """A validator or serializer of a model: its name, function and settings; its model is named by an address."""
    w.emit(_DECORATOR + text(value.cls_var_name))
    yield value.func
    yield value.info


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is one of these."""
    if kind.__name__ in _OF_NUMBA and kind.__module__.startswith("numba."):
        return walk_numba
    if (kind.__module__, kind.__name__) == ("pydantic._internal._decorators", "Decorator"):
        return walk_pydantic_decorator
    return None
