"""Bytecode as instructions: what ``dis`` does, in a fraction of its time and without importing it."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from opcode import hasconst, hasfree, hasjrel, haslocal, hasname, opmap, opname
from types import CodeType
from typing import NamedTuple

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


class Handler(NamedTuple):
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


# The order of control: instructions in the order in which they are reached, whatever the layout.

_LONGEST_ENDING = 10
INHERITED = (-1, -1)
"""Stands for the handler of the instruction before."""


@dataclass(slots=True)
class Place:
    """An instruction in the order of control.

    Attributes:
        instruction: The instruction; None for a continuation at an earlier place.
        target: The place that it may jump to, or continues at; else -1.
        handler: What handles an exception here, as (place, depth); else None.
    """

    instruction: Instruction | None
    target: int = -1
    handler: tuple[int, int] | None = None


class _Tracer:
    def __init__(self, code: CodeType, instructions: list[Instruction]) -> None:
        self.instructions = instructions
        self.table = handlers(code)
        self.entries: dict[int, int] = {}
        for index, instruction in enumerate(instructions):
            self.entries.setdefault(instruction.unit, index)
        self.beyond = [self.beyond_jumps(i) if it.op in GOTOS else i for i, it in enumerate(instructions)]
        same = self.equal_endings()
        # Where control goes on from an index when plain jumps are followed and equal endings are one.
        self.follow = [same.get(index, index) for index in self.beyond]
        self.place_of: dict[int, int] = {}
        self.places: list[Place] = []
        self.pending: list[int] = []

    def run(self) -> list[Place]:
        self.trace(0)
        while self.pending:
            self.trace(self.pending.pop())
        for place in self.places:
            self.settle(place)
        return self.places

    def trace(self, start: int) -> None:
        index = self.follow[start]
        while index not in self.place_of:
            instruction = self.instructions[index]
            op = instruction.op
            self.place_of[index] = len(self.places)
            self.places.append(Place(instruction))
            if self.table:
                self.note_handler(instruction)
            if op in JUMPS:
                if op in GOTOS:
                    # A jump that is left here is one that leads to itself for ever.
                    return
                # The other arm of a branch comes later.
                index, aside = self.arms(index, instruction)
                self.pending.append(aside)
            elif op in ENDS:
                return
            else:
                index = self.follow[index + 1]
        self.places.append(Place(None, index))

    def arms(self, index: int, instruction: Instruction) -> tuple[int, int]:
        """Return the arm to go on with and the other, the same ones whichever of the two the compiler made a jump."""
        straight, aside = self.follow[index + 1], self.follow[instruction.target]
        return (aside, straight) if instruction.op in INVERTED else (straight, aside)

    def beyond_jumps(self, index: int) -> int:
        passed = set()
        while self.instructions[index].op in GOTOS and index not in passed:
            passed.add(index)
            index = self.instructions[index].target
        return index

    def equal_endings(self) -> dict[int, int]:
        """Return, for each instruction of a straight way to an end, the first one from which the way is the same.

        The compiler copies short endings to where they are jumped from, or not, depending on padding.
        """
        before: dict[int, list[int]] = {}
        ends = []
        for index, instruction in enumerate(self.instructions):
            if instruction.op in ENDS:
                ends.append(index)
            elif instruction.op not in JUMPS:
                before.setdefault(self.beyond[index + 1], []).append(index)
        firsts: dict[object, int] = {}
        same: dict[int, int] = {}
        level: list[tuple[int, object]] = [(index, None) for index in ends]
        for _ in range(_LONGEST_ENDING):
            level = [(index, self.way(index, rest)) for index, rest in level]
            for index, way in level:
                same[index] = firsts.setdefault(way, index)
            level = [(earlier, way) for index, way in level for earlier in before.get(index, ())]
        return same

    def way(self, index: int, rest: object) -> object:
        instruction = self.instructions[index]
        return (instruction.op, instruction.arg, self.handling(instruction), rest)

    def handling(self, instruction: Instruction) -> tuple[int, int] | None:
        handler = None if instruction.op in SILENT or not self.table else self.handler_of(instruction)
        return (handler.target, handler.depth) if handler is not None else None

    def note_handler(self, instruction: Instruction) -> None:
        if instruction.op in SILENT:
            return
        handler = self.handler_of(instruction)
        if handler is not None:
            self.pending.append(self.index_of_unit(handler.target))

    def handler_of(self, instruction: Instruction) -> Handler | None:
        for handler in self.table:
            if handler.start <= instruction.unit < handler.end:
                return handler
        return None

    def index_of_unit(self, unit: int) -> int:
        while unit not in self.entries:
            unit += 1
        return self.entries[unit]

    def index_of(self, instruction: Instruction) -> int:
        return self.entries[instruction.unit]

    def settle(self, place: Place) -> None:
        """Turn indexes into places, which are known now."""
        instruction = place.instruction
        if instruction is None:
            place.target = self.place_of[place.target]
            return
        if instruction.op in JUMPS and instruction.op not in GOTOS:
            place.target = self.place_of[self.arms(self.index_of(instruction), instruction)[1]]
        if instruction.op in SILENT:
            place.handler = INHERITED
            return
        handler = self.handler_of(instruction)
        if handler is not None:
            place.handler = (self.place_of[self.follow[self.index_of_unit(handler.target)]], handler.depth)


def in_order_of_control(code: CodeType) -> list[Place]:
    """Return the instructions of ``code`` in the order in which control reaches them."""
    instructions = decode(code)
    if code.co_exceptiontable or any(instruction.op in JUMPS for instruction in instructions):
        return _Tracer(code, instructions).run()
    end = next(index for index, instruction in enumerate(instructions) if instruction.op in ENDS)
    return [Place(instruction) for instruction in instructions[: end + 1]]
