"""What a function is: one digest over its code and all that the code leads to."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from types import BuiltinFunctionType, FunctionType, MethodType

from ezpyp.describe import describe
from ezpyp.hashing.code.packages import Ownership, tracked, versions_as_bytes
from ezpyp.hashing.plain import digest, tag
from ezpyp.hashing.registry import REGISTRY
from ezpyp.hashing.walk import Read, Walker

_IDENTITY = tag("function identity")


@dataclass(frozen=True, slots=True)
class FunctionIdentity:
    """What a function is.

    Attributes:
        digest: 16 bytes over the code and everything that it leads to.
        name: The function's name; like the following, in no digest.
        qualname: Its qualified name.
        reads: What its code, and the code that it leads to, reads.
        libraries: The libraries that the code leads to.
        variables: Environment variables that the code reads by a constant name.
        versions: Package -> its version, as far as that counts.
    """

    digest: bytes
    name: str
    qualname: str
    reads: tuple[Read, ...] = field(repr=False, compare=False)
    libraries: tuple[str, ...]
    variables: tuple[str, ...]
    versions: Mapping[str, str]


def innermost(function: object) -> object:
    """Return what a call runs first: it counts by content whoever owns it, and its defaults come with the arguments."""
    while True:
        if isinstance(function, MethodType | staticmethod | classmethod):
            function = function.__func__
        elif isinstance(function, partial):
            function = function.func
        elif isinstance(function, FunctionType | type | BuiltinFunctionType):
            return function
        else:
            return getattr(function, "__wrapped__", None) or (
                type(function).__call__ if callable(function) else function
            )


def function_identity(
    function: object,
    *,
    track: tuple[str, ...] = (),
    no_track: tuple[str, ...] = (),
    track_versions: tuple[str, ...] = (),
    versions_where_used: tuple[str, ...] = (),
) -> FunctionIdentity:
    """Return what ``function`` is: its code, and all of the user's that the code leads to.

    Returns:
        The identity; its digest does not depend on the function's own name, place, comments, docstring, annotations or
        defaults (defaults come in with the bound arguments of a call).

    Raises:
        OptionError: A package whose version counts is not installed or has no version.

    Example:
        >>> function_identity(lambda x: x**2).digest == function_identity(lambda x: x**3).digest
        False
    """
    function = undecorated(function)
    walker = Walker(REGISTRY, Ownership(track, no_track), root=innermost(function))
    data = walker.write(function)
    versions = tracked(track_versions, versions_where_used, frozenset(walker.libraries))
    return FunctionIdentity(
        digest=digest(_IDENTITY + data + versions_as_bytes(versions)),
        name=getattr(function, "__name__", None) or describe(function),
        qualname=getattr(function, "__qualname__", None) or describe(function),
        reads=tuple(walker.reads_noted),
        libraries=tuple(walker.libraries),
        variables=tuple(walker.variables),
        versions=versions,
    )


def undecorated(function: object) -> object:
    """What a decorator of ezpyp's was given."""
    while getattr(function, "__ezpyp_function__", None) is not None:
        function = function.__ezpyp_function__  # type: ignore[attr-defined]  # just looked
    return function
