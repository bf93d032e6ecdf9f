"""The source text of a code object, where it is the source of that very code."""

import os
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType

from ezpyp.hashing.code.canonical import canonical

Lines = tuple[str, ...] | list[str]

# from __future__ import annotations, which changes what a nested function's annotations compile to.
_FUTURE = 0x1000000


@lru_cache(maxsize=4096)
def source_of(code: CodeType) -> str | None:
    """Return the source of ``code``; None where the file has been edited since, or there is none.

    ``inspect.getsource`` would give the file as it is now. Here the text is compiled again and must give the same code.
    """
    lines = lines_of(code.co_filename)
    if not lines or not code.co_firstlineno:
        return None
    block = lines[code.co_firstlineno - 1 : _last_line(code)]
    try:
        compiled = compile(_standing_alone(block, code), code.co_filename, "exec", code.co_flags & _FUTURE, True)
    except (SyntaxError, ValueError):
        return None
    candidates = [inner for inner in _nested(compiled) if inner.co_name == code.co_name]
    # Equal in every byte and line as a rule; where the frame around it moved it, the canonical form decides.
    same = code in candidates or any(canonical(inner).digest == canonical(code).digest for inner in candidates)
    return "".join(block) if same else None


def _standing_alone(block: Sequence[str], code: CodeType) -> str:
    """Return the block inside what makes it compile alike, on the lines where it stands in its file."""
    before = "\n" * (code.co_firstlineno - 2)
    if code.co_freevars:
        body = block if block and block[0][:1].isspace() else [" " + line for line in block]
        return f"{before}def _({', '.join(code.co_freevars)}):\n" + "".join(body)
    if block and block[0][:1].isspace():
        return before + "if 1:\n" + "".join(block)
    return before + "\n" * (code.co_firstlineno > 1) + "".join(block)


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


def lines_of(path: str) -> Lines:
    """Return the lines of a source file, or of a notebook's cell."""
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


# Where source files bind globals and attributes of classes, read from their text: nothing is imported or compiled.

# "a = b = 1", "a, b = 1, 2", "a: int = 1"; no comparison, no call's keywords.
_TARGETS = re.compile(r"(?:[\w, ]+(?::[^=]*)?=(?!=) *)+")
_NAME = re.compile(r"\w+")
_HEADS = ("if ", "if(", "elif ", "else:", "for ", "while ", "try:", "except", "finally:", "with ", "match ", "case ")
_INNER = ("def ", "class ", "async def ")
_QUOTES = ('"""', "'''")
_DEPTH = 5

# File and line.
Place = tuple[str, int]


@dataclass(slots=True)
class Bindings:
    """What a file binds outside of its functions and classes, each name where it stands first.

    Attributes:
        lines: Line of each name.
        imported: Module, as the file writes it, and name there of what it takes out of other modules.
        stars: Modules of which it takes everything.
    """

    lines: dict[str, int] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)


# One look at each file a walk: the cache below compares all of its lines.
Reader = Callable[[str], Bindings]


def place_of(path: str, name: str, is_users: Callable[[str], bool], read: Reader) -> Place:
    """Return where a global of a file is bound: in the module that the file imports it from, if that is known.

    Args:
        path: The file.
        name: The global.
        is_users: Whether a module is the user's; into others nobody wants to look.
        read: Gives what a file binds.
    """
    for _ in range(_DEPTH):
        found = read(path)
        imported = found.imported.get(name)
        if imported is None:
            imported = next(((star, name) for star in found.stars if name not in found.lines), None)
        file = _file_of(imported[0], path, is_users) if imported else ""
        if not imported or not file or not _is_bound(read(file), imported[1]):
            break
        path, name = file, imported[1]
    return path, read(path).lines.get(name, 0)


def _is_bound(found: Bindings, name: str) -> bool:
    return name in found.lines or bool(found.stars)


def _file_of(module: str, path: str, is_users: Callable[[str], bool]) -> str:
    dots = len(module) - len(module.lstrip("."))
    if not dots:
        return getattr(sys.modules.get(module), "__file__", None) or "" if is_users(module) else ""
    folder = os.path.join(path, *[os.pardir] * dots, *filter(None, module[dots:].split(".")))
    files = [os.path.normpath(folder) + ".py", os.path.join(os.path.normpath(folder), "__init__.py")]
    return next(filter(os.path.isfile, files), "")


def bindings(lines: Lines) -> Bindings:
    """Return what a file binds.

    Args:
        lines: Its lines; a list, as those of a notebook's cell are, which hold not all that a cell sees, tells nothing.

    Example:
        >>> bindings(("if True:", "    rate = 1", "from conf import low as least")).lines
        {'rate': 2, 'least': 3}
    """
    return _scanned(lines) if isinstance(lines, tuple) else Bindings()


@lru_cache(maxsize=64)
def _scanned(lines: tuple[str, ...]) -> Bindings:
    scan = _Scan()
    for place, line in enumerate(lines, 1):
        scan.line(place, line)
    return scan.found


class _Scan:
    """Goes through a file line by line, past the bodies of functions and classes, texts and brackets."""

    def __init__(self) -> None:
        self.found = Bindings()
        # Indentations of the open blocks of if, for, try and the like.
        self._blocks = [0]
        # The indentation beyond which lines belong to a function or class; the quotes of a text that is open.
        self._skipped = -1
        self._quotes = ""
        self._is_head = self._opens = False
        # Where "from a import (" began, and its text so far.
        self._import: tuple[int, str] | None = None

    def line(self, place: int, line: str) -> None:
        """Take in one line."""
        text = line.strip()
        if self._quotes:
            self._quotes = "" if self._quotes in text else self._quotes
        elif self._import is not None:
            self._more_of_import(text)
        elif text and text[0] != "#":
            self._statement(place, text, len(line) - len(line.lstrip()))

    def _statement(self, place: int, text: str, indent: int) -> None:
        self._quotes = next((quotes for quotes in _QUOTES if text.count(quotes) % 2), "")
        if 0 <= self._skipped < indent:
            return
        self._skipped = -1
        if self._opens and indent > self._blocks[-1]:
            self._blocks.append(indent)
        self._opens = False
        while self._blocks[-1] > indent:
            self._blocks.pop()
        if self._is_head:
            self._end_of_head(text)
        elif self._blocks[-1] == indent:
            self._bind(place, text, indent)

    def _end_of_head(self, text: str) -> None:
        self._opens = text.partition("  #")[0].rstrip().endswith(":")
        self._is_head = not self._opens

    def _bind(self, place: int, text: str, indent: int) -> None:
        if text.startswith(_INNER):
            self._skipped = indent
            name = _NAME.match(text.removeprefix("async ").partition(" ")[2])
            self.found.lines.setdefault(name[0] if name else "", place)
        elif text.startswith(_HEADS):
            self._end_of_head(text)
            _, _, after = text.partition(": ")
            if self._is_head and after:
                self._is_head = False
                self._assign(place, after)
        elif text.startswith("from "):
            self._import = (place, "")
            self._more_of_import(text)
        elif text.startswith("import "):
            for piece in text[7:].split(","):
                self.found.lines.setdefault(piece.split()[-1].partition(".")[0], place)
        elif "=" in text:
            self._assign(place, text)

    def _assign(self, place: int, text: str) -> None:
        targets = _TARGETS.match(text) if "=" in text else None
        for target in targets[0].split("=")[:-1] if targets else ():
            for name in target.partition(":")[0].split(","):
                if name.strip().isidentifier():
                    self.found.lines.setdefault(name.strip(), place)

    def _more_of_import(self, text: str) -> None:
        place, before = self._import or (0, "")
        whole = f"{before} {text.partition('#')[0].strip()}"
        if ("(" in whole and ")" not in whole) or whole.endswith("\\"):
            self._import = (place, whole.removesuffix("\\"))
            return
        self._import = None
        module, _, names = whole.strip()[5:].partition(" import ")
        for piece in names.strip(" ()").split(","):
            words = piece.split()
            if words == ["*"]:
                self.found.stars.append(module.strip())
            elif words:
                self.found.lines.setdefault(words[-1], place)
                self.found.imported.setdefault(words[-1], (module.strip(), words[0]))


def line_in_class(lines: Lines, name: str, owner: str) -> int:
    """Return the line where a class, or an attribute of it, is first bound; 0 if that is not seen."""
    start = next((place for place, line in enumerate(lines, 1) if _opens_class(line, owner)), 0)
    if not start or not name:
        return start
    return next((place for place, line in enumerate(lines[start:], start + 1) if _binds(line, name)), start)


def _binds(line: str, name: str) -> bool:
    # No pattern: compiling one for each name would cost more than the whole search.
    if name not in line or not line[:1].isspace():
        return False
    before, _, after = line.partition("=")
    return before.partition(":")[0].strip() == name and bool(after) and after[0] != "="


def _opens_class(line: str, name: str) -> bool:
    words = line.lstrip()
    return (
        words.startswith("class ") and words[6:].lstrip().startswith(name) and not words[6 + len(name) :][:1].isalnum()
    )
