"""Instances of any class: the class and the state, by the protocol with which Python itself copies."""

import contextvars
import io
import itertools
import re
import struct
import sys
import weakref
from collections.abc import Callable
from copyreg import __newobj__, dispatch_table  # type: ignore[attr-defined]  # what pickles name
from enum import Enum
from functools import partial
from types import FunctionType, GenericAlias, MethodType, ModuleType, UnionType

from ezpyp.hashing.containers import dict_items, members
from ezpyp.hashing.plain import count, tag, text
from ezpyp.hashing.walk import Children, Node, Walker

# Objects that say of themselves that they are a global: whether they are, and whose.


def holder(value: object, name: str) -> ModuleType | None:
    """Return the module that holds ``value`` under ``name``, as pickle would find it; None where there is none.

    Example:
        >>> holder(sys, "sys") is not None
        True
    """
    for place in (getattr(value, "__module__", None), type(value).__module__):
        module = sys.modules.get(place) if isinstance(place, str) else None
        if module is not None and _holds(module, name, value):
            return module
    return next((module for module in list(sys.modules.values()) if _holds(module, name, value)), None)


def _holds(module: object, name: str, value: object) -> bool:
    if not isinstance(module, ModuleType):
        return False
    first, *rest = name.split(".")
    found = vars(module).get(first)
    for part in rest:
        found = vars(found).get(part) if isinstance(found, type) else None
    return found is value


_OBJECT = tag("object")
_STATE = tag("state")
_NO_STATE = tag("no state")
_SLOTS = tag("slots")
_MADE_BY = tag("made by")
_ITEMS = tag("items")
_GLOBAL = tag("global")
_ENUM = tag("enum")
_SUBSET = tag("subset")
_PARTIAL = tag("partial")
_STAND_IN = tag("stand-in")

# Values of these modules cannot change: equal ones agree, whether shared or not.
_VALUES = frozenset({"decimal", "fractions", "datetime", "uuid", "pathlib", "zoneinfo", "re", "ipaddress", "operator"})
# Its containers go another way.
_VALUES_OF_PANDAS = frozenset({"Timestamp", "Timedelta", "Period", "Interval"})
_OFFSETS_OF_PANDAS = "pandas._libs.tslibs"
_SET_ITERATOR: type = type(iter(set()))
_VALUE_BASES = (tuple, str, int, float, complex, bytes)


def walk_instance(w: Walker, value: object) -> Children:
    """An instance: its class, then what ``__reduce_ex__`` says of its state."""
    kind = type(value)
    if "__ezpyp_function__" in attributes_of(value):
        yield from walk_plain_function(w, value)
    elif w.met_tuple(value) if is_immutable(kind) else w.met(value):
        pass
    elif not w.in_code:
        yield from _parts(w, value)
    elif w.policy.is_library(kind) and not _is_readable(w, value):
        w.shelter(value, _code_in(w, value))
        yield from _parts(w, value)
        w.unshelter()
    else:
        # One level deeper: what of it cannot be hashed is no reason to doubt the objects that hold it.
        w.in_code += 1
        yield from _parts(w, value)
        w.in_code -= 1


def attributes_of(value: object) -> dict[str, object]:
    """Return an instance's own attributes; none where it answers with something else, as proxies and mocks do."""
    try:
        state = value.__dict__
    except Exception:  # noqa: BLE001  # the user's __getattribute__
        return {}
    return state if type(state) is dict else {}


def _attributes_behind(value: object) -> object:
    try:
        return object.__getattribute__(value, "__dict__")
    except AttributeError:
        return None


def walk_plain_function(_: Walker, value: object) -> Children:
    """A decorated step inside code: the plain function."""
    yield value.__ezpyp_function__  # type: ignore[attr-defined]  # the caller looked


def _parts(w: Walker, value: object) -> Children:
    reduced = _reduce(w, value)
    if reduced is not None:
        # Temporary parts must outlive the walk: their ids are remembered.
        w.keep.append(reduced)
        yield from _reduced(w, value, reduced)


def _code_in(w: Walker, value: object) -> Children:
    """The code that a library's object was given: it counts also where the object itself is no data."""
    for part in attributes_of(value).values():
        if isinstance(part, FunctionType | MethodType | type | partial) or not w.policy.is_library(type(part)):
            yield part


def walk_partial(w: Walker, value: partial[object]) -> Children:
    """A partial: function and arguments, each by itself."""
    if w.met(value):
        return
    w.emit(_PARTIAL)
    yield type(value)
    yield value.func
    yield value.args
    yield from dict_items(w, value.keywords)
    yield from walk_state(w, getattr(value, "__dict__", None) or None)


def is_immutable(kind: type) -> bool:
    """Tell whether instances cannot change, so that sharing one means nothing."""
    module = kind.__module__
    package = module.partition(".")[0]
    if package in _VALUES or kind is GenericAlias or kind is UnionType:
        return True
    if package == "pandas" and (kind.__name__ in _VALUES_OF_PANDAS or module.startswith(_OFFSETS_OF_PANDAS)):
        return True
    params = kind.__dict__.get("__dataclass_params__")
    if params is not None:
        return bool(params.frozen)
    return issubclass(kind, _VALUE_BASES) and not getattr(kind, "__dictoffset__", 0)


def _reduce(w: Walker, value: object) -> tuple[object, ...] | str | None:
    """Ask the object for its parts; None where it was refused."""
    kind = type(value)
    if hasattr(kind, "__next__") and w.policy.is_library(kind) and not _is_readable(w, value):
        is_file = isinstance(value, io.IOBase)
        w.refuse(value, "an open file; pass ezpyp.File(path)" if is_file else "an iterator would be used up")
        return None
    try:
        special = dispatch_table.get(kind)
        reduced = special(value) if special is not None else value.__reduce_ex__(4)
        if type(reduced) is str or (type(reduced) is tuple and 2 <= len(reduced) <= 6):
            return reduced
        reason = f"its __reduce_ex__ gives {type(reduced).__name__}, which describes nothing"
    except RecursionError:
        raise
    except Exception as error:  # noqa: BLE001  # user code and C extensions raise anything here
        reason = str(error) or type(error).__name__
    if isinstance(kind.__getattribute__, FunctionType):
        # It answers for its attributes itself, and made nothing of this question: what lies there counts.
        return __newobj__, (kind,), _attributes_behind(value)
    w.refuse(value, reason)
    return None


def _is_readable(w: Walker, value: object) -> bool:
    """Tell whether an iterator of the language says what is left of it without being used up; a set has no order."""
    kind = type(value)
    is_iterator = hasattr(kind, "__next__") and kind.__module__ == "builtins" and kind is not _SET_ITERATOR
    return is_iterator and bool(w.in_code) and not w.is_sheltered()


def _reduced(w: Walker, value: object, reduced: tuple[object, ...] | str) -> Children:
    kind = type(value)
    if isinstance(reduced, str):
        yield from _global(w, value, reduced)
        return
    make, args, *rest = reduced
    state, items, pairs = (*rest, None, None, None)[:3]
    w.emit(_OBJECT)
    yield kind
    if make is not __newobj__:
        w.emit(_MADE_BY)
        yield make
    elif args and args[0] is kind:  # type: ignore[index]  # a tuple by protocol
        args = args[1:]  # type: ignore[index]
    yield args
    yield from walk_state(w, state)
    yield from _listed(w, items)
    yield from _listed(w, pairs)


def _global(w: Walker, value: object, name: str) -> Children:
    """An object that says that it is a global: a library's by name, the user's by content too."""
    kind = type(value)
    module = holder(value, name)
    if module is None:
        w.refuse(value, f"it says that it is the global {name!r}, which no module holds")
    elif w.policy.is_user_module(module.__name__):
        w.emit(_GLOBAL + text(name))
        yield kind
        yield from walk_state(w, attributes_of(value) or None)
    else:
        w.emit(_GLOBAL + text(f"{kind.__module__}.{kind.__qualname__}:{name}"))
        if w.policy.is_library(kind):
            w.note_library(kind.__module__)


def _listed(w: Walker, items: object) -> Children:
    if items is None:
        w.emit(_NO_STATE)
        return
    parts = list(items)  # type: ignore[call-overload]  # an iterator by protocol
    w.keep.append(parts)
    w.emit(_ITEMS + count(len(parts)))
    yield from parts


def walk_state(w: Walker, state: object) -> Children:
    """The state of an instance: attributes as such, anything else as the value that it is."""
    if state is None:
        w.emit(_NO_STATE)
    elif type(state) is dict:
        w.emit(_STATE)
        yield from dict_items(w, _without_wrapping(state))
    elif _is_slots(state):
        w.emit(_SLOTS)
        for part in state:  # type: ignore[attr-defined]  # a pair
            yield from dict_items(w, part or {})
    else:
        w.emit(_STATE)
        yield state


def _is_slots(state: object) -> bool:
    return type(state) is tuple and len(state) == 2 and all(part is None or type(part) is dict for part in state)


def _without_wrapping(state: dict[object, object]) -> dict[object, object]:
    # functools.update_wrapper writes module, name and docstring into the instance: they are no state.
    if "__wrapped__" not in state:
        return state
    names = ("__module__", "__name__", "__qualname__", "__doc__")
    return {name: part for name, part in state.items() if name not in names}


def walk_enum(w: Walker, value: Enum) -> Children:
    """A member of an enumeration: class, name and value."""
    w.emit(_ENUM)
    yield type(value)
    yield value._name_
    yield value._value_


def walk_subset(w: Walker, value: set[object]) -> Children:
    """An instance of a subclass of set or frozenset: pickle would write the members in an order of the hash seed."""
    if w.met(value):
        return
    w.emit(_SUBSET)
    yield type(value)
    yield from members(w, value, _SUBSET)
    yield from walk_state(w, getattr(value, "__dict__", None))


def walk_stand_in(w: Walker, value: object) -> Children:
    """An object that says itself what counts: ``__ezpyp_digest__`` gives a value to hash in its place."""
    if w.met(value):
        return
    w.emit(_STAND_IN)
    yield type(value)
    try:
        stand_in = type(value).__ezpyp_digest__(value)  # type: ignore[attr-defined]  # asked for by the dispatch
    except Exception as error:  # noqa: BLE001  # the user's method, or a File that is not there
        w.refuse(value, str(error))
        return
    w.keep.append(stand_in)
    yield stand_in


# Objects in C that no protocol takes apart, but whose content is there to be read where code reads them.

_CONTENT = tag("content")
_UNSET = object()
# What counts shows its numbers and nothing else; itertools.count(start) may take any object.
_COUNT = re.compile(r"count\([-+\d., einf()Fractoml'\"]*\)")


class _NoContentError(Exception):
    """There is nothing to be read."""


def _node(content: Callable[..., object], *, is_constant: bool = False) -> Node:
    """What counts of a type that says nothing by itself: what can change is no argument, and no data in a shelter."""

    def walk_content(w: Walker, value: object) -> Children:
        try:
            part = content(value) if is_constant or (w.in_code and not w.is_sheltered()) else _UNSET
        except (_NoContentError, ValueError):
            part = _UNSET
        if part is _UNSET:
            yield from walk_instance(w, value)
        elif not w.met(value):
            w.keep.append(part)
            w.emit(_CONTENT + text(type(value).__name__))
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


READ_IN_C: dict[type, Node] = {
    struct.Struct: _node(lambda value: value.format, is_constant=True),
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
