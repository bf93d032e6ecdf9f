"""What is recorded of a function: the parts that its digest is made of, so that a later difference can be named."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from types import CodeType, FunctionType
from typing import Any, Protocol

from ezpyp.describe import SECRET, describe, is_secret, without_secrets
from ezpyp.explain.operations import Token, in_words, parameters
from ezpyp.explain.sources import Place, bindings, line_in_class, lines_of, place_of, source_of
from ezpyp.explain.tree import Leaves, Tree, secret_text
from ezpyp.explain.untracked import Circumstance, circumstances_of, untracked_in
from ezpyp.hashing.code.canonical import Form
from ezpyp.hashing.code.identity import FunctionIdentity, function_identity, innermost, is_users_code, undecorated
from ezpyp.hashing.code.ownership import Ownership
from ezpyp.hashing.code.resolve import is_code
from ezpyp.hashing.framing import digest
from ezpyp.hashing.registry import REGISTRY
from ezpyp.hashing.walk import Read, Walker


class Body(Protocol):
    """Operations and source of code."""

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Return the operations as (kind, key, text, line)."""

    @property
    def source(self) -> str | None:
        """Return the source text, where it is the source of that very code."""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written down of code."""

    tokens: tuple[Token, ...] = ()
    source: str | None = None


@dataclass(frozen=True, slots=True)
class _Live:
    """Code of this process: put into words where somebody asks, which a run that finds all cached never does."""

    form: Form

    @property
    def tokens(self) -> tuple[Token, ...]:
        return tuple(map(in_words, self.form.operations))

    @property
    def source(self) -> str | None:
        return source_of(self.form.code)


NO_BODY = Written()


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a function's identity is made of.

    Attributes:
        kind: "code" (the function itself), "helper", "method", "default", "global", "closure", "class", "options" (of a
            dataclass), "name" (which function, class, builtin or library's thing a name leads to), "version" (of a
            package that is tracked), "library" (a version that is only recorded), "environment" (a variable
            that is only recorded).
        name: Name as a reader of the code knows it.
        file: Where it is defined; "" where that is unknown.
        line: First line there; 0 where that is unknown.
        digest: Hex digest of the part by itself.
        text: Short text of its value.
        tree: What its value is made of, see `ezpyp.explain.tree`.
        body: Operations and source of code.
    """

    kind: str
    name: str
    file: str = ""
    line: int = 0
    digest: str = ""
    text: str = ""
    tree: Tree = ""
    body: "Body" = field(default=NO_BODY, repr=False, compare=False)

    @property
    def tokens(self) -> tuple[Token, ...]:
        """Return the operations of code as (kind, key, text, line)."""
        return self.body.tokens

    @property
    def source(self) -> str | None:
        """Return the source text of code, where it is the source of that very code."""
        return self.body.source

    def facts(self) -> dict[str, object]:
        """Return what JSON holds of the part, for ``from_facts``."""
        names = ("kind", "name", "file", "line", "digest", "text", "tree")
        code = {"tokens": self.tokens, "source": self.source} if self.body is not NO_BODY else {}
        return {name: getattr(self, name) for name in names if getattr(self, name)} | code

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Part":
        """Return the part of which ``facts`` were kept."""
        tokens, source = facts.pop("tokens", ()), facts.pop("source", None)
        body = Written(tuple(map(tuple, tokens)), source) if tokens or source else NO_BODY
        return cls(**facts, body=body)


@dataclass(frozen=True, slots=True)
class FunctionRecord:
    """What is recorded of a function.

    Attributes:
        digest: 16 bytes over the code and everything that it leads to.
        name: The function's name.
        module: Module in which it is defined.
        qualname: Its qualified name.
        file: Its source file.
        line: First line there.
        origin: Its code, or its source text.
        parts: What the digest is made of, then what is only recorded.
        not_tracked: What counts by its type only, as "NAME (type)", and what cannot be seen.
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

    @property
    def circumstances(self) -> list[Circumstance]:
        """Return what was around the function when it was recorded."""
        parts = [part for part in self.parts if part.kind in ("environment", "library")]
        return [Circumstance(part.kind, part.name, part.digest, part.text) for part in parts]

    @property
    def counted(self) -> list[str]:
        """Return the packages whose version is in the digest."""
        return [part.name for part in self.parts if part.kind == "version"]

    def to_json(self) -> str:
        """Return the record as JSON text, for ``from_json``."""
        names = ("name", "module", "qualname", "file", "line", "source", "not_tracked", "python")
        facts = {name: getattr(self, name) for name in names}
        parts = [part.facts() for part in self.parts]
        return json.dumps(facts | {"digest": self.digest.hex(), "parts": parts}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "FunctionRecord":
        """Return the record that ``to_json`` wrote."""
        facts = json.loads(text)
        parts = tuple(map(Part.from_facts, facts.pop("parts")))
        found = bytes.fromhex(facts.pop("digest"))
        origin, not_tracked = facts.pop("source"), tuple(facts.pop("not_tracked"))
        return cls(digest=found, origin=origin, parts=parts, not_tracked=not_tracked, **facts)


def record_of(
    function: object, identity: FunctionIdentity | None = None, **tracking: tuple[str, ...]
) -> FunctionRecord:
    """Record a function: a second walk over it, for a digest of which no record is there yet.

    Args:
        function: A function, or anything else that can be called.
        identity: What it is, where that is known.
        tracking: As for `ezpyp.hashing.code.identity.function_identity`.

    Example:
        >>> def area(r):
        ...     return 3 * r * r
        >>> [(part.kind, part.name, part.text) for part in record_of(area).parts]
        [('code', 'area', 'def area(r)')]
    """
    identity = identity or function_identity(function, **tracking)
    function = undecorated(function)
    root = innermost(function)
    recorder = FunctionObserver(Ownership(tracking.get("track", ()), tracking.get("no_track", ())))
    Walker(REGISTRY, recorder.policy, root=root, observer=recorder).write(function)
    code = getattr(root, "__code__", None)
    return FunctionRecord(
        digest=identity.digest,
        name=identity.name,
        module=str(getattr(function, "__module__", None) or ""),
        qualname=identity.qualname,
        file=code.co_filename if code else "",
        line=code.co_firstlineno if code else 0,
        origin=code,
        parts=(*recorder.parts, *_recorded_only(identity)),
        not_tracked=tuple(recorder.not_tracked),
        python=sys.implementation.cache_tag or "",
    )


def _recorded_only(identity: FunctionIdentity) -> list[Part]:
    """Versions that count, then what counts in no key."""
    versions = [
        Part("version", name, digest=digest(text.encode()).hex(), text=text) for name, text in identity.versions.items()
    ]
    return versions + [Part(c.kind, c.name, digest=c.digest, text=c.text) for c in circumstances_of(identity)]


def code_record(value: object) -> FunctionRecord | None:
    """Record a function or class of the user's; None for a library's and for anything else."""
    return record_of(value) if is_users_code(value) else None


class FunctionObserver:
    """Collects the parts of one walk, in the order in which it meets them; see `ezpyp.hashing.walk.Observer`.

    Args:
        policy: Whose code is whose.
    """

    def __init__(self, policy: Ownership) -> None:
        self.policy = policy
        self.parts: list[Part] = []
        self.not_tracked: dict[str, None] = {}
        self._leaves = Leaves(with_code=False)
        # Names of what is being walked; None for the environment, of which each variable is noted.
        self._reading: list[str | None] = []
        # One look at each file a walk, not one for each name in it.
        self._absolute: Callable[[str], str] = cache(_absolute)
        self._lines = cache(lines_of)
        self._bindings = cache(lambda path: bindings(self._lines(path)))

    def function(self, function: FunctionType, form: Form, kind: str) -> None:
        """Note the code of a function."""
        code = function.__code__
        # A wrapper that bears the name of what it wraps (functools.wraps) stands at a place of its own.
        name = code.co_qualname if "__wrapped__" in function.__dict__ else function.__qualname__
        text = f"def {function.__name__}{parameters(code)}"
        place = self._absolute(code.co_filename), code.co_firstlineno
        self.parts.append(Part(kind, name, *place, form.digest.hex(), text, body=_Live(form)))
        self.not_tracked.update(dict.fromkeys(untracked_in(function, form, self.policy)))

    def begin(self, name: str | None) -> None:
        """A value is walked from here on."""
        self._reading.append(name)

    def value(self, read: Read, place: Place) -> None:
        """Note a value that code reads; of one that looks like a secret only the digest."""
        self._reading.pop()
        value, at = read.value, (self._absolute(place[0]), place[1])
        if is_code(value):
            name = getattr(value, "__qualname__", "")
            self.parts.append(Part("name", read.name, *at, digest(name.encode()).hex(), name))
            return
        if read.name.rpartition(".")[2] == "argv" and isinstance(value, list):
            value = without_secrets([str(word) for word in value])
        if is_secret(read.name):
            self.parts.append(Part(read.kind, read.name, *at, read.digest.hex(), SECRET, secret_text(value)))
            return
        text, tree = describe(value), self._leaves.tree(value, str)
        self.parts.append(Part(read.kind, read.name, *at, read.digest.hex(), text, tree))

    def label(self, name: str, place: Place, label: str) -> None:
        """Note what a name of Python's or of a library's leads to."""
        if label:
            text = label.partition(":")[2] or label
            self.parts.append(Part("name", name, self._absolute(place[0]), place[1], label, text))

    def options(self, name: str, place: Place, options: object) -> None:
        """Note what a dataclass was told to be; what comes of it counts, attribute by attribute."""
        names = type(options).__slots__  # type: ignore[attr-defined]  # they are dataclasses' own
        told: dict[str, Tree] = {f".{option}": repr(getattr(options, option)) for option in names}
        at = (self._absolute(place[0]), place[1])
        self.parts.append(
            Part("options", name, *at, digest(repr(told).encode()).hex(), "dataclass", ("dataclass", told))
        )

    def untracked(self, what: str) -> None:
        """Note that something counts by its type only."""
        name = self._reading[-1] if self._reading else ""
        if name is not None:
            self.not_tracked[f"{name} ({what})" if name else what] = None

    def place_of_global(self, function: FunctionType, name: str, file: str) -> Place:
        """Where a global is bound."""
        path = file or str(function.__globals__.get("__file__") or function.__code__.co_filename)
        # "conf.RATE" is bound as RATE in the file of conf, "np.mean" as np in the file that reads it.
        bound = name.rpartition(".")[2] if file else name.partition(".")[0]
        return place_of(path, bound, self.policy.is_user_module, self._bindings)

    def place_of_attribute(self, kind: type, name: str) -> Place:
        """Where a class, or an attribute of it, is bound."""
        file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
        return file, line_in_class(self._lines(file), name, kind.__name__)


def _absolute(path: str) -> str:
    """Return where a source file is, if it is one: a relative path means another file elsewhere."""
    return os.path.abspath(path) if os.path.exists(path) else path
