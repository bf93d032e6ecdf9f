"""Functions, methods and what wraps them, as parts of a walk."""

import functools
from collections.abc import Callable, Iterator
from functools import partial, partialmethod
from types import BuiltinFunctionType, CellType, CodeType, FunctionType, MethodType, ModuleType

from ezpyp.hashing.code.canonical import Form, canonical
from ezpyp.hashing.code.globals import is_environment, led_to, thing_of, variables_read
from ezpyp.hashing.code.ownership import Ownership
from ezpyp.hashing.code.resolve import ResolvedName, is_code, resolved_names
from ezpyp.hashing.containers import dict_items
from ezpyp.hashing.framing import count, digest, tag, text
from ezpyp.hashing.walk import Children, Place, Read, Walker

# What code asks of functions and classes beside what they do: their names, docstrings, annotations, lines, source.

_LOOKS_ATTRIBUTES = frozenset({"__name__", "__qualname__", "__module__", "__doc__", "__annotations__"})
_LOOKS_CODE = {
    "co_name": "co_name",
    "co_qualname": "co_qualname",
    "co_filename": "co_filename",
    "co_firstlineno": "co_firstlineno",
    "co_varnames": "co_varnames",
    "co_cellvars": "co_cellvars",
    "co_freevars": "co_freevars",
    "co_names": "co_names",
    "co_linetable": "co_linetable",
    "co_lnotab": "co_linetable",
    "co_lines": "co_linetable",
    "co_positions": "co_linetable",
}
_SOURCE = "source"
_PARAMETERS = "parameters"
# co_consts holds the docstring; what takes the code as a thing may see its names.
_BY_ATTRIBUTE = {name: (name,) for name in (*_LOOKS_ATTRIBUTES, *_LOOKS_CODE)} | {
    "co_consts": ("__doc__",),
    "__code__": ("co_name", "co_varnames", "__doc__"),
}
# Functions of the standard library by what they ask for.
_BY_FUNCTION = {
    "getdoc": ("__doc__",),
    "getcomments": (_SOURCE,),
    "getsource": (_SOURCE,),
    "getsourcelines": (_SOURCE, "co_firstlineno"),
    "findsource": (_SOURCE, "co_firstlineno"),
    "getfile": ("co_filename",),
    "getsourcefile": ("co_filename",),
    "getmodule": ("__module__",),
    "signature": ("__annotations__", _PARAMETERS),
    "getfullargspec": ("__annotations__", _PARAMETERS),
    "get_annotations": ("__annotations__",),
    "get_type_hints": ("__annotations__",),
}
_ASKING = frozenset({"inspect", "typing", "typing_extensions"})


def asked_of_one(function: FunctionType, form: Form) -> Iterator[tuple[str, object, str]]:
    """Return what code asks of a function or class that it names: how it is named, that thing, and what."""
    if form.attributes.isdisjoint(_BY_ATTRIBUTE):
        return
    for use in form.uses:
        thing = thing_of(function, use)
        for chain in use.chains:
            value, rest = led_to(thing, chain)
            if isinstance(value, FunctionType | type):
                name = ".".join((use.name, *chain[: len(chain) - len(rest)]))
                yield from ((name, value, look) for look in _asked(rest))


def asked_of_any(function: FunctionType, form: Form) -> Iterator[str]:
    """Return what code may ask of any function or class that it leads to."""
    yield from _asked(form.loose)
    for use in form.uses:
        thing = thing_of(function, use)
        for chain in use.chains:
            value, rest = led_to(thing, chain)
            if not isinstance(value, FunctionType | type):
                yield from _asked(rest)
            elif not rest and value.__module__ in _ASKING:
                yield from _BY_FUNCTION.get(value.__name__, ())


def _asked(names: frozenset[str] | tuple[str, ...]) -> Iterator[str]:
    for name in sorted(names):
        yield from _BY_ATTRIBUTE.get(name, ())


def fact(thing: object, look: str) -> object:
    """Return what is asked of a function or class, and of the code inside it."""
    if look == _SOURCE:
        return _source(thing)
    if look == "__annotations__":
        # Those of a class count anyway.
        return dict(thing.__annotations__) if isinstance(thing, FunctionType) else None
    codes = list(_codes(thing.__code__)) if isinstance(thing, FunctionType) else []
    if look == _PARAMETERS:
        return [code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + 2] for code in codes[:1]]
    if look in _LOOKS_CODE:
        return [getattr(code, _LOOKS_CODE[look]) for code in codes]
    if look == "__doc__":
        return [thing.__doc__, *(_texts(code) for code in codes[1:])]
    inner = {"__name__": "co_name", "__qualname__": "co_qualname"}.get(look)
    return [getattr(thing, look), *(getattr(code, inner) for code in codes[1:] if inner)]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _texts(code: CodeType) -> tuple[str, ...]:
    """Return the constants of nested code that may be its docstring."""
    return tuple(constant for constant in code.co_consts if isinstance(constant, str))


def _source(thing: object) -> str | None:
    from inspect import getsource  # what the step would see; a few milliseconds only where code asks for it

    try:
        return getsource(thing)  # type: ignore[arg-type]  # a function or class
    except (OSError, TypeError):
        return None


_FUNCTION = tag("function")
_NAMED = tag("named")
_DEFAULTS = tag("defaults")
_LEAD = tag("lead")
_LABEL = tag("label")
_LOOK = tag("look")
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
    w.things[id(function)] = function
    w.attributes |= form.attributes
    w.looks.update(asked_of_any(function, form))
    for name, thing, look in asked_of_one(function, form):
        w.emit(_LOOK + text(look))
        value = fact(thing, look)
        w.keep.append(value)
        yield from noted(w, "global", f"{name}.{look}", _place(w, function, ResolvedName(name)), value)


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
        yield from noted(w, "default", label, (code.co_filename, code.co_firstlineno), value)


def noted(w: Walker, kind: str, name: str, place: Place, value: object) -> Children:
    """Walk a value that code reads, and note it as a part by itself."""
    if w.observer is not None:
        w.observer.begin(None if is_environment(value) else name)
    outer = w.begin()
    yield value
    data = w.end(outer)
    w.emit(data)
    read = Read(kind, name, digest(data), value)
    w.reads_noted.append(read)
    if w.observer is not None:
        w.observer.value(read, place)


def _resolved(w: Walker, function: FunctionType, resolved: ResolvedName) -> Children:
    w.note_library(resolved.package)
    if resolved.label is not None:
        if isinstance(resolved.value, type):
            w.kinds[id(resolved.value)] = resolved.value
        w.emit(_LABEL + text(resolved.label) if resolved.label else b"")
        if w.observer is not None:
            w.observer.label(
                resolved.name, ("", 0) if resolved.kind == "builtin" else _place(w, function, resolved), resolved.label
            )
        return
    w.emit(_LEAD)
    if resolved.kind != "closure":
        # A closure holds what a decorator was given, annotations and all.
        w.direct = resolved.value
    yield from noted(w, resolved.kind, resolved.name, _place(w, function, resolved), resolved.value)


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
            yield from noted(
                w, "global", f"{module.__name__}.{name}", (getattr(module, "__file__", None) or "", 0), value
            )
    w.in_code -= 1


# The user's code that was set on a library's class at run time: ``Fraction.half = ...``, accessors of pandas.

_DESCRIPTORS = (staticmethod, classmethod, property, partial, partialmethod, MethodType)
_HELD = ("__func__", "fget", "fset", "func")


def monkeypatches(kind: type, names: set[str], policy: Ownership) -> Iterator[tuple[str, object]]:
    """Return the user's functions and classes among attributes of a library's class.

    Args:
        kind: The class.
        names: Names of attributes that code reads, of anything.
        policy: Whose code is whose.
    """
    for base in kind.__mro__:
        if policy.is_library(base):
            for name in sorted(names & vars(base).keys()):
                for part in _held_by(vars(base)[name]):
                    if _is_of_user(part, policy):
                        yield name, part


def _held_by(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, _DESCRIPTORS):
        yield from (getattr(value, name, None) for name in _HELD)
    elif not isinstance(value, type | FunctionType):
        # Such as the object with which pandas makes an accessor when it is first asked for.
        state = getattr(value, "__dict__", None)
        yield from state.values() if isinstance(state, dict) else ()


def _is_of_user(part: object, policy: Ownership) -> bool:
    if isinstance(part, FunctionType):
        return policy.owns_function(part)
    return isinstance(part, type) and not policy.is_library(part)


# What counts of things that a walk met only because of code that it met: asked for by name at run time.

_LOOKS = tag("looks")
_HUNG = tag("hung")


def walk_rest(w: Walker) -> Children:
    """Walk monkeypatches of libraries' classes, then what code asks of the functions and classes that were met."""
    w.in_code += 1
    done: set[tuple[str, int]] = set()
    # Either may lead to more code, which may ask for more.
    while not done.issuperset(_pending(w)):
        yield from _monkeypatches_of_classes(w, done)
        for look in sorted(w.looks):
            things = [thing for thing in w.things.values() if (look, id(thing)) not in done]
            done.update((look, id(thing)) for thing in things)
            yield from _looked_at(w, look, sorted(things, key=_order))
    w.in_code -= 1


def _pending(w: Walker) -> set[tuple[str, int]]:
    names = {(name, id(kind)) for kind in w.kinds.values() for name, _ in monkeypatches(kind, w.attributes, w.policy)}
    return names | {(look, thing) for look in w.looks for thing in w.things}


def _monkeypatches_of_classes(w: Walker, done: set[tuple[str, int]]) -> Children:
    found = []
    for kind in w.kinds.values():
        for name, value in monkeypatches(kind, w.attributes, w.policy):
            if (name, id(kind)) not in done:
                done.add((name, id(kind)))
                found.append((f"{kind.__module__}.{kind.__qualname__}.{name}", value))
    for name, value in sorted(found, key=lambda pair: pair[0]):
        w.emit(_HUNG + text(name))
        yield from noted(w, "global", name, ("", 0), value)


def _order(thing: object) -> tuple[str, ...]:
    """Return what puts functions and classes in an order that does not depend on where a walk met them."""
    names = (thing.__qualname__, thing.__module__ or "") if isinstance(thing, FunctionType | type) else ()
    code = canonical(thing.__code__).digest.hex() if isinstance(thing, FunctionType) else ""
    return (code, *names)


def _looked_at(w: Walker, look: str, things: list[object]) -> Children:
    parts = []
    for thing in things:
        code = getattr(thing, "__code__", None)
        outer = w.begin()
        w.emit(canonical(code).digest if code is not None else b"")
        value = fact(thing, look)
        w.keep.append(value)
        name = f"{getattr(thing, '__qualname__', '')}.{look}"
        yield from noted(w, "global", name, (code.co_filename, code.co_firstlineno) if code else ("", 0), value)
        parts.append(digest(w.end(outer)))
    if parts:
        w.emit(_LOOKS + text(look) + count(len(parts)) + b"".join(sorted(parts)))
