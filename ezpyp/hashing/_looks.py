"""What code asks of functions and classes beside what they do: their names, docstrings, annotations, lines, source.

That counts where code asks for it, and nowhere else. ``helper.__name__`` asks one function. ``function.__name__`` of a
variable, or ``inspect.signature``, may ask any that the code leads to.
"""

from collections.abc import Iterator
from types import CodeType, FunctionType

from ezpyp.hashing._code import Form
from ezpyp.hashing._things import led_to, thing_of

_ATTRIBUTES = frozenset({"__name__", "__qualname__", "__module__", "__doc__", "__annotations__"})
_CODE = {
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
_BY_ATTRIBUTE = {name: (name,) for name in (*_ATTRIBUTES, *_CODE)} | {
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
    if look in _CODE:
        return [getattr(code, _CODE[look]) for code in codes]
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
