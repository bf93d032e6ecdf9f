"""Which way each type is written: the language's own types in tables, others found by class, module or protocol."""

import array
import functools
import types
from collections.abc import Callable
from enum import Enum
from importlib import import_module
from weakref import WeakKeyDictionary

from ezpyp.describe import Hole
from ezpyp.hashing import containers, objects
from ezpyp.hashing.code import classes, functions
from ezpyp.hashing.code.introspection import walk_rest
from ezpyp.hashing.objects import READ_IN_C
from ezpyp.hashing.plain import SCALARS, count, tag, text
from ezpyp.hashing.walk import Children, Leaf, Node, Walker, scalar

_HOLE = tag("hole")
_REGISTERED = tag("registered")

# Modules of ezpyp that know the types of a package; imported only when such a type is met.
_NORMALISERS = {
    "numba": "compiled",
    "numpy": "arrays",
    "pandas": "labelled",
    "polars": "polars",
    "pyarrow": "pyarrow",
    "pydantic": "compiled",
    "scipy": "arrays",
    "xarray": "labelled",
    "torch": "arrays",
    "pathlib": "stdlib",
    "logging": "stdlib",
    "os": "stdlib",
    "random": "stdlib",
    "typing": "stdlib",
}


def leaf_hole(hole: Hole) -> bytes:
    """Write a Hole: which upstream slot, and which part of it."""
    return _HOLE + count(hole.index) + text(repr(hole.path))


def walk_label(w: Walker, value: object) -> Children:
    """Ezpyp's own objects: the pipeline by type; a step must be where its result can take its place."""
    reason = getattr(type(value), "__ezpyp_refusal__", None)
    if reason is not None and not w.in_code:
        w.refuse(value, reason)
    w.emit_type_only(value)
    yield from ()


class Registry:
    """Finds the way to write a type, and remembers it."""

    def __init__(self) -> None:
        self.leaves: dict[type, Leaf] = dict.fromkeys(SCALARS - {str, bytes}, scalar)
        self.leaves |= {
            str: containers.leaf_text,
            bytes: containers.leaf_text,
            range: containers.leaf_range,
            Hole: leaf_hole,
            type(Ellipsis): lambda _: tag("ellipsis"),
            type(NotImplemented): lambda _: tag("not implemented"),
        }
        self.nodes: dict[type, Node] = dict(_NODES)
        self._found: WeakKeyDictionary[type, Node] = WeakKeyDictionary()
        self._registered: WeakKeyDictionary[type, Callable[[object], object]] = WeakKeyDictionary()

    def register(self, kind: type, function: Callable[[object], object]) -> None:
        """Let ``function`` say what counts of instances of ``kind``."""
        self._registered[kind] = function
        self._found.clear()

    def is_registered(self, kind: type) -> bool:
        """Tell whether `register` was called for this very class."""
        return kind in self._registered

    def rest(self, w: Walker) -> Children:
        """Return what counts of what was met because of code that was met."""
        return walk_rest(w)

    def find(self, kind: type) -> Node:
        """Return the way to write instances of ``kind``."""
        node = self._found.get(kind)
        if node is None:
            node = self._found[kind] = self._search(kind)
        return node

    def _search(self, kind: type) -> Node:
        for base in kind.__mro__:
            if base in self._registered:
                return _registered(self._registered[base])
        if hasattr(kind, "__ezpyp_digest__"):
            return objects.walk_stand_in
        if getattr(kind, "__ezpyp_untracked__", False):
            return walk_label
        if hasattr(kind, "__ezpyp_function__"):
            return objects.walk_plain_function
        return _of_package(kind) or _of_protocol(kind)


def _registered(function: Callable[[object], object]) -> Node:
    def walk_registered(w: Walker, value: object) -> Children:
        if w.met(value):
            return
        w.emit(_REGISTERED)
        yield type(value)
        stand_in = function(value)
        w.keep.append(stand_in)
        yield stand_in

    return walk_registered


def _of_package(kind: type) -> Node | None:
    for base in kind.__mro__:
        package = base.__module__.partition(".")[0]
        name = _NORMALISERS.get(package)
        if name is not None:
            node = import_module(f"ezpyp.hashing.libraries.{name}").find(base)
            if node is not None:
                return _noted(package, node)
    return None


def _noted(package: str, node: Node) -> Node:
    """Values of a library that code reads say that the code leads to it."""

    def walk_noted(w: Walker, value: object) -> Children:
        w.note_library(package)
        return node(w, value)

    return walk_noted


def _of_protocol(kind: type) -> Node:
    if issubclass(kind, type):
        return classes.walk_class
    if issubclass(kind, Enum):
        return objects.walk_enum
    if issubclass(kind, set | frozenset):
        return objects.walk_subset
    if issubclass(kind, types.ModuleType):
        return functions.walk_module
    return objects.walk_instance


_NODES: dict[type, Node] = {
    list: containers.walk_list,
    tuple: containers.walk_tuple,
    dict: containers.walk_dict,
    set: containers.walk_set,
    frozenset: containers.walk_frozenset,
    types.MappingProxyType: containers.walk_proxy,
    slice: containers.walk_slice,
    bytearray: containers.walk_bytearray,
    memoryview: containers.walk_memoryview,
    array.array: containers.walk_array,
    type: classes.walk_class,
    types.FunctionType: functions.walk_function,
    types.BuiltinFunctionType: functions.walk_builtin,
    types.MethodType: functions.walk_method,
    types.MethodWrapperType: functions.walk_builtin,
    types.WrapperDescriptorType: functions.walk_named,
    types.MethodDescriptorType: functions.walk_named,
    types.ClassMethodDescriptorType: functions.walk_named,
    types.GetSetDescriptorType: functions.walk_named,
    types.MemberDescriptorType: functions.walk_named,
    types.CellType: functions.walk_cell,
    types.CodeType: functions.walk_code,
    types.ModuleType: functions.walk_module,
    staticmethod: functions.walk_descriptor,
    classmethod: functions.walk_descriptor,
    property: functions.walk_descriptor,
    functools.partial: objects.walk_partial,
    functools.cached_property: functions.walk_descriptor,
    type(functools.lru_cache(len)): functions.walk_wrapper,
    **READ_IN_C,
}

REGISTRY = Registry()
"""The one registry: what users register must hold for every walk of the process."""
