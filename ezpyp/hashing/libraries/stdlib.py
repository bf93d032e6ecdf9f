"""Types of the standard library whose own protocol says too much or too little."""

import logging
import os
import pathlib
import sys
import typing

from ezpyp.hashing.objects import walk_instance
from ezpyp.hashing.plain import tag, text
from ezpyp.hashing.walk import Children, Node, Walker

_PATH = tag("path")
_GLOBAL_STATE = tag("global random state")


def walk_path(w: Walker, path: pathlib.PurePath) -> Children:
    """A path: its class and text; 3.13 would tell ``Path("a", "b")`` from ``Path("a/b")``."""
    if type(path).__module__.partition(".")[0] != "pathlib":
        yield from walk_instance(w, path)
        return
    w.emit(_PATH + text(type(path).__name__) + text(str(path)))
    if w.texts is not None:
        w.texts.append(path)


def walk_logger(w: Walker, logger: object) -> Children:
    """A logger: by name in an argument, by type in code, where it is no data."""
    if w.in_code:
        w.emit_type_only(logger)
    else:
        yield from walk_instance(w, logger)


def walk_environment(w: Walker, value: object) -> Children:
    """``os.environ``: never as a whole, or every shell would have a key of its own."""
    w.refuse(value, "the environment differs from shell to shell")
    yield from ()


def walk_random(w: Walker, state: object) -> Children:
    """A generator by its state; the one that all share is another in every process, unless the script seeds it."""
    if state is not sys.modules["random"]._inst:
        yield from walk_instance(w, state)
        return
    w.emit(_GLOBAL_STATE)
    if w.observer is not None:
        w.observer.untracked("Python's global random state")


_TYPING = tag("typing")
_NAMES = tuple(
    """
    __name__ __bound__ __constraints__ __covariant__ __contravariant__ __default__ __value__ __type_params__
    __supertype__
""".split()
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
    if kind is pathlib.PurePath:
        return walk_path
    if (kind.__module__, kind.__qualname__) == ("random", "Random"):
        return walk_random
    if kind is logging.Logger:
        return walk_logger
    if kind.__name__ in _KINDS and getattr(typing, kind.__name__, None) is kind:
        return walk_typing
    return walk_environment if kind is type(os.environ) else None
