"""What code asks of functions and classes beside what they do: names, docstrings, annotations, lines, source.

A function that reads ``helper.__name__`` has that name in its digest. Where the code asks for names of anything
(``method.__name__`` in a loop), the names of all the user's functions and classes that the walk met count. Likewise the
user's code that was set on a library's class at run time (``Fraction.half = ...``, accessors of pandas) counts where
code reads an attribute of that name, of anything.
"""

from collections.abc import Iterator
from functools import partial, partialmethod
from types import CodeType, FunctionType, MethodType

from ezpyp.hashing.code.canonical import Form, canonical
from ezpyp.hashing.code.globals import led_to, thing_of
from ezpyp.hashing.code.packages import Ownership
from ezpyp.hashing.plain import count, digest, tag, text
from ezpyp.hashing.walk import Children, Walker

_OF_FUNCTIONS = ("__name__", "__qualname__", "__module__", "__doc__", "__annotations__")
_LINES = ("co_linetable",)
_OF_CODE = ("name", "qualname", "filename", "firstlineno", "varnames", "cellvars", "freevars", "names", "linetable")
_SOURCE = "source"
_PARAMETERS = "parameters"
_BY_ATTRIBUTE = {name: (name,) for name in (*_OF_FUNCTIONS, *(f"co_{name}" for name in _OF_CODE))} | {
    "co_lnotab": _LINES,
    "co_lines": _LINES,
    "co_positions": _LINES,
    "co_consts": ("__doc__",),
    # What takes the code as a value may see its names.
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

_INTROSPECTION = tag("introspection")
_MONKEYPATCH = tag("monkeypatch")


def asked_of_one(function: FunctionType, form: Form) -> Iterator[tuple[str, object, str]]:
    """Return what code asks of a function or class that it names: its name there, the function or class, the fact."""
    if form.attributes.isdisjoint(_BY_ATTRIBUTE):
        return
    for use in form.uses:
        thing = thing_of(function, use)
        for chain in use.chains:
            value, rest = led_to(thing, chain)
            if isinstance(value, FunctionType | type):
                name = ".".join((use.name, *chain[: len(chain) - len(rest)]))
                yield from ((name, value, asked) for asked in _asked(rest))


def asked_of_any(function: FunctionType, form: Form) -> Iterator[str]:
    """Return the facts that code may ask of any function or class."""
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


def fact(value: object, asked: str) -> object:
    """Return what is asked of a function or class, and of the code inside it."""
    if asked == _SOURCE:
        return _source(value)
    if asked == "__annotations__":
        # Those of a class count anyway.
        return dict(value.__annotations__) if isinstance(value, FunctionType) else None
    codes = list(_codes(value.__code__)) if isinstance(value, FunctionType) else []
    if asked == _PARAMETERS:
        return [code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + 2] for code in codes[:1]]
    if asked.startswith("co_"):
        return [getattr(code, asked) for code in codes]
    if asked == "__doc__":
        return [value.__doc__, *(_texts(code) for code in codes[1:])]
    inner = {"__name__": "co_name", "__qualname__": "co_qualname"}.get(asked)
    return [getattr(value, asked), *(getattr(code, inner) for code in codes[1:] if inner)]


def _codes(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _codes(constant)


def _texts(code: CodeType) -> tuple[str, ...]:
    """Return the constants of nested code that may be its docstring."""
    return tuple(constant for constant in code.co_consts if isinstance(constant, str))


def _source(value: object) -> str | None:
    from inspect import getsource  # what the step would see; a few milliseconds only where code asks for it

    try:
        return getsource(value)  # type: ignore[arg-type]  # a function or class
    except (OSError, TypeError):
        return None


def monkeypatches(kind: type, names: set[str], policy: Ownership) -> Iterator[tuple[str, object]]:
    """Return the user's functions and classes among attributes of a library's class."""
    for base in kind.__mro__:
        if policy.is_library(base):
            for name in sorted(names & vars(base).keys()):
                for part in _held_by(vars(base)[name]):
                    if isinstance(part, FunctionType | type) and policy.owns(part):
                        yield name, part


_DESCRIPTORS = (staticmethod, classmethod, property, partial, partialmethod, MethodType)


def _held_by(value: object) -> Iterator[object]:
    yield value
    if isinstance(value, _DESCRIPTORS):
        yield from (getattr(value, name, None) for name in ("__func__", "fget", "fset", "func"))
    elif not isinstance(value, type | FunctionType):
        # Such as the object with which pandas makes an accessor when it is first asked for.
        state = getattr(value, "__dict__", None)
        yield from state.values() if isinstance(state, dict) else ()


def walk_rest(w: Walker) -> Children:
    """Walk monkeypatches of libraries' classes, then what code asks of all functions and classes that were met."""
    w.in_code += 1
    done: set[tuple[str, int]] = set()
    # Either may lead to more code, which may ask for more.
    while not done.issuperset(_pending(w)):
        yield from _monkeypatches(w, done)
        for asked in sorted(w.asked):
            values = [value for value in w.user_code.values() if (asked, id(value)) not in done]
            done.update((asked, id(value)) for value in values)
            yield from _facts(w, asked, sorted(values, key=_order))
    w.in_code -= 1


def _pending(w: Walker) -> set[tuple[str, int]]:
    classes = w.classes_of_libraries.values()
    names = {(name, id(kind)) for kind in classes for name, _ in monkeypatches(kind, w.attributes, w.policy)}
    return names | {(asked, value) for asked in w.asked for value in w.user_code}


def _monkeypatches(w: Walker, done: set[tuple[str, int]]) -> Children:
    found = []
    for kind in w.classes_of_libraries.values():
        for name, value in monkeypatches(kind, w.attributes, w.policy):
            if (name, id(kind)) not in done:
                done.add((name, id(kind)))
                found.append((f"{kind.__module__}.{kind.__qualname__}.{name}", value))
    for name, value in sorted(found, key=lambda pair: pair[0]):
        w.emit(_MONKEYPATCH + text(name))
        yield from w.part("global", name, ("", 0), value)


def _order(value: object) -> tuple[str, ...]:
    """Return what puts functions and classes in an order that does not depend on where a walk met them."""
    names = (value.__qualname__, value.__module__ or "") if isinstance(value, FunctionType | type) else ()
    code = canonical(value.__code__).digest.hex() if isinstance(value, FunctionType) else ""
    return (code, *names)


def _facts(w: Walker, asked: str, values: list[object]) -> Children:
    parts = []
    for value in values:
        code = getattr(value, "__code__", None)
        outer = w.begin()
        w.emit(canonical(code).digest if code is not None else b"")
        found = fact(value, asked)
        w.keep.append(found)
        name = f"{getattr(value, '__qualname__', '')}.{asked}"
        yield from w.part("global", name, (code.co_filename, code.co_firstlineno) if code else ("", 0), found)
        parts.append(digest(w.end(outer)))
    if parts:
        w.emit(_INTROSPECTION + text(asked) + count(len(parts)) + b"".join(sorted(parts)))
