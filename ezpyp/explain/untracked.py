"""What of a function's code no digest can see: names computed at run time, files that are read in C."""

import os
import sys
from collections.abc import Iterator, Mapping
from os.path import basename
from types import FunctionType, ModuleType
from typing import NamedTuple

from ezpyp.describe import describe
from ezpyp.hashing.code.canonical import Form
from ezpyp.hashing.code.globals import Chain, led_to, thing_of
from ezpyp.hashing.code.identity import FunctionIdentity
from ezpyp.hashing.code.packages import Ownership
from ezpyp.hashing.files import File
from ezpyp.hashing.plain import digest

_COMPUTING = frozenset({"eval", "exec", "globals"})
_IMPORTING = frozenset({("builtins", "__import__"), ("importlib", "import_module")})
# Package -> how the names of its functions begin that read a path in C, where nothing is observed.
_READING: dict[str, tuple[str, ...]] = {
    "pandas": ("read_parquet", "read_feather", "read_orc", "read_hdf"),
    "polars": ("read_", "scan_"),
    "pyarrow": ("read_",),
    "xarray": ("open_", "load_"),
    "h5py": ("File",),
    "netCDF4": ("Dataset",),
}
_UNKNOWN = "..."


def untracked_in(function: FunctionType, form: Form, policy: Ownership) -> Iterator[str]:
    """Return what of a function's code cannot be seen, each as "h5py.File('a.h5') in NAME (FILE:LINE)"."""
    followed = {use.name for use in form.uses if use.member in ("", None) and use.kind == "import"}
    for use in form.uses:
        thing = thing_of(function, use)
        for chain, kind, text in use.followers if thing is not None else ():
            if kind == "held":
                continue
            if kind == "text" and text in followed:
                continue
            argument = _argument(function, form, led_to(thing, chain), (kind, text), policy)
            if argument is not None:
                yield f"{'.'.join((use.name, *chain))}{argument}{_place(form, (use.name, *chain)[-1])}"


def _argument(
    function: FunctionType, form: Form, led: tuple[object, Chain], follower: tuple[str, str], policy: Ownership
) -> str | None:
    """Return the argument of a call that cannot be seen through, in brackets; None for anything else."""
    thing, rest = led
    module, name = str(getattr(thing, "__module__", "")), str(getattr(thing, "__name__", ""))
    if rest or not callable(thing):
        return None
    if module == "builtins" and name in _COMPUTING:
        return "()"
    if module == "builtins" and name == "getattr":
        return _asked(function, form, *follower, policy)
    if (module, name) in _IMPORTING:
        return _shown(function, *follower)
    if not name.startswith(_READING.get(module.partition(".")[0], ("\0",))) or policy.is_user_module(module):
        return None
    return _shown(function, *follower)


def _shown(function: FunctionType, kind: str, text: str) -> str | None:
    """Return the text of an argument; None for a File, which counts by its content."""
    if kind == "text":
        return f"({describe(text)})"
    if kind == "variable":
        return f"({text if text != 'self' else _UNKNOWN})"
    value = function.__globals__.get(text) if kind == "global" else None
    if isinstance(value, File):
        return None
    return f"({_UNKNOWN if value is None or isinstance(value, ModuleType) or callable(value) else text})"


def _asked(function: FunctionType, form: Form, kind: str, text: str, policy: Ownership) -> str | None:
    """Return what a library's module is asked for a computed name with ``getattr``."""
    thing = function.__globals__.get(text) if kind == "global" else None
    if not isinstance(thing, ModuleType) or policy.is_user_module(thing.__name__):
        # Anything else counts as a whole when it is asked for a name that is no constant.
        return None
    followers = (f for use in form.uses if (use.kind, use.name) == ("global", text) for f in use.followers)
    return f"({text}, {_UNKNOWN})" if any(not chain and how != "text" for chain, how, _ in followers) else None


def _place(form: Form, name: str) -> str:
    line = next((line for kind, first, _, line in form.operations if kind == "name" and first == name), 0)
    return f" in {form.code.co_qualname} ({basename(form.code.co_filename)}:{line or form.code.co_firstlineno})"


# What is around a function and counts in no key: recorded from run to run, shown beside what made a step run.


class Circumstance(NamedTuple):
    """One fact around a function.

    Attributes:
        kind: "environment" (a variable that the code reads by a constant name) or "library" (one that it leads to).
        name: The variable, the library.
        digest: Of a variable's value; "" where it is not set.
        text: Version of a library; "" where it has none.
    """

    kind: str
    name: str
    digest: str = ""
    text: str = ""


def circumstances_of(
    identity: FunctionIdentity, environment: Mapping[str, str] = os.environ
) -> tuple[Circumstance, ...]:
    """What is around a function at this moment."""
    libraries = [
        Circumstance("library", name, text=identity.versions.get(name) or _version(name)) for name in identity.libraries
    ]
    variables = [Circumstance("environment", name, _digest_of(environment.get(name))) for name in identity.variables]
    return (*libraries, *variables)


def _version(package: str) -> str:
    version = getattr(sys.modules.get(package), "__version__", "")
    return version if isinstance(version, str) else ""


def _digest_of(value: str | None) -> str:
    return "" if value is None else digest(value.encode("utf-8", "surrogateescape")).hex()
