"""Types of the standard library whose own protocol says too much or too little."""

import logging
import os
import pathlib
import sys

from ezpyp.hashing.framing import tag, text
from ezpyp.hashing.objects import walk_instance
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


def find(kind: type) -> Node | None:
    """Return the way to write instances of ``kind``, if it is one of these."""
    if kind is pathlib.PurePath:
        return walk_path
    if (kind.__module__, kind.__qualname__) == ("random", "Random"):
        return walk_random
    if kind is logging.Logger:
        return walk_logger
    return walk_environment if kind is type(os.environ) else None
