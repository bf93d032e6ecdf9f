"""Bytecode as instructions: what ``dis`` does, in a fraction of its time and without importing it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from opcode import hasconst, hasfree, hasjrel, haslocal, hasname, opmap, opname
from types import CodeType

_CACHE = opmap.get("CACHE", 0)
_EXTENDED = opmap["EXTENDED_ARG"]
# NOPs are kept for tracing of lines, and come and go with line breaks. Where a NULL is pushed for a call depends on
# how the function is found, which is another instruction's business.
_SKIPPED = frozenset({_CACHE, opmap["NOP"], opmap["PUSH_NULL"]})

JUMPS = frozenset(op for op in hasjrel if op < 256)
BACKWARD = frozenset(op for op in JUMPS if "BACKWARD" in opname[op])
GOTOS = frozenset(op for op in JUMPS if opname[op] in ("JUMP_FORWARD", "JUMP_BACKWARD", "JUMP_BACKWARD_NO_INTERRUPT"))
ENDS = frozenset(opmap[name] for name in ("RETURN_VALUE", "RETURN_CONST", "RAISE_VARARGS", "RERAISE") if name in opmap)
# Of the two directions of a branch, the one that is written as the other with its arms exchanged.
INVERTED = frozenset(
    op for op in JUMPS if opname[op].startswith("POP_JUMP") and opname[op].endswith(("_IF_TRUE", "NOT_NONE"))
)
# Whether these are inside a handler's stretch depends on the layout alone: what a branch tests was computed before it,
# and a plain load cannot fail where the compiler joins two in one (3.13).
SILENT = JUMPS - {opmap["FOR_ITER"], opmap["SEND"]} | (
    {opmap["LOAD_FAST"], opmap["STORE_FAST"]} if "LOAD_FAST_LOAD_FAST" in opmap else frozenset()
)
CONSTS = frozenset(op for op in hasconst if op < 256)
NAMES = frozenset(op for op in hasname if op < 256)
LOCALS = frozenset(op for op in haslocal if op < 256)
FREES = frozenset(op for op in hasfree if op < 256)

# Two operations in one instruction, which the compiler makes only of those that stand on one line.
_DOUBLE: dict[int, Callable[[int], tuple[tuple[int, int], tuple[int, int]]]] = {}
for _name, _first, _second in (
    ("LOAD_FAST_LOAD_FAST", "LOAD_FAST", "LOAD_FAST"),
    ("STORE_FAST_LOAD_FAST", "STORE_FAST", "LOAD_FAST"),
    ("STORE_FAST_STORE_FAST", "STORE_FAST", "STORE_FAST"),
):
    if _name in opmap:
        _DOUBLE[opmap[_name]] = partial(
            lambda one, two, arg: ((one, arg >> 4), (two, arg & 15)), opmap[_first], opmap[_second]
        )
if "RETURN_CONST" in opmap:
    _DOUBLE[opmap["RETURN_CONST"]] = lambda arg: ((opmap["LOAD_CONST"], arg), (opmap["RETURN_VALUE"], 0))


@dataclass(slots=True)
class Instruction:
    """One instruction: opcode, argument, target of a jump (an index of the list, else -1), place in the code."""

    op: int
    arg: int
    target: int
    unit: int


def decode(code: CodeType) -> list[Instruction]:
    """Return the instructions of a code object, without caches, padding and argument prefixes."""
    raw = code.co_code
    units = len(raw) // 2
    index_at = [0] * (units + 1)
    found: list[Instruction] = []
    extended = 0
    for unit in range(units):
        op = raw[2 * unit]
        index_at[unit] = len(found)
        if op in _SKIPPED:
            continue
        arg = raw[2 * unit + 1] | extended
        if op == _EXTENDED:
            extended = arg << 8
            continue
        extended = 0
        if op in _DOUBLE:
            found.extend(Instruction(*part, -1, unit) for part in _DOUBLE[op](arg))
        else:
            found.append(Instruction(op, arg, -1, unit))
    index_at[units] = len(found)
    for instruction in found:
        if instruction.op in JUMPS:
            instruction.target = index_at[_target(instruction, raw)]
    return found


def _target(jump: Instruction, raw: bytes) -> int:
    # A jump counts from the instruction after it, caches skipped.
    unit = jump.unit + 1
    while 2 * unit < len(raw) and raw[2 * unit] == _CACHE:
        unit += 1
    return unit - jump.arg if jump.op in BACKWARD else unit + jump.arg


@dataclass(frozen=True, slots=True)
class Handler:
    """A stretch of code units and where an exception in it is handled."""

    start: int
    end: int
    target: int
    depth: int


def handlers(code: CodeType) -> list[Handler]:
    """Return the exception table of a code object, in code units."""
    numbers = _varints(code.co_exceptiontable)
    return [Handler(s, s + n, target, depth) for s, n, target, depth in zip(*[iter(numbers)] * 4, strict=True)]


def _varints(table: bytes) -> list[int]:
    # Six bits a byte, the most significant first; 64 says that more follow; 128 only marks an entry's start.
    numbers = []
    value = 0
    for byte in table:
        value = (value << 6) | (byte & 63)
        if not byte & 64:
            numbers.append(value)
            value = 0
    return numbers
