"""Type variables, aliases and new types: by what they stand for."""

import typing

from ezpyp.hashing.framing import tag, text
from ezpyp.hashing.walk import Children, Node, Walker

_TYPING = tag("typing")
_NAMES = (
    "__name__",
    "__bound__",
    "__constraints__",
    "__covariant__",
    "__contravariant__",
    "__default__",
    "__value__",
    "__type_params__",
    "__supertype__",
)
_KINDS = ("TypeVar", "ParamSpec", "TypeVarTuple", "TypeAliasType", "NewType")


def walk_typing(w: Walker, value: object) -> Children:
    """A type variable, alias or new type: its kind, name, and what it is made of."""
    if w.met(value):
        return
    w.emit(_TYPING + text(type(value).__name__))
    try:
        # Made when first asked for (3.12): what is named there may not be defined yet.
        parts = {name: getattr(value, name) for name in _NAMES if hasattr(value, name)}
    except Exception as error:  # noqa: BLE001  # the user's expression
        w.refuse(value, str(error))
        return
    w.keep.append(parts)
    # What marks that there is no default is a global of typing.
    yield {name: part for name, part in parts.items() if part is not getattr(typing, "NoDefault", parts)}


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is one of these."""
    return walk_typing if kind.__name__ in _KINDS and getattr(typing, kind.__name__, None) is kind else None
