"""The order of control: instructions in the order in which they are reached, whatever the layout.

Line breaks move NOPs, duplicate jumps and reorder blocks, since the compiler looks at line numbers when it optimises.
Following control from the entry, and dropping jumps that only continue elsewhere, gives one order for all layouts.
"""

from dataclasses import dataclass
from types import CodeType

from ezpyp.hashing._bytecode import (
    ENDS,
    GOTOS,
    INVERTED,
    JUMPS,
    SILENT,
    Handler,
    Instruction,
    decode,
    handlers,
)

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
