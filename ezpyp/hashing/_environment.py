"""Environment variables that code reads by a constant name: recorded, never part of a digest."""

import os
from collections.abc import Iterator
from types import FunctionType, MethodType

from ezpyp.hashing._things import led_to, thing_of
from ezpyp.hashing._uses import Chain, Use

_READERS = frozenset({"get", "setdefault", "pop", "__getitem__", "__contains__"})


def variables_read(function: FunctionType, uses: tuple[Use, ...]) -> Iterator[str]:
    """Return the names of environment variables that code reads, as far as they are constants."""
    for use in uses:
        thing = thing_of(function, use)
        for chain, kind, text in use.followers if thing is not None else ():
            name = constant(function, kind, text)
            if name is not None and takes_variable(*led_to(thing, chain)):
                yield name


def constant(function: FunctionType, kind: str, text: str) -> str | None:
    """Return the text that follows a chain, written there or as a global; None for anything else."""
    value = function.__globals__.get(text) if kind == "global" else text if kind == "text" else None
    return value if isinstance(value, str) else None


def is_environment(value: object) -> bool:
    """Tell whether a value is the environment or reads it, so that what is read of it is recorded by name."""
    return takes_variable(value, ())


def takes_variable(thing: object, rest: Chain) -> bool:
    """Tell whether an attribute of a thing takes the name of an environment variable."""
    if thing is os.environ:
        return not rest or (len(rest) == 1 and rest[0] in _READERS)
    if isinstance(thing, MethodType) and thing.__self__ is os.environ:
        return not rest and thing.__name__ in _READERS
    return thing is os.getenv and not rest
