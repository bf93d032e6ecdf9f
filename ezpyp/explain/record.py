"""What is recorded of a function: the parts that its digest is made of, so that a later difference can be named."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from opcode import _nb_ops, cmp_op, opmap, opname  # type: ignore[attr-defined]  # no other place has the operators
from types import CodeType, FunctionType
from typing import Any

from xxhash import xxh3_64_hexdigest

from ezpyp.describe import SECRET, describe, is_secret, without_secrets
from ezpyp.explain import sources
from ezpyp.explain.sources import Place, source_of
from ezpyp.explain.tree import Node, TreeBuilder
from ezpyp.explain.untracked import Circumstance, circumstances_of, untracked_in
from ezpyp.hashing.code.bytecode import JUMPS
from ezpyp.hashing.code.canonical import Form, Operation
from ezpyp.hashing.code.globals import is_environment
from ezpyp.hashing.code.identity import FunctionIdentity, function_identity, innermost, undecorated
from ezpyp.hashing.code.packages import Ownership
from ezpyp.hashing.code.resolve import is_code
from ezpyp.hashing.plain import digest
from ezpyp.hashing.registry import REGISTRY
from ezpyp.hashing.walk import Read, Walker

Token = tuple[str, str, str, int]
"""One operation: kind ("constant", "keyword", "name", "operator", "variable", "op"), what tells it from others of its
kind, its text, its line. A tuple, since there are thousands and they go into JSON."""


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
        tree: What its value is made of.
        tokens: Operations of code.
        source: Source text of code, where that compiles to the very code.
    """

    kind: str
    name: str
    file: str = ""
    line: int = 0
    digest: str = ""
    text: str = ""
    tree: Node | None = None
    tokens: tuple[Token, ...] = field(default=(), repr=False)
    source: str | None = field(default=None, repr=False)

    def to_json(self) -> dict[str, object]:
        """Return what JSON holds of the part, for ``from_json``."""
        facts = {name: getattr(self, name) for name in self.__slots__ if getattr(self, name)}
        return facts | {"tree": self.tree.to_json()} if self.tree else facts

    @classmethod
    def from_json(cls, facts: dict[str, Any]) -> "Part":
        """Return the part of which ``to_json`` gave ``facts``."""
        tree = Node.from_json(facts.pop("tree")) if "tree" in facts else None
        return cls(**facts | {"tree": tree, "tokens": tuple(map(tuple, facts.pop("tokens", ())))})


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
        source: Its source text, where that compiles to the very code that runs.
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
    source: str | None = field(repr=False)
    parts: tuple[Part, ...]
    not_tracked: tuple[str, ...]
    python: str = ""

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
        parts = [part.to_json() for part in self.parts]
        return json.dumps(facts | {"digest": self.digest.hex(), "parts": parts}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "FunctionRecord":
        """Return the record that ``to_json`` wrote."""
        facts = json.loads(text)
        parts = tuple(map(Part.from_json, facts.pop("parts")))
        found = bytes.fromhex(facts.pop("digest"))
        not_tracked = tuple(facts.pop("not_tracked"))
        return cls(digest=found, parts=parts, not_tracked=not_tracked, **facts)


def record_of(
    function: object, identity: FunctionIdentity | None = None, **tracking: tuple[str, ...]
) -> FunctionRecord:
    """Record a function: a second walk over it, for a digest of which no record is there yet.

    Example:
        >>> def area(r):
        ...     return 3 * r * r
        >>> [(part.kind, part.name, part.text) for part in record_of(area).parts]
        [('code', 'area', 'def area(r)')]
    """
    identity = identity or function_identity(function, **tracking)
    function = undecorated(function)
    root = innermost(function)
    observer = FunctionObserver(Ownership(tracking.get("track", ()), tracking.get("no_track", ())))
    Walker(REGISTRY, observer.policy, root=root, observer=observer).write(function)
    code = getattr(root, "__code__", None)
    return FunctionRecord(
        digest=identity.digest,
        name=identity.name,
        module=str(getattr(function, "__module__", None) or ""),
        qualname=identity.qualname,
        file=code.co_filename if code else "",
        line=code.co_firstlineno if code else 0,
        source=source_of(code) if code else None,
        parts=(*observer.parts, *_recorded_only(identity)),
        not_tracked=tuple(observer.not_tracked),
        python=sys.implementation.cache_tag or "",
    )


def _recorded_only(identity: FunctionIdentity) -> list[Part]:
    """Versions that count, then what counts in no key."""
    versions = [
        Part("version", name, digest=digest(text.encode()).hex(), text=text) for name, text in identity.versions.items()
    ]
    return versions + [Part(c.kind, c.name, digest=c.digest, text=c.text) for c in circumstances_of(identity)]


class FunctionObserver:
    """Collects the parts of one walk, in the order in which it meets them; see `ezpyp.hashing.walk.Observer`."""

    def __init__(self, policy: Ownership) -> None:
        self.policy = policy
        self.parts: list[Part] = []
        self.not_tracked: dict[str, None] = {}
        self._trees = TreeBuilder(with_code=False)
        # Names of what is being walked; None for the environment, of which each variable is noted.
        self._reading: list[str | None] = []
        # One look at each file a walk, not one for each name in it.
        self._absolute: Callable[[str], str] = cache(_absolute)

    def function(self, function: FunctionType, form: Form, kind: str) -> None:
        """Note the code of a function."""
        code = function.__code__
        # A wrapper that bears the name of what it wraps (functools.wraps) stands at a place of its own.
        name = code.co_qualname if "__wrapped__" in function.__dict__ else function.__qualname__
        text = f"def {function.__name__}{_parameters(code)}"
        place = self._absolute(code.co_filename), code.co_firstlineno
        tokens = tuple(map(_token, form.operations))
        self.parts.append(Part(kind, name, *place, form.digest.hex(), text, None, tokens, source_of(code)))
        self.not_tracked.update(dict.fromkeys(untracked_in(function, form, self.policy)))

    def begin(self, name: str, value: object) -> None:
        """A value is walked from here on; the environment has no name, since each variable that is read counts."""
        self._reading.append(None if is_environment(value) else name)

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
            tree = Node(SECRET, digest=read.digest.hex()[:16])
            self.parts.append(Part(read.kind, read.name, *at, read.digest.hex(), SECRET, tree))
            return
        tree = self._trees.tree(value)
        self.parts.append(Part(read.kind, read.name, *at, read.digest.hex(), describe(value), tree))

    def label(self, name: str, place: Place, label: str) -> None:
        """Note what a name of Python's or of a library's leads to."""
        if label:
            text = label.partition(":")[2] or label
            self.parts.append(Part("name", name, self._absolute(place[0]), place[1], label, text))

    def options(self, name: str, place: Place, options: object) -> None:
        """Note the options of a dataclass; what comes of it counts, attribute by attribute."""
        names = type(options).__slots__  # type: ignore[attr-defined]  # they are dataclasses' own
        tree = Node("dataclass", tuple((f".{option}", Node(repr(getattr(options, option)))) for option in names))
        at = (self._absolute(place[0]), place[1])
        self.parts.append(Part("options", name, *at, digest(repr(tree).encode()).hex(), "dataclass", tree))

    def untracked(self, what: str) -> None:
        """Note that something counts by its type only."""
        name = self._reading[-1] if self._reading else ""
        if name is not None:
            self.not_tracked[f"{name} ({what})" if name else what] = None

    def place_of_global(self, function: FunctionType, name: str, file: str) -> Place:
        """Where a global is bound."""
        path = file or str(function.__globals__.get("__file__") or function.__code__.co_filename)
        # "conf.RATE" is bound as RATE in the file of conf, "np.mean" as np in the file that reads it, and "RATES['a']"
        # where RATES is.
        name = name.partition("[")[0]
        bound = name.rpartition(".")[2] if file else name.partition(".")[0]
        return sources.place_of_global(path, bound, self.policy.is_user_module)

    def place_of_attribute(self, kind: type, name: str) -> Place:
        """Where a class, or an attribute of it, is bound."""
        return sources.place_of_attribute(kind, name)


def _absolute(path: str) -> str:
    """Return where a source file is, if it is one: a relative path means another file elsewhere."""
    return os.path.abspath(path) if os.path.exists(path) else path


# The operations of code as they are recorded.

_BINARY, _COMPARE = opmap["BINARY_OP"], opmap["COMPARE_OP"]
_NOT = {opmap["IS_OP"]: ("is", "is not"), opmap["CONTAINS_OP"]: ("in", "not in")}
# Most of a constant that is recorded, and most of it that counts for its digest.
_LONG, _LONGEST = 400, 1 << 20
_COMPARE_SHIFT = 0 if sys.version_info < (3, 12) else 4 if sys.version_info < (3, 13) else 5


def _token(operation: Operation) -> Token:
    """Return an operation as it is recorded."""
    kind, first, second, line = operation
    if kind == "variable":
        # Renaming a variable is no change: its number tells it.
        return kind, str(first), str(second), line
    if kind == "op":
        kind, text = _spelled(first, second)  # type: ignore[arg-type]  # opcode and argument
    elif kind == "constant":
        return kind, *_constant(first), line
    else:
        text = str(first) if kind == "name" else ", ".join(first)  # type: ignore[arg-type]  # names of keywords
    return kind, text, text, line


def _constant(value: object) -> tuple[str, str]:
    """Return what tells a constant from others, and its text."""
    text = "..." if value is Ellipsis else describe(value, _LONG)
    if len(text) < _LONG:
        return text, text
    # The last characters of a long text may be all that changes.
    return text + xxh3_64_hexdigest(describe(value, _LONGEST).encode("utf-8", "surrogatepass")), text


def _spelled(op: int, arg: int) -> tuple[str, str]:
    """Return the kind and text of an operation: an operator as it is written, others by name."""
    if op == _BINARY and arg < len(_nb_ops):
        return "operator", str(_nb_ops[arg][1])
    if op == _COMPARE:
        return "operator", cmp_op[(arg >> _COMPARE_SHIFT) % len(cmp_op)]
    if op in _NOT:
        return "operator", _NOT[op][arg & 1]
    if op in JUMPS:
        return "op", opname[op].replace("FORWARD_", "").replace("BACKWARD_", "")
    return "op", f"{opname[op]} {arg}"


def _parameters(code: CodeType) -> str:
    """Return the parameters of a code object as they are written, without defaults."""
    names = list(code.co_varnames)
    usual, keyword = code.co_argcount, code.co_argcount + code.co_kwonlyargcount
    rest = keyword
    star = []
    if code.co_flags & 4:
        star = ["*" + names[rest]]
        rest += 1
    elif code.co_kwonlyargcount:
        star = ["*"]
    parts = [*names[:usual], *star, *names[usual:keyword], *(["**" + names[rest]] if code.co_flags & 8 else [])]
    if code.co_posonlyargcount:
        parts.insert(code.co_posonlyargcount, "/")
    return f"({', '.join(parts)})"
