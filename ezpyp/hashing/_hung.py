"""The user's code that was hung on a library's class: ``Fraction.half = ...``, accessors of pandas."""

from collections.abc import Iterator
from functools import partial, partialmethod
from types import FunctionType, MethodType

from ezpyp.hashing._ownership import Ownership

_DESCRIPTORS = (staticmethod, classmethod, property, partial, partialmethod, MethodType)
_HELD = ("__func__", "fget", "fset", "func")


def hung(kind: type, names: set[str], policy: Ownership) -> Iterator[tuple[str, object]]:
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
