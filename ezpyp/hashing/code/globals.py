"""What a body of code reads from outside: globals, closure variables and imports, with the attributes read of each.

Fed with the operations in the order of control. ``config.model.rate`` is one chain, ``(model, rate)`` of the global
``config``, as ``config["model"].rate`` is ``(['model'], rate)``; the empty chain means that the thing itself is used
(called, passed on, stored).
"""

import builtins
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import FunctionType, MethodType, ModuleType
from typing import NamedTuple, Protocol

Chain = tuple[str, ...]
_MEMBERS = frozenset({"LOAD_ATTR", "LOAD_METHOD"})
_LOADS = frozenset({"LOAD_FAST", "LOAD_FAST_CHECK", "LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})
_STORES = frozenset({"STORE_FAST", "STORE_DEREF", "STORE_NAME", "STORE_GLOBAL"})
# Operations between a name and what is done with it that change nothing.
_NEUTRAL = frozenset({"PUSH_NULL", "SWAP", "POP_TOP", "PRECALL"})
# Variables that hold what variables hold; more of them are not followed.
_DEPTH = 4
# They give the module that a text names.
_IMPORTERS = frozenset({"import_module", "__import__"})


# A chain, what kind of thing comes next ("text", a constant; "global"; "variable"; "" for anything else), and its text.
# In '"HOME" in os.environ' the text comes first.
Follower = tuple[Chain, str, str]


class Use(NamedTuple):
    """One thing that code reads from outside.

    Attributes:
        kind: "global", "free" (a closure variable) or "import".
        name: Name of the global or variable, or of the module.
        chains: Attributes read of it, in order of first mention; () is the thing itself.
        followers: What comes next after a chain, as its first argument or key.
        level: Dots of a relative import.
        member: What is imported from the module, if one thing is; "" where code holds that very module, a part of a
            package too (``importlib.import_module("a.b")``).
    """

    kind: str
    name: str
    chains: tuple[Chain, ...]
    followers: tuple["Follower", ...] = ()
    level: int = 0
    member: str | None = None


class Scope(Protocol):
    """What is known of variables where a piece of code stands."""

    def number(self, name: str) -> int:
        """Return the number of a variable."""

    def is_outermost(self, name: str) -> bool:
        """Tell whether a free variable comes from outside of the whole code."""


Key = tuple[str, str, int, str | None]


@dataclass(slots=True)
class _Reading:
    chains: dict[Chain, None] = field(default_factory=dict)
    followers: dict[Follower, None] = field(default_factory=dict)


class Uses:
    """Collects the uses of one function, nested code included."""

    def __init__(self) -> None:
        # Attributes that are read of anything, and those of things that no name outside leads to.
        self.attributes: set[str] = set()
        self.loose: set[str] = set()
        self._entries: dict[Key | int, _Reading] = {}
        self._aliases: dict[int, set[Key]] = {}
        # Variables that hold what a chain leads to ("env = os.environ"): only what is recorded looks at them.
        self._held: dict[int, dict[tuple[Key | int, Chain], None]] = {}
        # The constant in front of what is read now, as in '"HOME" in os.environ'.
        self._last: object = None
        self._subject: object = None
        self._globals: dict[str, int] = {}
        self._bodies: list[Scope] = []
        self._current: tuple[Key | int, list[str]] | None = None
        self._after_getattr = False
        # getattr(thing, "name" ...: the thing, until it is seen whether the name is the whole of the argument.
        self._asked: tuple[Key | int, Chain, str] | None = None
        self._constants: list[object] = []
        self._module: tuple[int, str, bool] = (0, "", False)
        self._imported: Key | None = None
        # The name that was loaded last, and the module that a call or key right behind would give.
        self._loaded = ""
        self._named: Key | None = None
        # A chain that ended before a constant, as in CONF["k"] or CONF.get("k"), until it is seen whether that is a
        # key; whether the chain was noted for it alone; and the constant.
        self._keyed: tuple[Key | int, Chain, bool, object] | None = None
        # type(x) and x.__class__: classes, whose names count anyway.
        self._is_class = False

    def open_body(self, scope: Scope) -> None:
        """Enter a code object."""
        self._finish()
        self._bodies.append(scope)

    def close_body(self) -> None:
        """Leave it."""
        self._finish()
        self._bodies.pop()

    def global_number(self, name: str) -> int:
        """Return the number of a global, in the order of first mention."""
        return self._globals.setdefault(name, len(self._globals))

    def global_read(self, name: str) -> int:
        """Note that a global is read, and return its number."""
        self._finish("global", name)
        self._start(("global", name, 0, None))
        self._loaded = name
        return self.global_number(name)

    def variable(self, operation: str, name: str) -> None:
        """Note a load or store of a variable."""
        scope = self._bodies[-1]
        number = scope.number(name)
        if operation in _STORES and self._current == (self._imported, []):
            self._current = None
        if operation in _STORES and self._current is not None:
            key, chain = self._current
            self._held.setdefault(number, {})[key, tuple(chain)] = None
            self._finish("held")
        self._finish("variable", name)
        if operation in _STORES and self._imported is not None:
            self._aliases.setdefault(number, set()).add(self._imported)
        elif operation in _LOADS:
            self._start(("free", name, 0, None) if scope.is_outermost(name) else number)
            # Of "type(self)" it is type that is called.
            self._loaded = self._loaded if self._loaded == "type" or name == "type" else name
        self._imported = None

    def name(self, operation: str, name: str) -> None:
        """Note an operation on an attribute, an import, or a name of a class body."""
        if operation in _MEMBERS:
            self._attribute(name)
        if operation in _MEMBERS and self._current is not None:
            self._current[1].append(name)
        elif operation == "IMPORT_NAME":
            self._finish()
            self._import(name)
        elif operation == "IMPORT_FROM":
            self._finish()
            self._import_from(name)
        else:
            self._finish()
            if operation in _STORES and self._imported is not None:
                # Bound in a class body or as a global: read by name from then on.
                self._entry(self._imported).chains[()] = None
            self._imported = None

    def _attribute(self, name: str) -> None:
        self.attributes.add(name)
        is_led_to = self._current is not None and isinstance(self._current[0], tuple) and not _has_key(self._current[1])
        if not is_led_to and not (self._is_class and name == "__name__"):
            self.loose.add(name)
        self._is_class = name == "__class__"

    def constant(self, value: object) -> None:
        """Note a constant; a string after a chain may name an attribute, a module, an environment variable."""
        if isinstance(value, str) and value.startswith("__"):
            # As getattr or operator.attrgetter take it.
            self.loose.add(value)
        if self._asked is not None:
            # A default for what is missing; anything else done with the name settles the question in _finish.
            return
        self._last = value
        keyed = self._ends_before(value)
        named = None
        if isinstance(value, str) and self._current is not None:
            named = self._module_of(value)
            if self._after_getattr:
                key, chain = self._current
                self._entry(key).followers[tuple(chain), "text", value] = None
                self._asked = (key, tuple(chain), value)
                self._current = None
                self.attributes.add(value)
                return
            self._finish("text", value)
        self._finish()
        self._named, self._keyed = named, keyed
        self._after_getattr = False
        self._constants = [*self._constants[-1:], value]

    def _ends_before(self, value: object) -> tuple[Key | int, Chain, bool, object] | None:
        """The chain that a constant may be the key of; the default of a ``get`` is none."""
        if self._current is None:
            keyed = self._keyed
            return keyed if keyed is not None and keyed[1][-1:] == ("get",) else None
        if type(value) not in (str, int):
            return None
        key, chain = self._current
        return key, tuple(chain), tuple(chain) not in self._entry(key).chains, value

    def _read_key(self, operation: str) -> bool:
        """Go on with the chain where the constant behind it is a key that is read."""
        if self._keyed is None or self._named is not None:
            return False
        key, chain, is_alone, value = self._keyed
        if operation == "BINARY_SUBSCR" or (operation == "CALL" and chain[-1:] == ("get",)):
            longer = [*chain, f"[{value!r}]"]
        else:
            return False
        if is_alone:
            self._entry(key).chains.pop(chain, None)
        self._keyed = None
        self._current = (key, longer)
        return True

    def _module_of(self, name: str) -> Key | None:
        """Return the module that a text names behind what is read now; None behind anything but an import."""
        names = [self._loaded, *(self._current[1] if self._current is not None else ())]
        if (names[-1] in _IMPORTERS and not name.startswith(".")) or names == ["sys", "modules"]:
            # Of __import__("a.b") comes a.
            return ("import", name, 0, None if names[-1] == "__import__" else "")
        return None

    def other(self, operation: str = "") -> None:
        """Note any other operation."""
        called, named = operation == "CALL", self._named
        if self._asked is not None and called:
            key, chain, name = self._asked
            self._asked, self._after_getattr = None, False
            self._current = (key, [*chain, name])
            return
        if self._read_key(operation):
            self._last = self._imported = None
            self._after_getattr, self._loaded = False, ""
            return
        if operation == "CONTAINS_OP" and self._current is not None and isinstance(self._subject, str):
            self._finish("text", self._subject)
        self._last = None
        if operation not in _NEUTRAL:
            self._finish()
            self._after_getattr, self._keyed = False, None
            self._imported = named if called or operation == "BINARY_SUBSCR" else None
            if self._imported is not None:
                self._start(self._imported)
            self._is_class = called and self._loaded == "type"
            self._loaded = ""

    def listed(self) -> tuple[Use, ...]:
        """Return what was collected, in the order of first mention."""
        for number, keys in self._aliases.items():
            loaded = self._entries.get(number)
            for key in keys:
                if loaded is not None:
                    self._entry(key).chains.update(loaded.chains)
                    self._entry(key).followers.update(loaded.followers)
        for number in self._held:
            self._hand_back(number, number, (), 0)
        return tuple(
            Use(key[0], key[1], tuple(entry.chains), tuple(entry.followers), key[2], key[3])
            for key, entry in self._entries.items()
            if isinstance(key, tuple)
        )

    def _hand_back(self, number: int, holder: int, below: Chain, depth: int) -> None:
        """Give what follows a variable to the chain that it holds."""
        read = self._entries.get(number)
        for key, chain in self._held.get(holder, ()):
            if isinstance(key, int):
                if depth < _DEPTH:
                    self._hand_back(number, key, chain + below, depth + 1)
            elif read is not None:
                followers = {(chain + below + last, kind, text): None for last, kind, text in read.followers}
                self._entry(key).followers.update(followers)

    def _start(self, key: Key | int) -> None:
        self._entry(key)
        self._is_class, self._keyed = False, None
        self._current = (key, [])
        self._subject, self._last = self._last, None

    def _finish(self, kind: str = "", text: str = "") -> None:
        self._named = None
        if self._asked is not None:
            # The name is computed from that constant: anything may be read of the thing.
            self._entry(self._asked[0]).chains[self._asked[1]] = None
            self._asked = None
        if self._current is None:
            return
        key, chain = self._current
        entry = self._entry(key)
        entry.chains[tuple(chain)] = None
        entry.followers[tuple(chain), kind, text] = None
        self._after_getattr = key == ("global", "getattr", 0, None) and not chain
        self._current = None

    def _entry(self, key: Key | int) -> _Reading:
        entry = self._entries.get(key)
        if entry is None:
            entry = self._entries[key] = _Reading()
        return entry

    def _import(self, name: str) -> None:
        level = self._constants[0] if len(self._constants) == 2 else 0
        members = self._constants[-1] if self._constants else None
        level = level if isinstance(level, int) else 0
        # "import a.b" binds a; "import a.b as c" asks a for b next, and "from a.b import c" asks a.b for c.
        self._module = (level, name if members else name.partition(".")[0], not members)
        self._imported = None if members else ("import", name, level, None)
        if self._imported is not None:
            self._entry(self._imported)

    def _import_from(self, name: str) -> None:
        level, module, climbs = self._module
        self._imported = ("import", module, level, name)
        self._entry(self._imported)
        if climbs:
            self._module = (level, f"{module}.{name}", True)


def _has_key(chain: list[str]) -> bool:
    return any(part.startswith("[") for part in chain)


# What a use stands for at this moment, for what is recorded only: nothing is imported, no code of the user's runs.


def thing_of(function: FunctionType, use: Use) -> object:
    """Return what a function's code uses; None where it is not there."""
    if use.kind == "global":
        return function.__globals__.get(use.name, getattr(builtins, use.name, None))
    if use.kind == "free":
        return _of_closure(function, use.name)
    module = None if use.level else sys.modules.get(use.name)
    if use.member == "":
        return module
    if use.member is None:
        return module if module is None else sys.modules.get(use.name.partition(".")[0])
    return None if module is None else vars(module).get(use.member)


def _of_closure(function: FunctionType, name: str) -> object:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    try:
        return cells[name].cell_contents
    except (KeyError, ValueError):
        return None


def led_to(thing: object, chain: Chain) -> tuple[object, Chain]:
    """Follow a chain through modules; what it leads to, and what is left of it."""
    while chain and isinstance(thing, ModuleType):
        thing, chain = vars(thing).get(chain[0]), chain[1:]
    return thing, chain


# Environment variables that code reads by a constant name: recorded, never part of a digest.

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
