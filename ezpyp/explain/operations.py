"""Operations of code in words, for people: in no digest, and only where somebody asks."""

import sys
from opcode import _nb_ops, cmp_op, opmap, opname  # type: ignore[attr-defined]  # no other place has the operators
from types import CodeType

from xxhash import xxh3_64_hexdigest

from ezpyp.describe import describe
from ezpyp.hashing.code.bytecode import JUMPS
from ezpyp.hashing.code.canonical import Operation

_BINARY, _COMPARE = opmap["BINARY_OP"], opmap["COMPARE_OP"]
_NOT = {opmap["IS_OP"]: ("is", "is not"), opmap["CONTAINS_OP"]: ("in", "not in")}
# Most of a constant that is recorded, and most of it that counts for its digest.
_LONG, _LONGEST = 400, 1 << 20
_COMPARE_SHIFT = 0 if sys.version_info < (3, 12) else 4 if sys.version_info < (3, 13) else 5

# One operation for people: kind ("constant", "keyword", "name", "operator", "variable", "op"), what tells it from
# others of its kind, its text, its line. A tuple, since there are thousands and they go into JSON.
Token = tuple[str, str, str, int]


def in_words(operation: Operation) -> Token:
    """Put one operation into words."""
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


def parameters(code: CodeType) -> str:
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
