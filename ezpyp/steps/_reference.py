"""What a Step and a PlaceHolder have in common: they stand for a value that is not there yet."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any, NoReturn

from ezpyp.errors import NotEvaluatedError

if TYPE_CHECKING:
    from ezpyp.steps._step import Step

_PLAIN_VALUES = (int, float, complex, str, bytes, type(None))

# Every way in which Python asks an object for its value. `__iter__` stands here although it looks needless:
# `__getitem__` alone would let `for part in step` count up for ever.
_VALUE_USES = [
    "bool",
    "len",
    "iter",
    "next",
    "reversed",
    "contains",
    "call",
    "int",
    "float",
    "complex",
    "index",
    "round",
    "trunc",
    "floor",
    "ceil",
    "abs",
    "neg",
    "pos",
    "invert",
    "array",
    "array_ufunc",
    "array_function",
    "add",
    "radd",
    "sub",
    "rsub",
    "mul",
    "rmul",
    "matmul",
    "rmatmul",
    "truediv",
    "rtruediv",
    "floordiv",
    "rfloordiv",
    "mod",
    "rmod",
    "divmod",
    "rdivmod",
    "pow",
    "rpow",
    "lshift",
    "rlshift",
    "rshift",
    "rrshift",
    "and",
    "rand",
    "or",
    "ror",
    "xor",
    "rxor",
    "lt",
    "le",
    "gt",
    "ge",
    "iadd",
    "isub",
    "imul",
    "itruediv",
    "setitem",
    "delitem",
    "enter",
    "aenter",
    "await",
    "aiter",
]


class Reference:
    """Base of what can be passed to a step in place of a value.

    Using one as if it were the value raises `NotEvaluatedError`; ``reference[part]`` picks a part.
    """

    __slots__ = ()
    __ezpyp_untracked__ = True
    # Among arguments a step is found, and replaced by its result, before anything is hashed.
    __ezpyp_refusal__ = (
        "a step inside an object of this kind cannot be replaced by its result; give it as an argument of its own, or "
        "in a list, tuple, set, dict or dataclass"
    )

    step: Step
    path: tuple[tuple[str, object], ...]

    def __eq__(self, other: object) -> bool:
        if isinstance(other, _PLAIN_VALUES) and other is not None:
            _refuse(self, "==")
        return self is other

    def __hash__(self) -> int:
        return object.__hash__(self)

    def __format__(self, specification: str) -> str:
        if specification:
            _refuse(self, f"format({specification!r})")
        return str(self)

    def __reduce__(self) -> NoReturn:
        _refuse(self, "pickle")


def _refuse(reference: Reference, use: str) -> NoReturn:
    raise NotEvaluatedError(
        f"{use} on {reference!r}, which is not evaluated yet: pass it to a step, or use get_result() after execute()"
    )


def _refusal(use: str) -> Any:
    def method(self: Reference, *_: object, **__: object) -> NoReturn:
        _refuse(self, use)

    method.__name__ = f"__{use}__"
    return method


for _use in _VALUE_USES:
    setattr(Reference, f"__{_use}__", _refusal(_use))


def refuse_fspath(self: Reference) -> NoReturn:
    """`open(step)` and `Path(step)` ask for a path; a step has none yet."""
    _refuse(self, os.fspath.__name__)


Reference.__fspath__ = refuse_fspath  # type: ignore[attr-defined]  # added like the uses above
