"""Source files: the text of a code object, and the lines where globals and attributes of classes are bound."""

import ast
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import CodeType

from ezpyp.hashing.code.canonical import canonical

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
    inner = [constant for constant in code.co_consts if isinstance(constant, CodeType)]
    return max([last, code.co_firstlineno, *map(_last_line, inner)])


def lines_of(path: str) -> Sequence[str]:
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


# Where a file binds its names, read from its syntax tree: nothing is imported or run.

Place = tuple[str, int]
"""File and line."""

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
_BLOCKS = (ast.stmt, ast.ExceptHandler, ast.match_case)
# So many imports of a name from file to file are followed.
_DEPTH = 5


@dataclass(frozen=True, slots=True)
class Bindings:
    """What a file binds, each name where it is bound first.

    Attributes:
        lines: Line of each global.
        imported: Global -> module, as the file writes it, and name there.
        stars: Modules of which it takes everything.
        classes: Class -> attribute -> line; under "" the line of the class.
    """

    lines: dict[str, int] = field(default_factory=dict)
    imported: dict[str, tuple[str, str]] = field(default_factory=dict)
    stars: list[str] = field(default_factory=list)
    classes: dict[str, dict[str, int]] = field(default_factory=dict)


def bindings(path: str) -> Bindings:
    """Return what a file binds; nothing for a notebook's cell, which does not hold all that it sees."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return Bindings()
    return _bindings(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=64)
def _bindings(path: str, mtime_ns: int, size: int) -> Bindings:
    found = Bindings()
    try:
        tree = ast.parse("".join(_read(path, mtime_ns, size)))
    except (SyntaxError, ValueError, RecursionError):
        return found
    for statement in _statements(tree):
        if isinstance(statement, ast.ImportFrom):
            module = "." * statement.level + (statement.module or "")
            found.stars.extend(module for alias in statement.names if alias.name == "*")
            for alias in statement.names:
                found.imported.setdefault(alias.asname or alias.name, (module, alias.name))
        for name, line in _names(statement):
            found.lines.setdefault(name, line)
    for owner in ast.walk(tree):
        if isinstance(owner, ast.ClassDef) and owner.name not in found.classes:
            attributes = [pair for statement in _statements(owner) for pair in _names(statement)]
            found.classes[owner.name] = dict(reversed(attributes)) | {"": owner.lineno}
    return found


def _statements(block: ast.AST) -> Iterator[ast.AST]:
    """Statements in order, those of ``if`` and ``try`` as well, not the bodies of functions and classes."""
    for inner in ast.iter_child_nodes(block):
        if isinstance(inner, _BLOCKS):
            yield inner
            if not isinstance(inner, _SCOPES):
                yield from _statements(inner)


def _names(statement: ast.AST) -> Iterator[tuple[str, int]]:
    """Names that a statement binds, each with its line."""
    targets: list[ast.expr] = []
    if isinstance(statement, _SCOPES):
        yield statement.name, statement.lineno
    elif isinstance(statement, ast.Import | ast.ImportFrom):
        for alias in statement.names:
            yield alias.asname or alias.name.partition(".")[0], alias.lineno
    elif isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.For):
        targets = [statement.target]
    elif isinstance(statement, ast.With):
        targets = [item.optional_vars for item in statement.items if item.optional_vars]
    for node in (node for target in targets for node in ast.walk(target)):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id, node.lineno


def place_of_global(path: str, name: str, is_users: Callable[[str], bool]) -> Place:
    """Return where a global of a file is bound: in the module that the file imports it from, if that is known.

    Args:
        path: The file.
        name: The global.
        is_users: Whether a module is the user's; into others nobody wants to look.
    """
    for _ in range(_DEPTH):
        found = bindings(path)
        imported = found.imported.get(name)
        if imported is None:
            imported = next(((star, name) for star in found.stars if name not in found.lines), None)
        file = _file_of(imported[0], path, is_users) if imported else ""
        if not imported or not file or not _is_bound(bindings(file), imported[1]):
            break
        path, name = file, imported[1]
    return path, bindings(path).lines.get(name, 0)


def _is_bound(found: Bindings, name: str) -> bool:
    return name in found.lines or bool(found.stars)


def _file_of(module: str, path: str, is_users: Callable[[str], bool]) -> str:
    dots = len(module) - len(module.lstrip("."))
    if not dots:
        return getattr(sys.modules.get(module), "__file__", None) or "" if is_users(module) else ""
    folder = os.path.join(path, *[os.pardir] * dots, *filter(None, module[dots:].split(".")))
    files = [os.path.normpath(folder) + ".py", os.path.join(os.path.normpath(folder), "__init__.py")]
    return next(filter(os.path.isfile, files), "")


def place_of_attribute(kind: type, name: str) -> Place:
    """Return where an attribute of a class is bound, or the class itself; line 0 if that is not seen."""
    file = getattr(sys.modules.get(kind.__module__), "__file__", None) or ""
    attributes = bindings(file).classes.get(kind.__name__, {})
    return file, attributes.get(name) or attributes.get("", 0)
