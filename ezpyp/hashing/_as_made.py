"""What a library holds as it was made, and what somebody put there since.

A body that imports a library counts with the library's name: whether the library is loaded when the key is made depends
on what ran before. Only what differs from the library as it was made counts on top, and nobody can have changed a
library that is not loaded.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import cache
from types import FunctionType, ModuleType

from ezpyp.hashing._lead import Lead, is_code
from ezpyp.hashing._ownership import Ownership


def as_changed(leads: Iterable[Lead], policy: Ownership) -> Iterator[Lead]:
    """Of what was found in a loaded library, what is not as the library was made.

    Args:
        leads: What the chains of a body lead to.
        policy: Whose code is whose.
    """
    for lead in leads:
        if not _is_as_made(lead, policy):
            yield lead
        elif isinstance(lead.value, type):
            yield replace(lead, label="")


def _is_as_made(lead: Lead, policy: Ownership) -> bool:
    value = lead.value
    if lead.label is not None:
        return True
    if isinstance(value, ModuleType):
        return not policy.is_user_module(value.__name__)
    if not lead.package:  # reached through the user's own module, or the arguments of the command line
        return False
    attribute = lead.name.rpartition(".")[2]
    if is_code(value):
        return _is_own(value, attribute, lead.package) and not _has_of_user(value, policy)
    return _is_as_written(value, attribute, lead.package)


def _is_own(value: object, attribute: str, package: str) -> bool:
    """Whether a function or class was defined by the library that holds it, under that name."""
    module = str(getattr(value, "__module__", None) or "")
    return getattr(value, "__name__", "") == attribute and _top(module) == _top(package)


def _top(module: str) -> str:
    return module.partition(".")[0].lstrip("_")  # `_io` is the inside of `io`


def _has_of_user(value: object, policy: Ownership) -> bool:
    """Whether a library's function was given something of the user's: wrapped, registered, in its closure."""
    if not isinstance(value, FunctionType):
        return False
    held = [value.__dict__.get("__wrapped__"), *dict(value.__dict__.get("registry", ())).values()]
    for cell in value.__closure__ or ():
        try:
            held.append(cell.cell_contents)
        except ValueError:
            continue
    return any(_is_of_user(part, policy) for part in held)


def _is_of_user(part: object, policy: Ownership) -> bool:
    if isinstance(part, FunctionType):
        return policy.owns_function(part)
    return not policy.is_library(part if isinstance(part, type) else type(part))


def _is_as_written(value: object, name: str, module: str) -> bool:
    """Whether a number of a module is what the module's source says; True where it says nothing."""
    path = getattr(sys.modules.get(module), "__file__", None)
    if not isinstance(path, str) or not path.endswith(".py"):
        return True
    try:
        written = _numbers(path, os.stat(path).st_mtime_ns)
    except (OSError, SyntaxError, ValueError):
        return True
    return name not in written or repr(written[name]) == repr(value)


@cache
def _numbers(path: str, _mtime_ns: int) -> dict[str, object]:
    """Names of a module that are given a number at its top level, each with the last one."""
    import ast  # takes 5 ms, and few bodies read a number of a library that they import

    with open(path, "rb") as file:
        tree = ast.parse(file.read())
    found: dict[str, object] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
            targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
            try:
                value = ast.literal_eval(statement.value)
            except (ValueError, TypeError):
                continue
            found.update((target.id, value) for target in targets if isinstance(target, ast.Name))
    return found
