"""A code object as canonical bytes: all that matters to what it does, nothing of how it was laid out.

In: operations, constants (typed; nested code recursively), names of attributes and parameters, flow of control, handled
exceptions, flags. Out: file and lines, docstrings, the name of the function, names of local variables (unless the code
reads ``locals``, ``vars``, ``eval`` or ``exec``), names of globals (what they lead to counts instead).
"""

from dataclasses import dataclass
from functools import lru_cache
from opcode import opmap, opname
from types import CodeType

from ezpyp.hashing.code.bytecode import (
    CONSTS,
    FREES,
    INHERITED,
    INVERTED,
    JUMPS,
    LOCALS,
    NAMES,
    Instruction,
    Place,
    in_order_of_control,
)
from ezpyp.hashing.code.globals import Use, Uses
from ezpyp.hashing.plain import digest, dumps

Operation = tuple[str, object, object, int]
"""Kind ("constant", "keyword", "name", "variable", "op"), two facts, line: for whoever puts code into words."""

# *args, **kwargs, generator, coroutine, iterable coroutine, async generator; optimized and newlocals tell classes.
_FLAGS = 0x1 | 0x2 | 0x4 | 0x8 | 0x20 | 0x80 | 0x100 | 0x200
_OPTIMIZED = 0x1
_SEES_LOCALS = frozenset({"locals", "vars", "eval", "exec", "dir"})
_LINES = "__firstlineno__"
_STATIC = "__static_attributes__"
_DOC = "__doc__"

_GLOBALS = frozenset(opmap[name] for name in ("LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS") if name in opmap)
_STORES = frozenset(opmap[name] for name in ("STORE_GLOBAL", "DELETE_GLOBAL"))
_LOAD_GLOBAL = opmap["LOAD_GLOBAL"]
_LOAD_ATTR = opmap["LOAD_ATTR"]
_LOAD_SUPER = opmap.get("LOAD_SUPER_ATTR", -1)
_LOAD_FAST = opmap["LOAD_FAST"]
_LOAD_CLOSURE = opmap.get("LOAD_CLOSURE", -1)
_CELLS = frozenset(opmap[name] for name in ("MAKE_CELL", "COPY_FREE_VARS"))
# "np.sum(x)" is compiled as a method call or not, by whether the file imports np at its top.
_PLAIN_LOADS = {opmap["LOAD_METHOD"]: _LOAD_ATTR} if opmap.get("LOAD_METHOD", 256) < 256 else {}
_STORE_NAME = opmap["STORE_NAME"]
# The keywords of a call: an operation of their own, or a constant in front of it.
_KW_NAMES = opmap.get("KW_NAMES", -1)
_CALL_KW = opmap.get("CALL_KW", -1)
# Arguments that hold flags in their low bits, and the index of the name above them.
_SHIFTS = {_LOAD_GLOBAL: 1, _LOAD_SUPER: 2} | ({} if "LOAD_METHOD" in opname[:256] else {_LOAD_ATTR: 1})
# 3.11 has four instructions for one conditional jump, by direction.
_JUMP_NAMES = {op: opname[op].replace("FORWARD_", "").replace("BACKWARD_", "") for op in JUMPS}
_JUMP_NAMES |= {
    op: name.replace("TRUE", "FALSE").replace("NOT_", "") for op, name in _JUMP_NAMES.items() if op in INVERTED
}


@dataclass(frozen=True)
class Form:
    """The canonical form of a code object.

    Attributes:
        code: The code.
        digest: 16 bytes.
        uses: What it reads from outside, in the order of control.
        stores: Names of globals that it binds.
        operations: What it does, for whoever puts it into words.
        attributes: Names of attributes that it reads of anything.
        loose: Those of things that no name outside leads to, and texts that may be such names.
    """

    code: CodeType
    digest: bytes
    uses: tuple[Use, ...]
    stores: frozenset[str]
    operations: tuple[Operation, ...]
    attributes: frozenset[str] = frozenset()
    loose: frozenset[str] = frozenset()


@lru_cache(maxsize=4096)
def canonical(code: CodeType) -> Form:
    """Return the canonical form of a code object that stands by itself."""
    writer = _Writer()
    writer.write_code(code, None)
    data = dumps(writer.out, 2)
    uses = writer.uses
    read = frozenset(uses.attributes), frozenset(uses.loose)
    return Form(code, digest(data), uses.listed(), frozenset(writer.stores), tuple(writer.operations), *read)


class _Scope:
    """Numbers of the variables of one code object; free ones have their numbers outside."""

    def __init__(self, code: CodeType, outer: "_Scope | None", writer: "_Writer") -> None:
        self.outer = outer
        self.writer = writer
        self.free = frozenset(code.co_freevars)
        self.cells = frozenset(code.co_cellvars)
        own = tuple(cell for cell in code.co_cellvars if cell not in code.co_varnames)
        self.names = code.co_varnames + own + code.co_freevars
        self.numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        """Return the number of a variable, in the order of first mention."""
        if name in self.free and self.outer is not None:
            return self.outer.number(name)
        known = self.numbers.get(name)
        if known is None:
            known = self.numbers[name] = self.writer.next_number()
        return known

    def is_outermost(self, name: str) -> bool:
        """Tell whether a free variable comes from outside of the whole code."""
        if name not in self.free:
            return False
        return self.outer is None or self.outer.is_outermost(name)


class _Writer:
    """Writes one code object and all code inside it."""

    def __init__(self) -> None:
        self.out: list[object] = []
        self.uses = Uses()
        self.stores: set[str] = set()
        self.operations: list[Operation] = []
        self.numbers = 0

    def next_number(self) -> int:
        self.numbers += 1
        return self.numbers

    def write_code(self, code: CodeType, outer: _Scope | None) -> None:
        scope = _Scope(code, outer, self)
        self.write_head(code, scope)
        places = in_order_of_control(code)
        lines = [place[0] or 0 for place in code.co_positions()]
        body = _Body(self, code, scope, lines)
        body.write(places)
        if not _SEES_LOCALS.isdisjoint(code.co_names):
            self.out.append(("locals", code.co_varnames, code.co_cellvars, code.co_freevars))

    def write_head(self, code: CodeType, scope: _Scope) -> None:
        extra = bool(code.co_flags & 4) + bool(code.co_flags & 8)
        for name in code.co_varnames[: code.co_argcount + code.co_kwonlyargcount + extra]:
            scope.number(name)
        self.out.append(("code", signature(code)))


def signature(code: CodeType) -> tuple[object, ...]:
    """Return what callers see of a code object: counts and names of parameters, and what a call gives."""
    named = code.co_argcount + code.co_kwonlyargcount
    # Names that no caller can use are local names.
    usable = code.co_varnames[code.co_posonlyargcount : named]
    return (code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount, code.co_flags & _FLAGS, usable)


class _Body:
    """Writes the operations of one code object."""

    def __init__(self, writer: _Writer, code: CodeType, scope: _Scope, lines: list[int]) -> None:
        self.writer = writer
        self.code = code
        self.scope = scope
        self.lines = lines
        self.is_class = not code.co_flags & _OPTIMIZED
        # Where a class body stores its docstring.
        self.skipped = -1

    def write(self, places: list[Place]) -> None:
        out = self.writer.out
        handler: tuple[int, int] | None = None
        self.writer.uses.open_body(self.scope)
        for position, place in enumerate(places):
            instruction = place.instruction
            if instruction is None:
                out.append(("to", place.target))
                continue
            if place.handler != handler and place.handler is not INHERITED:
                handler = place.handler
                out.append(("handler", handler))
            self.write_place(position, place, instruction, places)
        self.writer.uses.close_body()

    def write_place(self, position: int, place: Place, instruction: Instruction, places: list[Place]) -> None:
        op, arg = instruction.op, instruction.arg
        if position == self.skipped:
            return
        line = self.lines[instruction.unit] if instruction.unit < len(self.lines) else 0
        if op in CONSTS:
            self.write_constant(op, self.code.co_consts[arg], position, places, line)
        elif op in NAMES:
            self.write_name(op, arg, line)
        elif op in LOCALS or op in FREES:
            self.write_variable(op, arg, line)
        elif op in JUMPS:
            self.writer.out += (_JUMP_NAMES[op], place.target)
            self.writer.operations.append(("op", op, arg, line))
            self.writer.uses.other()
        elif op not in _CELLS:
            self.writer.out += (op, arg)
            self.writer.operations.append(("op", op, arg, line))
            self.writer.uses.other(opname[op])

    def write_variable(self, op: int, arg: int, line: int) -> None:
        name = self.scope.names[arg]
        if op == _LOAD_CLOSURE or op in _CELLS or (op == _LOAD_FAST and self.is_cell(name)):
            # Which cells a nested function gets, in the order of their names: its own code says so too.
            return
        number = self.scope.number(name)
        self.writer.out += (op, number)
        self.writer.uses.variable(opname[op], name)
        self.writer.operations.append(("variable", f"{opname[op]} {number}", name, line))

    def is_cell(self, name: str) -> bool:
        return name in self.scope.free or name in self.scope.cells

    def write_name(self, op: int, arg: int, line: int) -> None:
        shift = _SHIFTS.get(op, 0)
        name = self.code.co_names[arg >> shift]
        uses = self.writer.uses
        if op in _GLOBALS:
            self.writer.out += (op, uses.global_read(name))
        elif op in _STORES:
            self.writer.stores.add(name)
            self.writer.out += (op, uses.global_number(name))
            uses.name("STORE_GLOBAL", name)
        else:
            # The low bits say how a call will find its function, but whether super() has arguments.
            self.writer.out += (_PLAIN_LOADS.get(op, op), arg & 2 if op == _LOAD_SUPER else 0, name)
            uses.name(opname[op], name)
        self.writer.operations.append(("name", name, None, line))

    def write_constant(self, op: int, value: object, position: int, places: list[Place], line: int) -> None:
        out = self.writer.out
        if isinstance(value, CodeType):
            out.append("nested")
            self.writer.uses.other()
            self.writer.write_code(value, self.scope)
            return
        if self.is_class and self.stored_name(position + 1, places) == _DOC:
            self.skipped = position + 1
            return
        self.writer.uses.constant(value)
        value = self.adjusted(value, position, places)
        out += (op, plain_constant(value))
        kind = "keyword" if op == _KW_NAMES or self.is_called_with(position, places) else "constant"
        self.writer.operations.append((kind, value, None, line))

    def is_called_with(self, position: int, places: list[Place]) -> bool:
        """Tell whether a constant is the keywords of the call that follows (3.13)."""
        following = places[position + 1].instruction if position + 1 < len(places) else None
        return following is not None and following.op == _CALL_KW

    def adjusted(self, value: object, position: int, places: list[Place]) -> object:
        """Take out of a class body what only tells where the class stands."""
        if not self.is_class:
            return value
        if value == self.code.co_qualname:
            return self.code.co_qualname.rpartition("<locals>.")[2]
        stored = self.stored_name(position + 1, places)
        if stored == _LINES:
            return None
        if stored == _STATIC and isinstance(value, tuple):
            return tuple(sorted(value))
        return value

    def stored_name(self, position: int, places: list[Place]) -> str | None:
        following = places[position].instruction if position < len(places) else None
        if following is None or following.op != _STORE_NAME:
            return None
        return self.code.co_names[following.arg]


def plain_constant(value: object) -> object:
    """Return a constant as nested tuples of what ``marshal`` writes canonically."""
    if isinstance(value, tuple):
        return ("tuple", *map(plain_constant, value))
    if isinstance(value, frozenset):
        return ("frozenset", *sorted(dumps(plain_constant(member), 2) for member in value))
    if value is Ellipsis:
        return ("ellipsis",)
    if isinstance(value, CodeType):
        return ("code", canonical(value).digest)
    return value
