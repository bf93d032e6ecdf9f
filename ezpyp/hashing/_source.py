"""The source text of a code object, where it is the source of that very code."""

import os
import sys
from collections.abc import Iterator
from functools import lru_cache
from types import CodeType

from ezpyp.hashing._code import canonical

# from __future__ import annotations, which changes what a nested function's annotations compile to.
_FUTURE = 0x1000000


def source_of(code: CodeType) -> str | None:
    """Return the source of ``code``; None where the file has been edited since, or there is none.

    ``inspect.getsource`` would give the file as it is now. Here the text is compiled again and must give the same
    canonical form.
    """
    lines = _lines(code.co_filename)
    if not lines or not code.co_firstlineno:
        return None
    block = lines[code.co_firstlineno - 1 : _last_line(code)]
    try:
        compiled = compile(_standing_alone(block, code), code.co_filename, "exec", code.co_flags & _FUTURE, True)
    except (SyntaxError, ValueError):
        return None
    wanted = canonical(code).digest
    found = any(canonical(inner).digest == wanted for inner in _nested(compiled) if inner.co_name == code.co_name)
    return "".join(block) if found else None


def _standing_alone(block: list[str], code: CodeType) -> str:
    """Return the block inside what makes it compile alike: indentation, variables of the enclosing function."""
    indent = block[0][: len(block[0]) - len(block[0].lstrip())] if block else ""
    if not code.co_freevars:
        return ("if 1:\n" if indent else "") + "".join(block)
    indent = indent or " "
    return f"def _():\n{indent}{' = '.join(code.co_freevars)} = None\n" + "".join(block)


def _nested(code: CodeType) -> Iterator[CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield constant
            yield from _nested(constant)


def _last_line(code: CodeType) -> int:
    last = max((end or 0 for _, end, _, _ in code.co_positions()), default=0)
    return max([last, code.co_firstlineno, *map(_last_line, _children(code))])


def _children(code: CodeType) -> list[CodeType]:
    return [constant for constant in code.co_consts if isinstance(constant, CodeType)]


def _lines(path: str) -> tuple[str, ...] | list[str]:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        # A notebook leaves its cells where tracebacks look for them.
        known = getattr(sys.modules.get("linecache"), "cache", {}).get(path)
        return known[2] if known is not None and len(known) > 2 else ()
    return _read(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _read(path: str, _mtime_ns: int, _size: int) -> tuple[str, ...]:
    try:
        with open(path, encoding="utf-8") as file:
            return tuple(file)
    except (OSError, UnicodeError):
        return ()
