"""What a use stands for at this moment, for what is recorded only: nothing is imported, no code of the user's runs."""

import builtins
import sys
from types import FunctionType, ModuleType

from ezpyp.hashing._uses import Chain, Use


def thing_of(function: FunctionType, use: Use) -> object:
    """Return what a function's code uses; None where it is not there."""
    if use.kind == "global":
        return function.__globals__.get(use.name, getattr(builtins, use.name, None))
    if use.kind == "free":
        return _of_closure(function, use.name)
    module = None if use.level else sys.modules.get(use.name)
    if use.member == "":
        return module
    if use.member is None:
        return module if module is None else sys.modules.get(use.name.partition(".")[0])
    return None if module is None else vars(module).get(use.member)


def _of_closure(function: FunctionType, name: str) -> object:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    try:
        return cells[name].cell_contents
    except (KeyError, ValueError):
        return None


def led_to(thing: object, chain: Chain) -> tuple[object, Chain]:
    """Follow a chain through modules; what it leads to, and what is left of it."""
    while chain and isinstance(thing, ModuleType):
        thing, chain = vars(thing).get(chain[0]), chain[1:]
    return thing, chain
