"""Functions, methods and what wraps them, as parts of a walk."""

import functools
from collections.abc import Callable, Iterator
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType

from ezpyp.hashing.code.canonical import Form, canonical
from ezpyp.hashing.code.globals import variables_read
from ezpyp.hashing.code.introspection import asked_of_any, asked_of_one, fact
from ezpyp.hashing.code.resolve import ResolvedName, is_code, resolved_names
from ezpyp.hashing.containers import dict_items
from ezpyp.hashing.plain import count, tag, text
from ezpyp.hashing.walk import Children, Place, Walker

_FUNCTION = tag("function")
_NAMED = tag("named")
_DEFAULTS = tag("defaults")
_RESOLVED = tag("resolved name")
_LABEL = tag("label")
_ASKED = tag("asked")
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
    direct, w.direct = w.direct is function, None
    plain = function.__dict__.get("__ezpyp_function__")
    if plain is not None and plain is not function:
        yield plain
    elif w.by_name:
        w.emit(_NAMED + text(function.__qualname__))
    elif function is not w.root and not w.policy.owns_function(function):
        yield from _library_function(w, function)
    elif w.met(function):
        yield from _again(w, function, direct)
    else:
        if not w.in_code and function.__name__ != "<lambda>":
            # A step that is handed `rmse` may well label its result with the name.
            w.emit(_NAMED + text(function.__name__))
        w.in_code += 1
        yield from _content(w, function)
        yield from _seen(w, function, direct)
        w.in_code -= 1


def _content(w: Walker, function: FunctionType) -> Children:
    form = canonical(function.__code__)
    w.emit(_FUNCTION + form.digest)
    if w.observer is not None:
        w.observer.function(function, form, "code" if function is w.root else w.role)
    w.role = "helper"
    if function is not w.root:
        yield from _defaults(w, function)
    space = id(function.__globals__)
    w.binds.update((space, name) for name in form.stores)
    w.reads.extend((space, use.name) for use in form.uses if use.kind == "global")
    for resolved in resolved_names(function, form.uses, w.policy):
        yield from _resolved(w, function, resolved)
    yield from _asked_for(w, function, form)
    w.variables.update(dict.fromkeys(variables_read(function, form.uses)))
    yield from _attributes(w, function)


def _asked_for(w: Walker, function: FunctionType, form: Form) -> Children:
    """Names, docstrings and the like of what code leads to, where it asks for them."""
    w.user_code[id(function)] = function
    w.attributes |= form.attributes
    w.asked.update(asked_of_any(function, form))
    for name, value, asked in asked_of_one(function, form):
        w.emit(_ASKED + text(asked))
        found = fact(value, asked)
        w.keep.append(found)
        yield from w.part("global", f"{name}.{asked}", _place(w, function, ResolvedName(name)), found)


def _again(w: Walker, function: FunctionType, direct: bool) -> Children:
    if function is w.root and not w.root_defaults:
        # Called again from its own helpers, its defaults count: those calls bind them.
        w.root_defaults = True
        w.in_code += 1
        yield from _defaults(w, function)
        w.in_code -= 1
    yield from _seen(w, function, direct)


def _seen(w: Walker, function: FunctionType, direct: bool) -> Children:
    """Annotations, which only those who get the function as a thing can see: decorators, registries."""
    if direct or id(function) in w.annotated:
        return
    w.annotated.add(id(function))
    w.in_code += 1
    yield from _annotations(w, function)
    w.in_code -= 1


def _annotations(w: Walker, function: FunctionType) -> Children:
    if function.__annotations__:
        w.emit(_ANNOTATIONS)
        yield from dict_items(w, function.__annotations__)


def _defaults(w: Walker, function: FunctionType) -> Children:
    code = function.__code__
    values = function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    keywords = function.__kwdefaults__ or {}
    found = [*zip(names, values, strict=False), *sorted(keywords.items())]
    if found:
        w.emit(_DEFAULTS + count(len(values)) + count(len(keywords)))
    for name, value in found:
        w.emit(text(name) if name in keywords else b"")
        label = f"{function.__qualname__}({name})"
        yield from w.part("default", label, (code.co_filename, code.co_firstlineno), value)


def _resolved(w: Walker, function: FunctionType, resolved: ResolvedName) -> Children:
    w.note_library(resolved.package)
    if resolved.label is not None:
        if isinstance(resolved.value, type):
            w.classes_of_libraries[id(resolved.value)] = resolved.value
        w.emit(_LABEL + text(resolved.label) if resolved.label else b"")
        if w.observer is not None:
            w.observer.label(
                resolved.name, ("", 0) if resolved.kind == "builtin" else _place(w, function, resolved), resolved.label
            )
        return
    w.emit(_RESOLVED)
    if resolved.kind != "closure":
        # A closure holds what a decorator was given, annotations and all.
        w.direct = resolved.value
    yield from w.part(resolved.kind, resolved.name, _place(w, function, resolved), resolved.value)


def _place(w: Walker, function: FunctionType, resolved: ResolvedName) -> Place:
    code = function.__code__
    if w.observer is None or resolved.kind == "closure":
        return code.co_filename, code.co_firstlineno
    return w.observer.place_of_global(function, resolved.name, resolved.file)


def _attributes(w: Walker, function: FunctionType) -> Children:
    attributes = {name: value for name, value in function.__dict__.items() if not name.startswith("__ezpyp")}
    if attributes:
        w.emit(_ATTRIBUTES)
        yield from dict_items(w, {name: attributes[name] for name in sorted(attributes)})


def _library_function(w: Walker, function: FunctionType) -> Children:
    """A library's function by name, with what of the user's it was given (a decorator's closure)."""
    module = str(function.__globals__.get("__name__", ""))
    w.emit(_NAMED + text(f"{module}.{function.__code__.co_qualname}"))
    w.note_library(module)
    if (function.__closure__ is None and "__wrapped__" not in function.__dict__) or w.met(function):
        return
    w.emit(_CLOSURE)
    w.in_code += 1
    yield from _given_to(w, function)
    w.in_code -= 1


def _given_to(w: Walker, function: FunctionType) -> Children:
    attributes = function.__dict__
    if "__wrapped__" in attributes:
        yield attributes["__wrapped__"]
    if "registry" in attributes:
        # functools.singledispatch: which function for which class.
        yield dict(attributes["registry"])
    for cell in function.__closure__ or ():
        yield from _given(w, cell)


def _given(w: Walker, cell: CellType) -> Iterator[object]:
    try:
        value = cell.cell_contents
    except ValueError:
        return
    # A library's own caches and counters in its closures change from call to call; code and constants do not.
    lasting = isinstance(value, bool | int | float | str | bytes | tuple | functools.partial | MethodType)
    if is_code(value) or lasting or not w.policy.is_library(type(value)):
        yield value


def walk_method(w: Walker, method: MethodType) -> Children:
    """A bound method: the function and what it is bound to."""
    w.emit(_METHOD)
    w.direct = method.__func__
    yield method.__func__
    yield method.__self__


def walk_builtin(w: Walker, function: BuiltinFunctionType) -> Children:
    """A function in C: its name, and what it is bound to."""
    owner = function.__self__
    bound = owner is not None and not isinstance(owner, ModuleType)
    module = getattr(function, "__module__", None)
    module = module if isinstance(module, str) else ""
    w.note_library(module)
    w.emit(_NAMED + text(f"{module}.{function.__qualname__}") + count(bound) + w.policy.extension_digest(module))
    if bound:
        yield owner


def walk_named(w: Walker, value: Callable[..., object]) -> Children:
    """A method of a class in C: its class and name."""
    w.emit(_NAMED + text(value.__name__))
    yield getattr(value, "__objclass__", None)


def walk_wrapper(w: Walker, value: object) -> Children:
    """``functools.lru_cache`` and the like: what is wrapped counts, the cache does not."""
    w.emit(_WRAPPED)
    wrapped = value.__wrapped__  # type: ignore[attr-defined]  # the dispatch looked
    w.direct = wrapped
    yield wrapped


def walk_descriptor(w: Walker, value: object) -> Children:
    """Static methods, class methods, properties: their kind and functions."""
    w.emit(_DESCRIPTOR + text(type(value).__name__))
    for name in ("__func__", "fget", "fset", "fdel", "func"):
        if hasattr(value, name):
            w.direct = getattr(value, name)
            w.role = "helper" if w.direct is None else "method"
            yield w.direct


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
        w.note_library(module.__name__)
        return
    if w.met(module):
        return
    w.emit(_MODULE)
    w.in_code += 1
    for name, value in sorted(vars(module).items()):
        if not name.startswith("__") or name == "__getattr__":
            w.emit(text(name))
            w.direct = value
            place = (getattr(module, "__file__", None) or "", 0)
            yield from w.part("global", f"{module.__name__}.{name}", place, value)
    w.in_code -= 1
