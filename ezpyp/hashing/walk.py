"""The slow road: one walk over any value, code included, with a stack of its own.

Each container is a generator that writes its header and yields its parts; the walker keeps the generators on a list, so
that 100,000 levels need no Python recursion. Mutable objects are numbered when first met and written as a reference
afterwards: sharing counts, and cycles end.
"""

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import FunctionType
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from ezpyp.hashing.large_arrays import LARGE_BYTES
from ezpyp.hashing.plain import count, digest, dumps, tag, text, texts_in

if TYPE_CHECKING:
    from ezpyp.hashing.code.canonical import Form
    from ezpyp.hashing.code.packages import Ownership
    from ezpyp.hashing.large_arrays import LargeBuffers


Children = Iterator[object]
# Any: each is called with values of its own type only, which the tables of the registry see to.
Leaf = Callable[[Any], bytes]
Node = Callable[["Walker", Any], Children]

_REF = tag("ref")
_BOUND = tag("bound")
_OUTSIDE = tag("untracked")
# Tuples are written out wherever they stand; past this many, shared ones become references as well (see Walker.shared).
_TUPLES = 1 << 18


class UnwalkableError(Exception):
    """A part without stable content was met where all must count.

    Args:
        value: The part.
        reason: Why it cannot be hashed; completes "X cannot be hashed: ...".
        trail: The containers that lead to it, outermost first.
    """

    def __init__(self, value: object, reason: str, trail: tuple[object, ...]) -> None:
        super().__init__(reason)
        self.value = value
        self.reason = reason
        self.trail = trail


class _TooSharedError(Exception):
    """Tuples written out too often."""


class Read(NamedTuple):
    """One thing that code reads: a global, a closure variable, a default, an attribute of a class.

    Attributes:
        kind: "global", "closure", "default" or "class".
        name: Name as a reader of the code knows it.
        digest: 16 bytes over its part of the walk.
        value: What it was.
    """

    kind: str
    name: str
    digest: bytes
    value: object


Place = tuple[str, int]
"""File and line; "" and 0 where they are unknown."""


class Observer(Protocol):
    """Follows the walk over a function, to record what its code leads to. Nothing of it enters a digest."""

    def function(self, function: FunctionType, form: "Form", kind: str) -> None:
        """The code of a function was met."""

    def begin(self, name: str, value: object) -> None:
        """What stands under a name is walked from here on."""

    def value(self, read: Read, place: Place) -> None:
        """The walk over what was begun last is over."""

    def label(self, name: str, place: Place, label: str) -> None:
        """A name leads to something of Python's or of a library's, which counts by its name."""

    def options(self, name: str, place: Place, options: object) -> None:
        """A dataclass was told to be something."""

    def untracked(self, what: str) -> None:
        """Something counts by its type only."""

    def place_of_global(self, function: FunctionType, name: str, file: str) -> Place:
        """Where a global is bound that a function reads; ``file`` is that of its module, "" for the function's own."""

    def place_of_attribute(self, kind: type, name: str) -> Place:
        """Where an attribute of a class is bound; "" for the class itself."""


class Walker:
    """Turns values into canonical bytes.

    Args:
        dispatch: Finds the way to write a type: a leaf, or a node.
        policy: Whose code is whose.
        by_name: Functions and classes count by name only.
        root: What is decorated: counts by content whoever owns it, and is reached directly.
        observer: Follows the walk, to record what the code leads to; it changes no digest.
        buffers: Remembers large arrays; by default each is hashed when it is met.
    """

    def __init__(
        self,
        dispatch: "Dispatch",
        policy: "Ownership",
        *,
        by_name: bool = False,
        root: object = None,
        observer: "Observer | None" = None,
        buffers: "LargeBuffers | None" = None,
    ) -> None:
        self.dispatch = dispatch
        self.policy = policy
        self.by_name = by_name
        self.observer = observer
        self.buffers = buffers
        self.texts: list[object] | None = None
        self.root = root
        self.shared = False
        self._reset()

    def _reset(self) -> None:
        self.out: list[bytes] = []
        self.seen: dict[int, int] = {}
        self.keep: list[object] = []
        self.local = 0
        self.in_code = int(self.root is not None)
        # Globals that code reads, in order, and those that code binds: (id of the namespace, name).
        self.reads: list[tuple[int, str]] = []
        self.binds: set[tuple[int, str]] = set()
        self.root_defaults = False
        # What code reads, libraries that it leads to, environment variables that it reads by a constant name.
        self.reads_noted: list[Read] = []
        self.libraries: dict[str, None] = {}
        self.variables: dict[str, None] = {}
        # The function that is reached by its name, not handed on as a thing; what kind of part it is.
        self.direct: object = self.root
        self.role = "helper"
        self.annotated: set[int] = set()
        # The user's functions and classes, the libraries' classes, what code asks of the former, which attributes it
        # reads of anything: see `ezpyp.hashing.code.introspection`.
        self.user_code: dict[int, object] = {}
        self.classes_of_libraries: dict[int, type] = {}
        self.asked: set[str] = set()
        self.attributes: set[str] = set()
        self._tuples = 0
        self._owners: list[object] = []
        self._shelters: list[_Shelter] = []

    def write(self, *values: object) -> bytes:
        """Walk ``values`` in one go and return their bytes."""
        try:
            self._run(iter(values))
        except _TooSharedError:
            # Written out, a tuple shared at each of 60 levels has no end: start over with references to tuples.
            self._reset()
            self.shared = True
            self._run(iter(values))
        if self.user_code:
            self._run(self.dispatch.rest(self))
        self._write_bindings()
        return b"".join(self.out)

    def _write_bindings(self) -> None:
        # Two globals of equal value are the same to a reader, unless somebody binds one of them.
        bound = [(place, key) for place, key in enumerate(self.reads) if key in self.binds]
        numbers: dict[tuple[int, str], int] = {}
        for place, key in bound:
            self.out.append(_BOUND + count(place) + count(numbers.setdefault(key, len(numbers))))

    def _run(self, roots: Iterator[object]) -> None:
        leaves, nodes, texts = self.dispatch.leaves, self.dispatch.nodes, self.texts
        frames: list[Children] = [roots]
        owners = self._owners
        while frames:
            try:
                for value in frames[-1]:
                    kind = type(value)
                    leaf = leaves.get(kind)
                    if leaf is not None:
                        self.out.append(leaf(value))
                        if texts is not None and (kind is str or kind is bytes):
                            texts.append(value)
                        continue
                    node = nodes.get(kind) or self.dispatch.find(kind)
                    frames.append(node(self, value))
                    owners.append(value)
                    break
                else:
                    frames.pop()
                    if owners:
                        owners.pop()
            except _ShelteredError:
                self._fall_back(frames)

    # -- what nodes call ---------------------------------------------------

    def met(self, value: object) -> bool:
        """Tell whether a mutable object was met before, and write the reference if so."""
        index = self.seen.get(id(value))
        if index is not None:
            self.out.append(_REF + count(index))
            return True
        self.seen[id(value)] = len(self.seen)
        # An id is only good while its object lives.
        self.keep.append(value)
        return False

    def met_tuple(self, value: object) -> bool:
        """Like ``met`` for immutable containers, which are references only in a walk that would not end."""
        if self.shared:
            return self.met(value)
        self._tuples += 1
        if self._tuples > _TUPLES:
            raise _TooSharedError
        return False

    def emit(self, data: bytes) -> None:
        """Write bytes."""
        self.out.append(data)

    def begin(self) -> list[bytes]:
        """Start a part whose bytes are wanted by themselves; give the result to ``end``."""
        outer, self.out = self.out, []
        return outer

    def end(self, outer: list[bytes]) -> bytes:
        """Finish the part and return its bytes, which the caller writes or not."""
        data = b"".join(self.out)
        self.out = outer
        return data

    def part(self, kind: str, name: str, place: Place, value: object) -> Children:
        """Walk a value that code reads, and note it as a part by itself."""
        if self.observer is not None:
            self.observer.begin(name, value)
        outer = self.begin()
        yield value
        data = self.end(outer)
        self.emit(data)
        read = Read(kind, name, digest(data), value)
        self.reads_noted.append(read)
        if self.observer is not None:
            self.observer.value(read, place)

    def note_texts(self, values: Iterable[object]) -> None:
        """Remember the texts among plain values, where they are wanted."""
        if self.texts is not None:
            self.texts.extend(texts_in(values))

    def note_large(self, value: object, size_bytes: int) -> None:
        """Note that an argument holds a large array or frame."""
        if self.buffers is not None and size_bytes >= LARGE_BYTES and not self.in_code:
            self.buffers.note(value)

    def forget(self, size: int) -> None:
        """Forget the objects met since ``len(seen)`` was ``size``."""
        while len(self.seen) > size:
            self.seen.popitem()

    def refuse(self, value: object, reason: str) -> None:
        """Meet a part without stable content: an error in an argument, its type in what code reads."""
        if not self.in_code:
            raise UnwalkableError(value, reason, tuple(self._owners))
        if self.is_sheltered():
            raise _ShelteredError
        self.emit_type_only(value)

    def is_sheltered(self) -> bool:
        """Tell whether a library's object that code reads is being walked, which may turn out to be no data."""
        return any(shelter.in_code == self.in_code for shelter in self._shelters)

    def emit_type_only(self, value: object) -> None:
        """Write an object of which nothing but the type counts, and note it."""
        kind = type(value)
        name = f"{kind.__module__}.{kind.__qualname__}"
        self.out.append(_OUTSIDE + text(name))
        if self.observer is not None:
            self.observer.untracked(name)

    def note_library(self, module: str) -> None:
        """Note that the code leads to a library."""
        top = module.partition(".")[0]
        if top and top not in sys.stdlib_module_names:
            self.libraries[top] = None

    # -- library objects that turn out to be no data ------------------------

    def shelter(self, value: object, rest: Children) -> None:
        """Let a refusal further down fall back to the type of ``value`` (a thread pool) and ``rest`` of it."""
        place = (self.out, len(self.out), len(self.seen))
        self._shelters.append(_Shelter(value, rest, *place, self.in_code, self.local))

    def unshelter(self) -> None:
        """End the stretch begun by ``shelter``."""
        self._shelters.pop()

    def _fall_back(self, frames: list[Children]) -> None:
        # The outermost object of a library counts, but none above the user's code or objects on the way.
        while len(self._shelters) > 1 and self._shelters[-2].in_code == self.in_code:
            self._shelters.pop()
        shelter = self._shelters.pop()
        while self._owners.pop() is not shelter.value:
            frames.pop()
        frames.pop()
        self.out = shelter.out
        del self.out[shelter.length :]
        self.forget(shelter.met)
        self.in_code, self.local = shelter.in_code, shelter.local
        self.emit_type_only(shelter.value)
        frames.append(shelter.rest)
        self._owners.append(shelter.value)


class _ShelteredError(Exception):
    """A refusal inside a library's object that is read by code."""


@dataclass(slots=True)
class _Shelter:
    """Where to go back to when a library's object turns out to be no data."""

    value: object
    rest: Children
    out: list[bytes]
    length: int
    met: int
    in_code: int
    local: int


class Dispatch(Protocol):
    """How each type is written; ``find`` meets the types that are not in the tables."""

    leaves: dict[type, Leaf]
    nodes: dict[type, Node]

    def rest(self, w: Walker) -> Children:
        """Return what counts of what was met because of code that was met."""

    def find(self, kind: type) -> Node:
        """Return the way to write instances of ``kind``."""


def scalar(value: object) -> bytes:
    """Write a plain scalar."""
    return dumps(value, 2)


def sum_up(data: bytes) -> bytes:
    """Return ``data`` itself when short, else its tagged digest."""
    return data if len(data) <= 64 else tag("x") + digest(data)


# Where a part stands: the path to it, found only once something went wrong.


def path_of(caught: UnwalkableError, values: Sequence[object], names: Sequence[str]) -> str:
    """Return the path of the part that was refused, such as ``args[1].model.w``."""
    owners = [*caught.trail]
    if not owners or owners[-1] is not caught.value:
        owners.append(caught.value)
    roots = [name for value, name in zip(values, names, strict=False) if value is owners[0]]
    path = roots[0] if roots else "value"
    for owner, part in pairwise(owners):
        path += _step(owner, part)
    return path


def _step(owner: object, part: object) -> str:
    if isinstance(owner, Mapping):
        return next((f"[{_key(key)}]" for key, value in owner.items() if value is part), "")
    if isinstance(owner, list | tuple):
        return next((f"[{index}]" for index, value in enumerate(owner) if value is part), "")
    state = getattr(owner, "__dict__", None)
    for name, value in state.items() if isinstance(state, dict) else ():
        if value is part:
            return f".{name}"
    for kind in type(owner).__mro__:
        for name in kind.__dict__.get("__slots__", ()):
            if isinstance(name, str) and getattr(owner, name, None) is part:
                return f".{name}"
    return ""


def _key(key: object) -> str:
    return repr(key) if type(key) in (str, int, float, bool, bytes) else f"<{type(key).__name__}>"
