"""What a value is made of, as a tree of short texts from which a later difference is named.

A leaf is a text such as ``3``, ``'adam'`` or ``ndarray float64 (3, 4)``; a branch has a text (``list of 3``, ``Model``)
and parts by their place (``[2]``, ``['lr']``, ``.alpha``). A digest stands beside a text that does not say all.
"""

from __future__ import annotations

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from enum import Enum
from functools import partial
from json.encoder import encode_basestring_ascii as quoted
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, NamedTuple

from ezpyp.describe import SECRET, Hole, describe, is_secret, without_password
from ezpyp.hashing.code.identity import function_identity
from ezpyp.hashing.code.packages import Ownership
from ezpyp.hashing.encode import says_itself, short_digest

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})
_LINE = 200
# How the text of a step among arguments begins.
STEP = "TMP for "


class Node(NamedTuple):
    """A value, or a part of one. A tuple: a frozen dataclass takes twice as long to make, and a value has hundreds.

    Attributes:
        text: Its short text.
        parts: The parts below it, by place, in order.
        digest: Digest of the value where the text and the parts do not say all; else "".
        code: Digest of the code that comes along; "" where none does.
    """

    text: str
    parts: tuple[tuple[str, Node], ...] = ()
    digest: str = ""
    code: str = ""

    @property
    def kind(self) -> str:
        """What stands before size or shape."""
        return self.text.partition(" ")[0]

    def to_json(self) -> object:
        """Return what JSON holds of it: the text alone, or a list without the empty ends."""
        if not (self.parts or self.digest or self.code):
            return self.text
        facts: list[object] = [self.text, {place: part.to_json() for place, part in self.parts}]
        facts += [self.digest, self.code] if self.code else [self.digest] if self.digest else []
        return facts

    @classmethod
    def from_json(cls, facts: object) -> Node:
        """Return the node of which ``to_json`` gave ``facts``."""
        if not isinstance(facts, list):
            return cls(str(facts))
        text, parts, *digests = facts
        return cls(text, tuple((place, cls.from_json(part)) for place, part in parts.items()), *digests)


def leaves_of(path: str, node: Node) -> Iterator[str]:
    """Return the leaves of a branch as ``path = text``; nothing for a node that is a leaf itself."""
    for place, part in node.parts:
        if not part.parts:
            yield f"{path}{place} = {on_a_line(part.text)}"
        yield from leaves_of(path + place, part)


def on_a_line(text: str) -> str:
    """Cut a text so that it stays on a line."""
    return text if len(text) <= _LINE else f"{text[: _LINE - 3]}..."


# The parts of a value, without running any of the user's code: no ``__repr__``, no property, no ``__iter__``.

_Parts = Iterator[tuple[str, object, object]]
"""Place in the text of a path, name, and value of each part."""

_CONTAINERS = (list, tuple, dict, set, frozenset, deque)
_CODE = (FunctionType, type)
_WRAPPED_CODE = (*_CODE, classmethod, staticmethod, property)

# Their texts say all, and are the standard library's own.
_SAID_BY_REPR = frozenset({"datetime", "decimal", "fractions", "uuid", "ipaddress", "zoneinfo", "re"})
_ONLY_NAMED = (BuiltinFunctionType, ModuleType, bytearray, memoryview, slice)
_STATE_METHODS = ("__reduce__", "__reduce_ex__", "__getstate__")
_HEAP_TYPE = 1 << 9
"""Flag of a class that a class statement made (Py_TPFLAGS_HEAPTYPE); the others keep state out of sight."""


def _atom_text(value: object) -> tuple[str, bool] | None:
    """The text of what has no parts to look into, and whether it says all; None for others."""
    kind = type(value)
    if kind.__module__ in _SAID_BY_REPR or kind is range or value is Ellipsis:
        text = repr(value)
        return (text, True) if len(text) <= 120 else (f"{text[:60]}...", False)
    if kind is slice and {type(value.start), type(value.stop), type(value.step)} <= {int, type(None)}:  # type: ignore[attr-defined]  # a slice
        return repr(value), True
    if kind.__module__.startswith("pathlib"):
        return f"{kind.__name__}({str(value)!r})", True
    if says_itself(kind) or isinstance(value, _ONLY_NAMED) or getattr(kind, "__ezpyp_untracked__", False):
        path = f" {value.path!r}" if kind.__module__ == "ezpyp.hashing.files" else ""  # type: ignore[attr-defined]  # a File
        return f"{describe(value)}{path}", False
    return None


def _size_text(value: object) -> str:
    """What kind of thing it is, and how many parts it has."""
    kind = type(value)
    if isinstance(value, _CODE):
        return describe(value)
    if isinstance(value, _CONTAINERS) and not _fields(kind):
        return f"{kind.__name__} of {_length(value)}"
    return kind.__name__


def _is_open(value: object) -> bool:
    """Whether the parts are all that counts: else a digest stands beside them."""
    kind = type(value)
    if kind in _CONTAINERS or kind is partial or kind is MethodType:
        return True
    own = kind.__mro__[:-1]
    return all(base.__flags__ & _HEAP_TYPE for base in own) and not any(
        name in base.__dict__ for base in own for name in _STATE_METHODS
    )


def _parts_of(value: object) -> _Parts:
    """The parts of a container, a function (its defaults) or an instance (its attributes)."""
    kind = type(value)
    if isinstance(value, tuple) and (names := _fields(kind)):
        yield from ((f".{name}", name, part) for name, part in zip(names, tuple.__iter__(value), strict=False))
    elif isinstance(value, dict):
        yield from ((f"[{describe(key)}]", key, part) for key, part in dict.items(value))
    elif isinstance(value, list | tuple | deque):
        yield from ((f"[{place}]", place, part) for place, part in enumerate(_base(value).__iter__(value)))
    elif isinstance(value, set | frozenset):
        members = [(f"{{{_member(part)}}}", "", part) for part in _base(value).__iter__(value)]
        yield from sorted(members, key=lambda part: part[0])
    elif isinstance(value, FunctionType):
        yield from _defaults(value)
    elif not isinstance(value, type):
        yield from ((f".{name}", name, part) for name, part in _attributes(value, kind))


def _length(value: object) -> int:
    """How many parts a container has."""
    return int(_base(value).__len__(value))


def _base(value: object) -> Any:
    """The class of Python's own that a container is of: a subclass of the user's may have methods of its own."""
    return next(base for base in _CONTAINERS if isinstance(value, base))


def _member(part: object) -> str:
    text = describe(part)
    return text if text[:1] not in "<([{" and not text.endswith("...") else f"{text} #{short_digest(part)}"


def _fields(kind: type) -> tuple[str, ...]:
    """The names of a named tuple; none for other classes."""
    fields = next((base.__dict__["_fields"] for base in kind.__mro__ if "_fields" in base.__dict__), ())
    return fields if issubclass(kind, tuple) and isinstance(fields, tuple) else ()


def _defaults(function: FunctionType) -> _Parts:
    code = function.__code__
    values = function.__defaults__ or ()
    names = code.co_varnames[code.co_argcount - len(values) : code.co_argcount]
    for name, value in (*zip(names, values, strict=True), *(function.__kwdefaults__ or {}).items()):
        yield f"({name}=)", name, value


def _attributes(value: object, kind: type) -> Iterator[tuple[str, object]]:
    if kind is partial:
        yield from (("func", value.func), ("args", value.args), ("keywords", value.keywords))  # type: ignore[attr-defined]  # a partial
    elif kind is MethodType:
        yield from (("__func__", value.__func__), ("__self__", value.__self__))  # type: ignore[attr-defined]  # a method
    for base in reversed(kind.__mro__):
        for name, slot in base.__dict__.items() if "__slots__" in base.__dict__ else ():
            if type(slot) is MemberDescriptorType:
                # Not getattr(): it would wake the user's own where the slot was never filled.
                with contextlib.suppress(AttributeError):
                    yield name, slot.__get__(value, kind)
    try:
        state = object.__getattribute__(value, "__dict__")
    except AttributeError:
        return
    yield from state.items() if type(state) is dict else ()


# Texts of arrays and tables: type, dtype and shape, and a digest a column. None of their packages is imported.

_PACKAGES = frozenset({"numpy", "pandas", "polars", "pyarrow", "scipy", "xarray", "torch"})
_TABLES = frozenset({"pandas", "polars"})


def _package(value: object) -> str:
    return type(value).__module__.partition(".")[0]


def _is_table(value: object) -> bool:
    """Whether it is a data frame of a package that is known here."""
    return _package(value) in _TABLES and type(value).__name__ == "DataFrame"


def _array_text(value: object) -> tuple[str, bool] | None:
    """``ndarray float64 (3, 4)``, or ``float64(0.5)`` for one of numpy's numbers, which says all; None for others.

    Of Fortran's order, which counts, ``order F`` stands behind the shape; a random generator has its seed.
    """
    if _package(value) not in _PACKAGES or _is_table(value):
        return None
    kind = type(value).__name__
    if type(value).__module__.startswith("numpy.random"):
        return f"{kind}{_seed(value)}", False
    text = describe(value)
    if getattr(value, "shape", None) == () and not text.startswith("<") and not text.endswith("..."):
        return f"{kind}({text})", True
    facts = [str(fact) for fact in (getattr(value, "dtype", None), _shape(value)) if fact is not None]
    facts += ["order F"] if _is_fortran(value) else []
    return " ".join([kind, *facts]), False


def _is_fortran(value: object) -> bool:
    flags = getattr(value, "flags", None) if _package(value) == "numpy" else None
    return getattr(flags, "f_contiguous", False) and not flags.c_contiguous  # type: ignore[union-attr]  # a dtype's are a number


def _seed(value: Any) -> str:
    """``(PCG64, seed 1)`` of a generator; "" where it does not know its seed."""
    bits = getattr(value, "bit_generator", value)
    seeds = getattr(bits, "seed_seq", None) if type(bits).__module__.startswith("numpy.random") else None
    if seeds is None:
        return ""
    facts = [type(bits).__name__] if bits is not value else []
    facts.append(f"seed {describe(seeds.entropy)}")
    facts += [f"spawned as {describe(seeds.spawn_key)}"] if seeds.spawn_key else []
    return f"({', '.join(facts)})"


def _table_text(value: object) -> str:
    """``DataFrame (3, 2)``."""
    return f"{type(value).__name__} {_shape(value)}"


def _shape(value: object) -> tuple[object, ...] | None:
    shape = getattr(value, "shape", None)
    return tuple(shape) if isinstance(shape, tuple) else None


def _table_parts(value: Any) -> _Parts:
    """The columns of a data frame, each by itself, and its index."""
    for place, name in enumerate(value.columns):
        # The index would count in each column of it.
        column = value.iloc[:, place].reset_index(drop=True) if hasattr(value, "iloc") else value.to_series(place)
        yield f"[{describe(name)}]", name, column
    if hasattr(value, "index"):
        yield ".index", "index", value.index


TREE_LIMIT = 4096
"""Characters of one value's tree; a larger one is recorded by its digest."""

_AROUND = 5  # what JSON puts around a text
# Containers that are looked into below one another, and characters of a text: the first that fit are recorded.
_DETAILS = ((10**9, 1000), (10**9, 60), (1, 60))


class _TooLargeError(Exception):
    """The tree would be larger than is recorded."""


class TreeBuilder:
    """Makes trees of values.

    Args:
        with_code: Whether the digest of the code stands beside functions and instances of the user's classes. Without
            it code counts by its name: what a function reads is recorded by itself.

    Attributes:
        holds_steps: Whether a step stands in the value whose tree was made last.
        codes: Functions and classes of the user's in that value, by the digest that stands in its tree.
    """

    def __init__(self, *, with_code: bool = True) -> None:
        self.holds_steps = False
        self.codes: dict[str, object] = {}
        self._with_code = with_code
        self._code_digests: dict[int, str] = {}
        self._upstream: Callable[[int], str] = str
        self._whole: tuple[object, str] = None, ""
        self._room = 0
        self._depth, self._longest = _DETAILS[0]
        self._above: list[int] = []

    def tree(self, value: object, upstream: Callable[[int], str] = str, digest: str = "") -> Node:
        """Return the tree of a value, as far down as there is room; at the least its topmost node.

        Args:
            value: The value.
            upstream: Gives the name of the step that a hole stands for, by the hole's index.
            digest: Its short digest, where that is known: of a large value it takes the most time.
        """
        self._upstream = upstream
        self._whole = value, digest
        for self._depth, self._longest in _DETAILS:
            self._room, self.holds_steps, self.codes = TREE_LIMIT, False, {}
            self._above.clear()
            try:
                return self._node(value)
            except _TooLargeError:
                continue
        self.codes = {}
        return self._closed(value)

    def _node(self, value: object) -> Node:
        kind = type(value)
        if kind in _PLAIN:
            return self._plain(value)
        if kind is Hole:
            self.holds_steps = True
            return self._leaf(_step_text(self._upstream(value.index), value))  # type: ignore[attr-defined,arg-type]  # a Hole
        if isinstance(value, Enum):
            text = f"{kind.__name__}.{value.__dict__.get('_name_')}"
            return self._leaf(text, self._digest(value), self._code(kind))
        found = _atom_text(value) or _array_text(value)
        if found is not None:
            text, is_whole = found
            return self._leaf(text, "" if is_whole else self._digest(value))
        if id(value) in self._above:
            return self._leaf("the same as what holds it")
        if len(self._above) >= self._depth:
            return self._spent(self._closed(value))
        return self._branch(value, kind)

    def _plain(self, value: object) -> Node:
        text = describe(value)
        if says_all(text):
            return self._leaf(text)
        is_shown = not isinstance(value, str) or without_password(value) == value
        if isinstance(value, str | bytes) and len(value) <= self._longest and is_shown:
            return self._leaf(repr(value))
        return self._leaf(text, self._digest(value))

    def _branch(self, value: object, kind: type) -> Node:
        if isinstance(value, _CONTAINERS) and _length(value) * _AROUND > self._room:
            raise _TooLargeError
        is_code = isinstance(value, _CODE)
        code = self._code(value if is_code else kind)
        is_open = _is_open(value) or (isinstance(value, _WRAPPED_CODE) and not self._with_code)
        top = self._spent(Node(_header(value), (), "" if is_open else self._digest(value), code))
        self._above.append(id(value))
        parts = []
        for place, name, part in _table_parts(value) if _is_table(value) else _parts_of(value):
            self._room -= len(quoted(place)) + _AROUND
            parts.append((place, self._leaf(SECRET, short_digest(part)) if is_secret(name) else self._node(part)))
        self._above.pop()
        return Node(top.text, tuple(parts), top.digest, code)

    def _closed(self, value: object) -> Node:
        """What is not looked into: kind and size, and a digest."""
        if type(value) in (list, tuple) and value and all(type(part) is Hole for part in value):  # type: ignore[attr-defined]  # a list
            # Which steps they are, the upstreams tell.
            return Node(_size_text(value))
        return Node(_header(value), (), self._digest(value))

    def _leaf(self, text: str, digest: str = "", code: str = "") -> Node:
        return self._spent(Node(text, (), digest, code))

    def _digest(self, value: object) -> str:
        whole, digest = self._whole
        return digest if digest and value is whole else short_digest(value)

    def _code(self, value: object) -> str:
        """The digest of a function or class of the user's, which is recorded beside the tree."""
        if not self._with_code:
            return ""
        if id(value) not in self._code_digests:
            self._code_digests[id(value)] = _code_digest(value)
        digest = self._code_digests[id(value)]
        if digest:
            self.codes[digest] = value
        return digest

    def _spent(self, node: Node) -> Node:
        # JSON makes six characters of one that is not ASCII.
        self._room -= len(quoted(node.text)) + len(node.digest) + len(node.code) + _AROUND
        if self._room < 0:
            raise _TooLargeError
        return node


def _header(value: object) -> str:
    return _table_text(value) if _is_table(value) else _size_text(value)


def says_all(text: str) -> bool:
    """Whether the text of a plain value says all of it."""
    return not text.endswith("...") and text[0] != "<" and SECRET not in text


def _step_text(name: str, hole: Hole) -> str:
    """A step among arguments, with what is picked of its result."""
    return f"{STEP}{name}{''.join(f'[{describe(part)}]' for _, part in hole.path)}"


def secret_text(value: object) -> str:
    """What is recorded of a secret where one text is all there is."""
    return f"{SECRET} #{short_digest(value)}"


def _code_digest(value: object) -> str:
    """A digest of a function or class of the user's; "" of anything else."""
    if not isinstance(value, FunctionType | type) or not Ownership().owns(value):
        return ""
    try:
        return function_identity(value).digest.hex()[:16]
    except Exception:  # noqa: BLE001  # code that cannot be read is no error: its name and digest are recorded
        return ""
