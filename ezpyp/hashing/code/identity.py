"""What a function is: one digest over its code and all that the code leads to, and the parts that name a change."""

import json
import sys
from dataclasses import dataclass, field
from functools import partial
from types import BuiltinFunctionType, CodeType, FunctionType, MethodType

from ezpyp.describe import describe
from ezpyp.hashing.code.ownership import Ownership
from ezpyp.hashing.code.sources import source_of
from ezpyp.hashing.code.versions import tracked, versions_as_bytes
from ezpyp.hashing.encode import says_itself, short_digest
from ezpyp.hashing.framing import digest, tag
from ezpyp.hashing.recording import Part, Recorder
from ezpyp.hashing.registry import REGISTRY
from ezpyp.hashing.walk import Walker
from ezpyp.hashing.wording import wording

_IDENTITY = tag("function identity")


@dataclass(frozen=True, slots=True)
class FunctionIdentity:
    """What a function is.

    Attributes:
        digest: 16 bytes over the code and everything that it leads to.
        name: The function's name; like the following, in no digest.
        module: Module in which it is defined.
        qualname: Its qualified name.
        file: Its source file.
        line: First line there.
        origin: Its code, or its source text.
        parts: What the digest is made of.
        not_tracked: What counts by its type only, as "NAME (type)".
        python: Tag of the Python that compiled the code, which is in a step's key but not in the digest.
    """

    digest: bytes
    name: str
    module: str
    qualname: str
    file: str
    line: int
    origin: CodeType | str | None = field(repr=False, compare=False)
    parts: tuple[Part, ...]
    not_tracked: tuple[str, ...]
    python: str = ""

    @property
    def source(self) -> str | None:
        """Return the function's source text, if that compiles to the very code that runs; else None."""
        return source_of(self.origin) if isinstance(self.origin, CodeType) else self.origin

    def to_json(self) -> str:
        """Return the identity as JSON text, for ``from_json``."""
        names = ("name", "module", "qualname", "file", "line", "source", "not_tracked", "python")
        facts = {name: getattr(self, name) for name in names}
        parts = [part.facts() for part in self.parts]
        return json.dumps(facts | {"digest": self.digest.hex(), "parts": parts}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "FunctionIdentity":
        """Return the identity that ``to_json`` wrote."""
        facts = json.loads(text)
        parts = tuple(map(Part.from_facts, facts.pop("parts")))
        found = bytes.fromhex(facts.pop("digest"))
        origin, not_tracked = facts.pop("source"), tuple(facts.pop("not_tracked"))
        return cls(digest=found, origin=origin, parts=parts, not_tracked=not_tracked, **facts)


def _innermost(function: object) -> object:
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

    Args:
        function: A function, or anything else that can be called.
        track: Libraries that count by content.
        no_track: Packages of the user's that count by name.
        track_versions: Packages whose installed version counts.
        versions_where_used: Packages whose installed version counts if the code leads to them.

    Returns:
        The identity; its digest does not depend on the function's own name, place, comments, docstring, annotations or
        defaults (defaults come in with the bound arguments of a call).

    Raises:
        OptionError: A package whose version counts is not installed or has no version.

    Example:
        >>> function_identity(lambda x: x**2).digest == function_identity(lambda x: x**3).digest
        False
    """
    while getattr(function, "__ezpyp_function__", None) is not None:
        function = function.__ezpyp_function__  # type: ignore[attr-defined]  # just looked
    recorder = Recorder(partial(wording, digest_of=short_digest, says_itself=says_itself))
    walker = Walker(REGISTRY, Ownership(track, no_track), root=_innermost(function), recorder=recorder)
    data = walker.write(function)
    versions = tracked(track_versions, versions_where_used, frozenset(recorder.libraries))
    code = getattr(walker.root, "__code__", None)
    return FunctionIdentity(
        digest=digest(_IDENTITY + data + versions_as_bytes(versions)),
        name=getattr(function, "__name__", None) or describe(function),
        module=str(getattr(function, "__module__", None) or ""),
        qualname=getattr(function, "__qualname__", None) or describe(function),
        file=code.co_filename if code else "",
        line=code.co_firstlineno if code else 0,
        origin=code,
        parts=recorder.all_parts(versions),
        not_tracked=tuple(recorder.not_tracked),
        python=sys.implementation.cache_tag or "",
    )


# What may be written down of an argument besides its text: digests, and the code that it brings along.


def code_identity(value: object) -> FunctionIdentity | None:
    """Return what a function or class of the user's is; None for a library's and for anything else.

    Example:
        >>> code_identity(len) is None
        True
    """
    policy = Ownership()
    is_users = policy.owns_function(value) if isinstance(value, FunctionType) else (
        isinstance(value, type) and not policy.is_library(value)
    )  # fmt: skip
    return function_identity(value) if is_users else None
