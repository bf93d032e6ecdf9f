"""What a value is made of, as a tree of short texts from which a later difference is told.

A leaf is a text such as ``3``, ``'adam'`` or ``ndarray float64 (3, 4) #91d9490aff3114e0``; a branch is a pair of a
text (``list of 3``, ``Model``) and of its parts by their place (``[2]``, ``['lr']``, ``.alpha``). Behind the text
stand, where it does not say all, `` @`` with the digest of the code that comes along, `` ~`` with the sketch of a
long value, from which the place of a change is told, and `` #`` with the value's digest.
"""

from __future__ import annotations

import contextlib
import marshal
import re
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from enum import Enum
from functools import partial
from itertools import chain
from json.encoder import encode_basestring_ascii as quoted
from math import isqrt
from types import BuiltinFunctionType, FunctionType, MemberDescriptorType, MethodType, ModuleType
from typing import Any, NamedTuple

from xxhash import xxh3_64_hexdigest

from ezpyp.describe import SECRET, Hole, describe, is_secret
from ezpyp.hashing.code.identity import function_identity, is_users_code
from ezpyp.hashing.encode import says_itself, short_digest

_PLAIN = frozenset({int, float, complex, bool, str, bytes, type(None)})

# Where two long values differ, of which a record has room for digests only, or for one line.

_ROWS = frozenset({list, tuple})
_LEAST, _MOST = 64, 1_000_000
_BLOCKS = 128
DIGITS = 4


def sketch(value: object) -> str:
    """What tells later where a long list or text changed, in at most 1,100 characters; "" for anything else.

    The members are laid out in rows, as many in each as there are rows about, and every row and every column has a
    short digest: what changes in one place changes one row and one column. Of more than 16,384 members the columns
    are left out, and only the row is known.

    Args:
        value: A list or tuple of plain numbers and texts or of rows of them, a text, or bytes.
    """
    # Not isinstance(): the user's own class may have methods of its own.
    if type(value) not in (str, bytes, list, tuple):
        return ""
    members: Sequence[object] = value  # type: ignore[assignment]  # just looked
    size = len(members)
    if not _LEAST <= size <= _MOST or not _is_plain(members):
        return ""
    width = width_of(size)
    rows = [members[start : start + width] for start in range(0, size, width)]
    columns = [members[start::width] for start in range(width)] if width <= _BLOCKS else []
    return f"{size}.{''.join(map(_digest_of, rows))}.{''.join(map(_digest_of, columns))}"


def _is_plain(members: Sequence[object]) -> bool:
    """Whether all are plain, or rows of what is plain: marshal writes a set as the hash seed will have it."""
    kinds = set(map(type, members))
    if kinds.isdisjoint(_ROWS):
        return kinds <= _PLAIN
    rows = (member for member in members if isinstance(member, list | tuple))
    return kinds <= _PLAIN | _ROWS and _PLAIN.issuperset(map(type, chain.from_iterable(rows)))


def width_of(size: int) -> int:
    """Members of a row: a power of two, so that it stays the same while a list grows a little."""
    least = max(isqrt(size - 1) + 1, -(-size // _BLOCKS))
    return 1 << (least - 1).bit_length()


def _digest_of(members: Sequence[object]) -> str:
    # marshal: 1 us a row; the hashing walk would take five times as long, and equal members need no equal digests.
    return xxh3_64_hexdigest(marshal.dumps(members, 2))[:DIGITS]  # type: ignore[arg-type]  # plain


# The parts of a value, without running any of the user's code: no ``__repr__``, no property, no ``__iter__``.

Parts = Iterator[tuple[str, object, object]]
"""Place in the text of a path, name, and value of each part."""

CONTAINERS = (list, tuple, dict, set, frozenset, deque)
CODE = (FunctionType, type)

# Their texts say all, and are the standard library's own.
_SAID_BY_REPR = frozenset({"datetime", "decimal", "fractions", "uuid", "ipaddress", "zoneinfo", "re"})
_ONLY_NAMED = (BuiltinFunctionType, ModuleType, bytearray, memoryview, slice)
_STATE_METHODS = ("__reduce__", "__reduce_ex__", "__getstate__")
_HEAP_TYPE = 1 << 9
"""Flag of a class that a class statement made (Py_TPFLAGS_HEAPTYPE); the others keep state out of sight."""


def atom_text(value: object) -> str | None:
    """The text of what has no parts to look into, with its digest where the text does not say all; None for others."""
    kind = type(value)
    if kind.__module__ in _SAID_BY_REPR or kind is range or value is Ellipsis:
        text = repr(value)
        return text if len(text) <= 120 else f"{text[:60]}... #{short_digest(value)}"
    if kind is slice and {type(value.start), type(value.stop), type(value.step)} <= {int, type(None)}:  # type: ignore[attr-defined]  # a slice
        return repr(value)
    if isinstance(value, Enum):
        return f"{kind.__name__}.{value.__dict__.get('_name_')} #{short_digest(value)}"
    if kind.__module__.startswith("pathlib"):
        return f"{kind.__name__}({str(value)!r})"
    if says_itself(kind) or isinstance(value, _ONLY_NAMED) or getattr(kind, "__ezpyp_untracked__", False):
        path = f" {value.path!r}" if kind.__module__ == "ezpyp.hashing.files" else ""  # type: ignore[attr-defined]  # a File
        return f"{describe(value)}{path} #{short_digest(value)}"
    return None


def size_text(value: object) -> str:
    """What kind of thing it is, and how many parts it has."""
    kind = type(value)
    if isinstance(value, CODE):
        return describe(value)
    if isinstance(value, CONTAINERS) and not _fields(kind):
        return f"{kind.__name__} of {length(value)}"
    return kind.__name__


def is_open(value: object) -> bool:
    """Whether the parts are all that counts: else a digest stands beside them."""
    kind = type(value)
    if kind in CONTAINERS or kind is partial or kind is MethodType:
        return True
    own = kind.__mro__[:-1]
    return all(base.__flags__ & _HEAP_TYPE for base in own) and not any(
        name in base.__dict__ for base in own for name in _STATE_METHODS
    )


def parts_of(value: object) -> Parts:
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


def length(value: object) -> int:
    """How many parts a container has."""
    return int(_base(value).__len__(value))


def _base(value: object) -> Any:
    """The class of Python's own that a container is of: a subclass of the user's may have methods of its own."""
    return next(base for base in CONTAINERS if isinstance(value, base))


def _member(part: object) -> str:
    text = describe(part)
    return text if text[:1] not in "<([{" and not text.endswith("...") else f"{text} #{short_digest(part)}"


def _fields(kind: type) -> tuple[str, ...]:
    """The names of a named tuple; none for other classes."""
    fields = next((base.__dict__["_fields"] for base in kind.__mro__ if "_fields" in base.__dict__), ())
    return fields if issubclass(kind, tuple) and isinstance(fields, tuple) else ()


def _defaults(function: FunctionType) -> Parts:
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


def is_table(value: object) -> bool:
    """Whether it is a data frame of a package that is known here."""
    return _package(value) in _TABLES and type(value).__name__ == "DataFrame"


def array_text(value: object) -> str | None:
    """``ndarray float64 (3, 4) #...``, or ``float64(0.5)`` for one of numpy's numbers; None for anything else.

    Of Fortran's order, which counts, ``order F`` stands behind the shape; a random generator has its seed.
    """
    if _package(value) not in _PACKAGES or is_table(value):
        return None
    kind = type(value).__name__
    if type(value).__module__.startswith("numpy.random"):
        return f"{kind}{_seed(value)} #{short_digest(value)}"
    text = describe(value)
    if getattr(value, "shape", None) == () and not text.startswith("<") and not text.endswith("..."):
        return f"{kind}({text})"
    facts = [str(fact) for fact in (getattr(value, "dtype", None), _shape(value)) if fact is not None]
    facts += ["order F"] if _is_fortran(value) else []
    return f"{' '.join([kind, *facts])} #{short_digest(value)}"


def _is_fortran(value: object) -> bool:
    flags = getattr(value, "flags", None) if _package(value) == "numpy" else None
    return bool(flags is not None and flags.f_contiguous and not flags.c_contiguous)


def _seed(value: Any) -> str:
    """``(PCG64, seed 1)`` of a generator; "" where it does not know its seed."""
    bits = getattr(value, "bit_generator", value)
    seeds = getattr(bits, "seed_seq", None) if type(bits).__module__.startswith("numpy.random") else None
    if seeds is None:
        return ""
    told = [type(bits).__name__] if bits is not value else []
    told.append(f"seed {describe(seeds.entropy)}")
    told += [f"spawned as {describe(seeds.spawn_key)}"] if seeds.spawn_key else []
    return f"({', '.join(told)})"


def table_text(value: object) -> str:
    """``DataFrame (3, 2)``."""
    return f"{type(value).__name__} {_shape(value)}"


def _shape(value: object) -> tuple[object, ...] | None:
    shape = getattr(value, "shape", None)
    return tuple(shape) if isinstance(shape, tuple) else None


def table_parts(value: Any) -> Iterator[tuple[str, object, object]]:
    """The columns of a data frame, each by itself, and its index."""
    for place, name in enumerate(value.columns):
        # The index would count in each column of it.
        column = value.iloc[:, place].reset_index(drop=True) if hasattr(value, "iloc") else value.to_series(place)
        yield f"[{describe(name)}]", name, column
    if hasattr(value, "index"):
        yield ".index", "index", value.index


Tree = str | tuple[str, dict[str, "Tree"]]

LEAVES_LIMIT = 4096
"""Characters of one argument's tree; a larger one is recorded by its digest."""

_AROUND = 5  # what JSON puts around a text
_ANY_DEPTH = 10**9


class _Detail(NamedTuple):
    """How much of an argument is written down.

    Attributes:
        whole: Whether long texts are written out.
        depth: Below how many containers others are told by their digest.
        sketched: Whether what is cut or not written out has a sketch.
    """

    whole: bool
    depth: int
    sketched: bool


# The first that does not take too much room.
_DETAILS = (
    _Detail(True, _ANY_DEPTH, True),
    _Detail(False, _ANY_DEPTH, False),
    _Detail(False, 1, True),
    _Detail(False, 1, False),
)


class _TooLargeError(Exception):
    """The tree would be larger than is recorded."""


class Leaves:
    """Makes trees of values.

    Args:
        with_code: Whether the digest of the code stands beside functions and instances of the user's classes.

    Attributes:
        holds_steps: Whether a step stands in the argument whose tree was made last.
        codes: Functions and classes of the user's in that argument, by the digest that stands in its tree.
    """

    def __init__(self, *, with_code: bool = True) -> None:
        self.holds_steps = False
        self.codes: dict[str, object] = {}
        self._with_code = with_code
        self._code_digests: dict[int, str] = {}
        self._upstream: Callable[[int], str] = str
        self._whole: tuple[object, str] = None, ""
        self._room = 0
        self._detail = _DETAILS[0]
        self._above: list[int] = []

    def tree(self, value: object, upstream: Callable[[int], str], digest: str = "") -> Tree:
        """The tree of one argument, as far down as there is room; at the least its first line.

        Args:
            value: The argument.
            upstream: Gives the name of the step that a hole stands for, by the hole's index.
            digest: Its short digest, where that is known: of a large argument it takes the most time.
        """
        self._upstream = upstream
        self._whole = value, digest
        for self._detail in _DETAILS:
            self._room, self.holds_steps, self.codes = LEAVES_LIMIT, False, {}
            self._above.clear()
            try:
                return self._tree(value)
            except _TooLargeError:
                continue
        self.codes = {}
        return self._closed(value, is_sketched=True)

    def _tree(self, value: object) -> Tree:
        kind = type(value)
        if kind in _PLAIN:
            return self._spent(self._plain(value))
        if kind is Hole:
            self.holds_steps = True
            return self._spent(step_text(self._upstream(value.index), value))  # type: ignore[attr-defined,arg-type]  # a Hole
        text = self._enum(value) if isinstance(value, Enum) else atom_text(value) or array_text(value)
        if text is not None:
            return self._spent(text)
        if id(value) in self._above:
            return self._spent("the same as what holds it")
        if len(self._above) >= self._detail.depth:
            return self._spent(self._closed(value, is_sketched=self._detail.sketched))
        self._above.append(id(value))
        text = self._spent(self._header(value, kind))
        parts = self._parts(table_parts(value) if is_table(value) else parts_of(value))
        self._above.pop()
        return (text, parts) if parts else text

    def _plain(self, value: object) -> str:
        text = describe(value)
        if says_all(text):
            return text
        if isinstance(value, str | bytes) and self._detail.whole and len(value) <= LEAVES_LIMIT:
            text = repr(value)
            # JSON makes six characters of one that is not ASCII.
            self._room -= len(quoted(text)) - len(text)
        elif self._detail.sketched:
            text += _sketched(value)
        return f"{text} #{self._digest(value)}"

    def _closed(self, value: object, *, is_sketched: bool) -> str:
        """What is not looked into: kind and size, and a digest."""
        if type(value) in (list, tuple) and value and all(type(part) is Hole for part in value):  # type: ignore[attr-defined]  # a list
            # Nothing else stands without a digest: which steps they are, the upstreams tell.
            return size_text(value)
        return f"{_size(value)}{_sketched(value) if is_sketched else ''} #{self._digest(value)}"

    def _digest(self, value: object) -> str:
        whole, digest = self._whole
        return digest if digest and value is whole else short_digest(value)

    def _enum(self, value: Enum) -> str:
        kind = type(value)
        return f"{kind.__name__}.{value.__dict__.get('_name_')}{self._code(kind)} #{short_digest(value)}"

    def _parts(self, parts: Parts) -> dict[str, Tree]:
        made = {}
        for place, name, part in parts:
            self._spent(place)
            made[place] = self._spent(secret_text(part)) if is_secret(name) else self._tree(part)
        return made

    def _header(self, value: object, kind: type) -> str:
        if isinstance(value, CONTAINERS) and length(value) * _AROUND > self._room:
            raise _TooLargeError
        code = self._code(value if isinstance(value, CODE) else kind)
        digest = "" if is_open(value) else f" #{short_digest(value)}"
        return f"{_size(value)}{code}{digest}"

    def _code(self, value: object) -> str:
        """The digest of a function or class of the user's, which is recorded beside the tree."""
        if not self._with_code:
            return ""
        if id(value) not in self._code_digests:
            self._code_digests[id(value)] = _code_digest(value)
        digest = self._code_digests[id(value)]
        if not digest:
            return ""
        self.codes[digest] = value
        return f" @{digest}"

    def _spent(self, text: str) -> str:
        self._room -= len(text) + _AROUND
        if self._room < 0:
            raise _TooLargeError
        return text


def _size(value: object) -> str:
    return table_text(value) if is_table(value) else size_text(value)


def _sketched(value: object) -> str:
    found = sketch(value)
    return f" ~{found}" if found else ""


def says_all(text: str) -> bool:
    """Whether the text of a plain value says all of it."""
    return not text.endswith("...") and text[0] != "<"


def step_text(name: str, hole: Hole) -> str:
    """A step among arguments, with what is picked of its result."""
    return f"TMP for {name}{''.join(f'[{describe(part)}]' for _, part in hole.path)}"


def secret_text(value: object) -> str:
    """What is recorded of a secret."""
    return f"{SECRET} #{short_digest(value)}"


def _code_digest(value: object) -> str:
    try:
        return function_identity(value).digest.hex()[:16] if is_users_code(value) else ""
    except Exception:  # noqa: BLE001  # code that cannot be read is no error: its name and digest are recorded
        return ""


# A recorded argument, read back: the tree of texts that `Leaves` made, taken apart node by node.

_MARKED = re.compile(r"(?s)(.*?)(?: @([0-9a-f]{16}))?(?: ~(\d+\.[0-9a-f]+\.[0-9a-f]*))?(?: #([0-9a-f]{12,16}))?")
ARRAY = re.compile(r"(\w+) (?:(.+) )?(\([\d, ]*\))( order F)?")
SIZE = re.compile(r"(\w+) of \d+")
_STEP = "TMP for "
_LINE = 200


class Node(NamedTuple):
    """A recorded tree, taken apart.

    Attributes:
        text: Its own text.
        code: Digest of the code that comes along; "" where none does.
        digest: Digest of the value where the text and the parts do not say all; else "".
        parts: The trees below it, by place.
        sketch: What tells where a long one changed; see `sketch`.
    """

    text: str
    code: str
    digest: str
    parts: dict[str, Any]
    sketch: str

    @property
    def kind(self) -> str:
        """What stands before size, shape or value."""
        sized = SIZE.fullmatch(self.text) or ARRAY.fullmatch(self.text)
        return sized[1] if sized else self.text

    @property
    def is_steps(self) -> bool:
        """Whether it is a collection of steps alone, too many to write down."""
        return not (self.parts or self.digest) and bool(SIZE.fullmatch(self.text)) and not self.text.endswith(" 0")

    @property
    def step(self) -> str:
        """The step that it stands for, with what is picked of its result; "" for any other value."""
        return self.text.removeprefix(_STEP) if self.text.startswith(_STEP) else ""


def node(tree: object) -> Node:
    """Take the topmost node of a tree apart."""
    text, parts = tree if isinstance(tree, list | tuple) else (str(tree), {})
    found = _MARKED.fullmatch(text)
    return (
        Node(found[1], found[2] or "", found[4] or "", parts, found[3] or "") if found else Node(text, "", "", {}, "")
    )


def short(tree: object) -> str:
    """A tree as text: a leaf, or what kind of thing it is."""
    return node(tree).text


def clipped(text: str) -> str:
    """A text that stays on a line."""
    return text if len(text) <= _LINE else f"{text[: _LINE - 3]}..."


def leaves_of(path: str, tree: object) -> Iterator[str]:
    """The leaves of a branch as ``path = text``; nothing for a tree that is one leaf, or none."""
    for place, part in (node(tree).parts if isinstance(tree, list | tuple) else {}).items():
        if isinstance(part, str):
            yield f"{path}{place} = {clipped(short(part))}"
        yield from leaves_of(path + place, part)
