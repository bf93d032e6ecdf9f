"""What is written down of a walk, so that a later difference can be named."""

import os
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from os.path import basename
from types import FunctionType, ModuleType
from typing import Any, Protocol

from ezpyp.describe import SECRET, describe, is_secret, without_secrets
from ezpyp.hashing.code.canonical import Form, Token
from ezpyp.hashing.code.globals import Chain, constant, led_to, takes_variable, thing_of, variables_read
from ezpyp.hashing.code.ownership import Ownership
from ezpyp.hashing.code.sources import bindings, lines_of, source_of
from ezpyp.hashing.files import File
from ezpyp.hashing.framing import digest

# What of a function's code cannot be seen: names computed at run time, files opened by path.

_COMPUTING = frozenset({"eval", "exec", "globals"})
_IMPORTING = frozenset({("builtins", "__import__"), ("importlib", "import_module")})
# Package -> how the names of its functions begin that take a path and read what is there.
_READING: dict[str, tuple[str, ...]] = {
    "io": ("open",),
    "_io": ("open",),
    "codecs": ("open",),
    "gzip": ("open",),
    "bz2": ("open",),
    "lzma": ("open",),
    "posix": ("open", "listdir", "scandir"),
    "nt": ("open", "listdir", "scandir"),
    "glob": ("glob", "iglob"),
    "_sqlite3": ("connect",),
    "numpy": ("load", "genfromtxt", "fromfile", "memmap"),
    "pandas": ("read_",),
    "polars": ("read_", "scan_"),
    "pyarrow": ("read_",),
    "xarray": ("open_", "load_"),
    "scipy": ("load", "mmread", "read"),
    "joblib": ("load",),
    "torch": ("load",),
    "h5py": ("File",),
    "netCDF4": ("Dataset",),
}
_PATH_METHODS = ("read_text", "read_bytes")
_UNKNOWN = "..."


def unseen(function: FunctionType, form: Form, policy: Ownership) -> Iterator[str]:
    """Return what of a function's code cannot be seen, each as "open('a.csv') in NAME (FILE:LINE)"."""
    followed = {use.name for use in form.uses if use.member in ("", None) and use.kind == "import"}
    for use in form.uses:
        thing = thing_of(function, use)
        for chain, kind, text in use.followers if thing is not None else ():
            if kind == "held":
                continue
            if kind == "text" and text in followed:
                continue
            argument = _argument(function, form, led_to(thing, chain), (kind, text), policy)
            if argument is not None:
                yield f"{'.'.join((use.name, *chain))}{argument}{_place(form, (use.name, *chain)[-1])}"
    for method in _PATH_METHODS:
        if method in form.code.co_names:
            yield f"{method}(){_place(form, method)}"


def _argument(
    function: FunctionType, form: Form, led: tuple[object, Chain], follower: tuple[str, str], policy: Ownership
) -> str | None:
    """Return the argument of a call that cannot be seen through, in brackets; None for anything else."""
    thing, rest = led
    if takes_variable(thing, rest):
        # os.environ[name]: of a constant name it is known which variable is read.
        return f"[{_UNKNOWN}]" if constant(function, *follower) is None else None
    module, name = str(getattr(thing, "__module__", "")), str(getattr(thing, "__name__", ""))
    if rest or not callable(thing):
        return None
    if module == "builtins" and name in _COMPUTING:
        return "()"
    if module == "builtins" and name == "getattr":
        return _asked(function, form, *follower, policy)
    if (module, name) in _IMPORTING:
        return _shown(function, *follower)
    if not name.startswith(_READING.get(module.partition(".")[0], ("\0",))) or policy.is_user_module(module):
        return None
    return _shown(function, *follower)


def _shown(function: FunctionType, kind: str, text: str) -> str | None:
    """Return the text of an argument; None for a File, which counts by its content."""
    if kind == "text":
        return f"({describe(text)})"
    if kind == "variable":
        return f"({text if text != 'self' else _UNKNOWN})"
    value = function.__globals__.get(text) if kind == "global" else None
    if isinstance(value, File):
        return None
    return f"({_UNKNOWN if value is None or isinstance(value, ModuleType) or callable(value) else text})"


def _asked(function: FunctionType, form: Form, kind: str, text: str, policy: Ownership) -> str | None:
    """Return what a library's module is asked for a computed name with ``getattr``."""
    thing = function.__globals__.get(text) if kind == "global" else None
    if not isinstance(thing, ModuleType) or policy.is_user_module(thing.__name__):
        # Anything else counts as a whole when it is asked for a name that is no constant.
        return None
    followers = (f for use in form.uses if (use.kind, use.name) == ("global", text) for f in use.followers)
    return f"({text}, {_UNKNOWN})" if any(not chain and how != "text" for chain, how, _ in followers) else None


def _place(form: Form, name: str) -> str:
    line = next((line for kind, first, _, line in form.operations if kind == "name" and first == name), 0)
    return f" in {form.code.co_qualname} ({basename(form.code.co_filename)}:{line or form.code.co_firstlineno})"


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
        return self.form.tokens

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
        body: Operations and source of code.
    """

    kind: str
    name: str
    file: str = ""
    line: int = 0
    digest: str = ""
    text: str = ""
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
        names = ("kind", "name", "file", "line", "digest", "text")
        code = {"tokens": self.tokens, "source": self.source} if self.body is not NO_BODY else {}
        return {name: getattr(self, name) for name in names if getattr(self, name)} | code

    @classmethod
    def from_facts(cls, facts: dict[str, Any]) -> "Part":
        """Return the part of which ``facts`` were kept."""
        tokens, source = facts.pop("tokens", ()), facts.pop("source", None)
        body = Written(tuple(map(tuple, tokens)), source) if tokens or source else NO_BODY
        return cls(**facts, body=body)


class Recorder:
    """Collects the parts of one walk, in the order in which it meets them.

    Args:
        words: Gives the text of a value.
    """

    def __init__(self, words: Callable[[object], str]) -> None:
        self._words = words
        self.parts: list[Part] = []
        self.not_tracked: dict[str, None] = {}
        # Names of what is being walked; None for the environment, of which each variable is noted.
        self.reading: list[str | None] = []
        self.libraries: dict[str, None] = {}
        self.variables: dict[str, None] = {}
        # One look at each file a walk, not one for each name in it.
        self.absolute = cache(_absolute)
        self.lines = cache(lines_of)
        self.bindings = cache(lambda path: bindings(self.lines(path)))

    def function(self, function: FunctionType, form: Form, kind: str) -> None:
        """Note the code of a function."""
        code = function.__code__
        self.parts.append(
            Part(
                kind,
                # A wrapper that bears the name of what it wraps (functools.wraps) stands at a place of its own.
                code.co_qualname if "__wrapped__" in function.__dict__ else function.__qualname__,
                self.absolute(code.co_filename),
                code.co_firstlineno,
                form.digest.hex(),
                f"def {function.__name__}{form.signature}",
                _Live(form),
            )
        )

    def value(self, kind: str, name: str, place: tuple[str, int], data: bytes, value: object) -> None:
        """Note a value that code reads; of one that looks like a secret only the digest."""
        if name.rpartition(".")[2] == "argv" and isinstance(value, list):
            value = without_secrets([str(word) for word in value])
        text = SECRET if is_secret(name) else self._words(value)
        self.parts.append(Part(kind, name, self.absolute(place[0]), place[1], digest(data).hex(), text))

    def name(self, name: str, place: tuple[str, int], value: object) -> None:
        """Note which function or class a name leads to."""
        text = getattr(value, "__qualname__", "")
        self.parts.append(Part("name", name, self.absolute(place[0]), place[1], digest(text.encode()).hex(), text))

    def label(self, name: str, place: tuple[str, int], label: str) -> None:
        """Note what a name of Python's or of a library's leads to."""
        if label:
            self.parts.append(
                Part("name", name, self.absolute(place[0]), place[1], label, label.partition(":")[2] or label)
            )

    def options(self, name: str, place: tuple[str, int], options: object) -> None:
        """Note what a dataclass was told to be; what comes of it counts, attribute by attribute."""
        # Without the name of the class of the options, which is Python's business.
        text = f"dataclass({repr(options).partition('(')[2]}"
        self.parts.append(Part("options", name, self.absolute(place[0]), place[1], digest(text.encode()).hex(), text))

    def untracked(self, what: str) -> None:
        """Note that something counts by its type only."""
        name = self.reading[-1] if self.reading else ""
        if name is None:
            return
        self.not_tracked[f"{name} ({what})" if name else what] = None

    def note_library(self, module: str) -> None:
        """Note that a library is used."""
        top = module.partition(".")[0]
        if top and top not in sys.stdlib_module_names:
            self.libraries[top] = None

    def code(self, function: FunctionType, form: Form, policy: Ownership) -> None:
        """Note what a function's code reads beside the values that it leads to: the environment, files, the unseen."""
        self.variables.update(dict.fromkeys(variables_read(function, form.uses)))
        self.not_tracked.update(dict.fromkeys(unseen(function, form, policy)))

    def all_parts(self, tracked: Mapping[str, str], environment: Mapping[str, str] = os.environ) -> tuple[Part, ...]:
        """Return all parts; last the tracked versions, then what is only recorded."""
        versions = [Part("version", name, digest=_digest_of(text), text=text) for name, text in tracked.items()]
        libraries = [Part("library", name, text=tracked.get(name) or _version(name)) for name in self.libraries]
        variables = [Part("environment", name, digest=_digest_of(environment.get(name))) for name in self.variables]
        return (*self.parts, *versions, *libraries, *variables)


def _absolute(path: str) -> str:
    """Return where a source file is, if it is one: a relative path means another file elsewhere."""
    return os.path.abspath(path) if os.path.exists(path) else path


def _version(package: str) -> str:
    version = getattr(sys.modules.get(package), "__version__", "")
    return version if isinstance(version, str) else ""


def _digest_of(value: str | None) -> str:
    return "" if value is None else digest(value.encode("utf-8", "surrogateescape")).hex()
