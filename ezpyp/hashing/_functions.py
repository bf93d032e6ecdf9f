"""Functions, methods and what wraps them, as parts of a walk."""

import functools
from collections.abc import Callable
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType

from ezpyp.hashing._code import canonical
from ezpyp.hashing._containers import dict_items
from ezpyp.hashing._describe import describe
from ezpyp.hashing._framing import count, digest, tag, text
from ezpyp.hashing._names import Lead, is_code, leads
from ezpyp.hashing._walk import Children, Walker

_FUNCTION = tag("function")
_NAMED = tag("named")
_DEFAULTS = tag("defaults")
_LEAD = tag("lead")
_LABEL = tag("label")
_METHOD = tag("method")
_WRAPPED = tag("wrapped")
_CELL = tag("cell")
_CODE = tag("code")
_ATTRIBUTES = tag("attributes")
_CLOSURE = tag("closure")
_DESCRIPTOR = tag("descriptor")
_MODULE = tag("module")
_ANNOTATIONS = tag("annotations")


def walk_function(w: Walker, function: FunctionType) -> Children:
    """A function: the user's by content, a library's by name."""
    plain = function.__dict__.get("__ezpyp_function__")
    if plain is not None and plain is not function:
        yield plain
        return
    if w.by_name:
        w.emit(_NAMED + text(function.__qualname__))
        return
    if function is not w.root and not w.policy.owns_function(function):
        yield from _library_function(w, function)
        return
    if w.met(function):
        if function is w.root and not w.root_defaults:
            # Called again from its own helpers, its defaults count: those calls bind them.
            w.root_defaults = True
            yield from _defaults(w, function)
        return
    form = canonical(function.__code__)
    w.emit(_FUNCTION + form.digest)
    w.in_code += 1
    if w.recorder is not None:
        w.recorder.function(function, form, "code" if function is w.root else "helper")
    if function is not w.root:
        yield from _defaults(w, function)
    space = id(function.__globals__)
    w.binds.update((space, name) for name in form.stores)
    w.reads.extend((space, use.name) for use in form.uses if use.kind == "global")
    for lead in leads(function, form.uses, w.policy):
        yield from _lead(w, function, lead)
    yield from _attributes(w, function)
    w.in_code -= 1


def _defaults(w: Walker, function: FunctionType) -> Children:
    keywords = function.__kwdefaults__ or {}
    if not function.__defaults__ and not keywords:
        return
    w.emit(_DEFAULTS)
    yield function.__defaults__
    yield from dict_items(w, {name: keywords[name] for name in sorted(keywords)})


def _lead(w: Walker, function: FunctionType, lead: Lead) -> Children:
    if lead.label is not None:
        w.emit(_LABEL + text(lead.label))
        return
    value = lead.value
    w.emit(_LEAD)
    recorder = w.recorder
    if recorder is None or is_code(value):
        yield value
        return
    recorder.reading.append(lead.name)
    outer = w.begin()
    yield value
    data = w.end(outer)
    w.emit(data)
    recorder.reading.pop()
    file = str(function.__globals__.get("__file__", function.__code__.co_filename))
    recorder.value(lead.kind, lead.name, file, digest(data), describe(value))


def _attributes(w: Walker, function: FunctionType) -> Children:
    attributes = {name: value for name, value in function.__dict__.items() if not name.startswith("__ezpyp")}
    if attributes:
        w.emit(_ATTRIBUTES)
        yield from dict_items(w, {name: attributes[name] for name in sorted(attributes)})


def _library_function(w: Walker, function: FunctionType) -> Children:
    """A library's function by name, with what of the user's it was given (a decorator's closure)."""
    module = function.__globals__.get("__name__", "")
    w.emit(_NAMED + text(f"{module}.{function.__code__.co_qualname}"))
    wrapped = function.__dict__.get("__wrapped__")
    if function.__closure__ is None and wrapped is None:
        return
    if w.met(function):
        return
    w.emit(_CLOSURE)
    w.in_code += 1
    if wrapped is not None:
        yield wrapped
    for cell in function.__closure__ or ():
        yield from _given(w, cell)
    w.in_code -= 1


def _given(w: Walker, cell: CellType) -> Children:
    try:
        value = cell.cell_contents
    except ValueError:
        return
    # A library's own caches and counters in its closures change from call to call; code and constants do not.
    if is_code(value) or isinstance(
        value, bool | int | float | str | bytes | tuple | functools.partial | MethodType
    ):
        yield value
    elif not w.policy.is_library(type(value)):
        yield value


def walk_method(w: Walker, method: MethodType) -> Children:
    """A bound method: the function and what it is bound to."""
    w.emit(_METHOD)
    yield method.__func__
    yield method.__self__


def walk_builtin(w: Walker, function: BuiltinFunctionType) -> Children:
    """A function in C: its name, and what it is bound to."""
    owner = function.__self__
    bound = owner is not None and not isinstance(owner, ModuleType)
    module = function.__module__ if isinstance(function.__module__, str) else ""
    w.emit(_NAMED + text(f"{module}.{function.__qualname__}") + count(bound))
    if bound:
        yield owner


def walk_named(w: Walker, value: Callable[..., object]) -> Children:
    """A method of a class in C: its class and name."""
    w.emit(_NAMED + text(value.__name__))
    yield getattr(value, "__objclass__", None)


def walk_wrapper(w: Walker, value: object) -> Children:
    """``functools.lru_cache`` and the like: what is wrapped counts, the cache does not."""
    w.emit(_WRAPPED)
    yield value.__wrapped__  # type: ignore[attr-defined]  # the dispatch looked


def walk_descriptor(w: Walker, value: object) -> Children:
    """Static methods, class methods, properties: their kind and functions."""
    w.emit(_DESCRIPTOR + text(type(value).__name__))
    for name in ("__func__", "fget", "fset", "fdel", "func"):
        if hasattr(value, name):
            yield getattr(value, name)


def walk_cell(w: Walker, cell: CellType) -> Children:
    """A closure's cell: its contents."""
    if w.met(cell):
        return
    w.emit(_CELL)
    try:
        value = cell.cell_contents
    except ValueError:
        return
    yield value


def walk_code(w: Walker, code: CodeType) -> Children:
    """A bare code object."""
    w.emit(_CODE + canonical(code).digest)
    yield from ()


def walk_module(w: Walker, module: ModuleType) -> Children:
    """A module that is used as a thing: a library's by name, the user's by all that it defines."""
    if w.by_name or not w.policy.is_user_module(module.__name__):
        w.emit(_NAMED + text(module.__name__))
        return
    if w.met(module):
        return
    w.emit(_MODULE)
    w.in_code += 1
    for name, value in sorted(vars(module).items()):
        if not name.startswith("__"):
            w.emit(text(name))
            yield value
    w.in_code -= 1
