"""Classes as parts of a walk: the user's by content, a library's by name."""

from collections.abc import Iterator
from enum import EnumMeta
from types import FunctionType

from ezpyp.hashing.libraries.compiled import OF_PYDANTIC, is_generated
from ezpyp.hashing.plain import tag, text
from ezpyp.hashing.walk import Children, Place, Walker

_CLASS = tag("class")
_NAMED = tag("named class")
_END = tag("end of class")
_ENUM_MEMBER = tag("enum member")
_REGISTERED = tag("registered")
_GENERATED = tag("generated method")

# copyreg writes `__slotnames__` when an instance is first copied or pickled.
_LEFT_OUT = frozenset(
    """
    __module__ __dict__ __weakref__ __slotnames__ __doc__ __qualname__ __firstlineno__ __static_attributes__
    __abstractmethods__ _abc_impl __dataclass_params__ __parameters__ __classcell__
""".split()
)
_ENUM_OWN = frozenset(
    """
    _member_map_ _value2member_map_ _member_names_ _member_type_ _value_repr_ _use_args_ _unhashable_values_
    _hashable_values_ _unhashable_values_map_ _new_member_ __new__ _sort_order_ __reduce_ex__ _flag_mask_
    _singles_mask_ _all_bits_ _inverted_
""".split()
)
# Python writes them into each enumeration: they count where they are not what it would have anyway.
_ENUM_SETTINGS = frozenset({"_generate_next_value_", "_boundary_"})
_SLOT_TYPES = frozenset({"member_descriptor", "getset_descriptor"})


def walk_class(w: Walker, kind: type) -> Children:
    """A class: name, bases, metaclass and everything that it defines."""
    if w.by_name:
        w.emit(_NAMED + text(kind.__qualname__))
        return
    if kind is not w.root and w.policy.is_library(kind):
        w.emit(_NAMED + text(f"{kind.__module__}.{kind.__qualname__}") + w.policy.extension_digest(kind.__module__))
        w.classes_of_libraries[id(kind)] = kind
        w.note_library(kind.__module__)
        return
    if w.met(kind):
        return
    w.user_code[id(kind)] = kind
    w.emit(_CLASS + text(_name(kind)) + w.policy.extension_digest(kind.__module__))
    w.in_code += 1
    if w.observer is not None and "__dataclass_params__" in kind.__dict__:
        w.observer.options(kind.__qualname__, _place(w, kind, ""), kind.__dict__["__dataclass_params__"])
    yield from _ancestry(w, kind)
    yield from _enum_members(w, kind)
    yield from _contents(w, kind)
    for classes in _registered(kind):
        w.keep.append(classes)
        w.emit(_REGISTERED)
        yield classes
    w.in_code -= 1
    w.emit(_END)


def _name(kind: type) -> str:
    # The bare name, which repr() shows; the qualified one holds the names of enclosing functions.
    return kind.__name__


def _ancestry(w: Walker, kind: type) -> Children:
    yield type(kind)
    yield from w.part("class", f"{kind.__qualname__} bases", _place(w, kind, ""), kind.__bases__)


def _enum_members(w: Walker, kind: type) -> Children:
    if isinstance(kind, EnumMeta):
        for name in kind.__members__:
            value: object = kind.__members__[name]._value_
            w.emit(_ENUM_MEMBER + text(name))
            yield from w.part("class", f"{kind.__qualname__}.{name}", _place(w, kind, name), value)


def _contents(w: Walker, kind: type) -> Children:
    # The order of methods means nothing; that of fields and members stands in annotations and in the enumeration.
    for name, value in sorted(kind.__dict__.items(), key=lambda item: str(item[0])):
        if _is_left_out(kind, name, value):
            continue
        w.emit(text(str(name)))
        if isinstance(value, FunctionType) and is_generated(value):
            w.emit(_GENERATED)
        elif isinstance(value, FunctionType):
            w.role, w.direct = "method", value
            yield value
        else:
            yield from w.part("class", f"{kind.__qualname__}.{name}", _place(w, kind, name), value)


def _place(w: Walker, kind: type, name: str) -> Place:
    return ("", 0) if w.observer is None else w.observer.place_of_attribute(kind, name)


def _is_left_out(kind: type, name: str, value: object) -> bool:
    if name in _LEFT_OUT or name in OF_PYDANTIC or type(value).__name__ in _SLOT_TYPES:
        return True
    if name == "__annotations__" and not value:
        return True  # Python writes it when somebody asks a class without annotations for them
    if not isinstance(kind, EnumMeta):
        return False
    return name in _ENUM_OWN or name in kind.__members__ or (name in _ENUM_SETTINGS and _is_inherited(kind, name))


def _is_inherited(kind: type, name: str) -> bool:
    return any(getattr(base, name, None) is getattr(kind, name) for base in kind.__bases__)


def _registered(kind: type) -> Iterator[frozenset[object]]:
    """Return the classes that an abstract class was told to take for its own."""
    if "_abc_impl" in kind.__dict__:
        from _abc import _get_dump  # type: ignore[import-not-found]  # as abc does

        found = frozenset(filter(None, (reference() for reference in _get_dump(kind)[0])))
        yield from (found,) if found else ()
