"""Objects in C that no protocol takes apart, but whose content is there to be read where code reads them.

In an argument they stay what cannot be hashed, since most cannot be handed over as a copy either.
"""

import contextvars
import io
import itertools
import re
import struct
import weakref
from collections.abc import Callable

from ezpyp.hashing._framing import tag, text
from ezpyp.hashing._instances import walk_instance
from ezpyp.hashing._walk import Children, Node, Walker

_STATE = tag("state of")
_UNSET = object()
# What counts shows its numbers and nothing else; itertools.count(start) may take any object.
_COUNT = re.compile(r"count\([-+\d., einf()Fractoml'\"]*\)")


class _NoContentError(Exception):
    """There is nothing to be read."""


def _node(content: Callable[..., object]) -> Node:
    def walk_content(w: Walker, value: object) -> Children:
        try:
            part = content(value) if w.in_code and not w.is_sheltered() else _UNSET
        except (_NoContentError, ValueError):
            part = _UNSET
        if part is _UNSET:
            yield from walk_instance(w, value)
        elif not w.met(value):
            w.keep.append(part)
            w.emit(_STATE + text(type(value).__name__))
            yield part

    return walk_content


def _counted(value: "itertools.count[int]") -> str:
    shown = repr(value)
    if _COUNT.fullmatch(shown) is None:
        raise _NoContentError
    return shown


def _in_context(variable: "contextvars.ContextVar[object]") -> tuple[object, ...]:
    try:
        return variable.name, variable.get()
    except LookupError:
        return (variable.name,)


STATES: dict[type, Node] = {
    struct.Struct: _node(lambda value: value.format),
    type({}.keys()): _node(list),
    type({}.values()): _node(list),
    type({}.items()): _node(list),
    io.StringIO: _node(lambda value: (value.getvalue(), value.tell())),
    io.BytesIO: _node(lambda value: (value.getvalue(), value.tell())),
    itertools.count: _node(_counted),
    contextvars.ContextVar: _node(_in_context),
    weakref.ref: _node(lambda value: value()),
}
"""How each is written; subclasses go the way of every instance."""
