"""What a name leads to: from the reads of a body of code to values, through modules and their attributes."""

import builtins
import importlib
import importlib.util
import sys
from ast import literal_eval
from collections import OrderedDict
from collections.abc import Iterable, Iterator
from types import FunctionType, MappingProxyType, MemberDescriptorType, ModuleType, SimpleNamespace
from typing import NamedTuple

from ezpyp.hashing.code.globals import Chain, Use
from ezpyp.hashing.code.packages import Ownership


class ResolvedName(NamedTuple):
    """One thing that a name leads to.

    Attributes:
        name: Name as the code reads it.
        value: What it leads to; None where ``label`` stands for it.
        label: Says what counts where no value does: a library's name, a missing name; "" where only what the user
            set on a library's class at run time counts.
        kind: "global", "closure", "import", "library", "builtin" or "missing".
        file: Where it is defined, if not beside the code that reads it.
        package: The module that it was read from, where that is a library's.
    """

    name: str
    value: object = None
    label: str | None = None
    kind: str = "global"
    file: str = ""
    package: str = ""


def is_code(value: object) -> bool:
    """Tell whether a value is a function or class written in Python."""
    return isinstance(value, FunctionType | type)


def as_changed(resolved_names: Iterable[ResolvedName], policy: Ownership) -> Iterator[ResolvedName]:
    """Of what was found in a loaded library, what is not as the library was made."""
    for resolved in resolved_names:
        if not _is_as_made(resolved, policy):
            yield resolved
        elif isinstance(resolved.value, type):
            yield resolved._replace(label="")


def _is_as_made(resolved: ResolvedName, policy: Ownership) -> bool:
    value = resolved.value
    if resolved.label is not None:
        return True
    if isinstance(value, ModuleType):
        return not policy.is_user_module(value.__name__)
    if not resolved.package:  # reached through the user's own module, or the arguments of the command line
        return False
    attribute = resolved.name.rpartition(".")[2]
    if is_code(value):
        return _is_own(value, attribute, resolved.package) and not _has_of_user(value, policy)
    return True  # a number: what somebody assigned to it at run time is not told from what the library did


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
    return any(map(policy.owns, held))


# They tell where a script stands, which is no part of what it does.
_PLACES = frozenset(
    {"__name__", "__file__", "__doc__", "__package__", "__spec__", "__loader__", "__path__", "__cached__"}
)


def resolved_names(function: FunctionType, uses: tuple[Use, ...], policy: Ownership) -> Iterator[ResolvedName]:
    """Return what the uses of a function's code lead to, in the order of use."""
    for use in uses:
        if use.kind == "global":
            yield from _global(function, use, policy)
        elif use.kind == "free":
            yield from _free(function, use, policy)
        elif use.chains:
            yield from _imported(function, use, policy)


def _global(function: FunctionType, use: Use, policy: Ownership) -> Iterator[ResolvedName]:
    name = use.name
    if name in _PLACES:
        yield ResolvedName(name, label=f"place:{name}")
        return
    space = function.__globals__
    if name in space:
        yield from _thing(name, space[name], use, policy, "global")
        return
    offered = space.get("__builtins__", builtins)
    offered = offered.__dict__ if isinstance(offered, ModuleType) else offered
    if isinstance(offered, dict) and name in offered:
        value = offered[name]
        if vars(builtins).get(name) is value and not isinstance(value, FunctionType):
            yield ResolvedName(name, label=f"builtin:{name}", kind="builtin")
        else:
            yield ResolvedName(name, value)
        return
    yield ResolvedName(name, label=f"missing:{name}", kind="missing")


def _free(function: FunctionType, use: Use, policy: Ownership) -> Iterator[ResolvedName]:
    cells = dict(zip(function.__code__.co_freevars, function.__closure__ or (), strict=False))
    try:
        value = cells[use.name].cell_contents
    except (KeyError, ValueError):
        yield ResolvedName(use.name, label="empty", kind="closure")
        return
    yield from _thing(use.name, value, use, policy, "closure")


def _thing(name: str, value: object, use: Use, policy: Ownership, kind: str) -> Iterator[ResolvedName]:
    if isinstance(value, ModuleType):
        yield from _through(name, value, use.chains or ((),), policy)
        return
    yield from _read(ResolvedName(name, value, kind=kind), use.chains)


def _through(name: str, module: ModuleType, chains: Iterable[Chain], policy: Ownership) -> Iterator[ResolvedName]:
    """Follow what is read of a module, up to the attributes of a configuration object behind it."""
    chains = tuple(chains)
    if not policy.is_user_module(module.__name__):
        # What is loaded by now of a library's parts depends on what ran before: it must not count.
        parts = {chain: part for chain in chains if (part := _part_of(module, chain, policy))}
        for part in dict.fromkeys(parts.values()):
            yield ResolvedName(part, label=f"library:{part}", kind="library", package=module.__name__)
        yield from as_changed(_followed(name, module, parts, policy), policy)
        chains = tuple(chain for chain in chains if chain not in parts)
    yield from _followed(name, module, chains, policy)


def _followed(name: str, module: ModuleType, chains: Iterable[Chain], policy: Ownership) -> Iterator[ResolvedName]:
    found = [follow(name, module, chain, policy) for chain in chains]
    for resolved, rest in found:
        yield from _read(
            resolved, (rest,) if all(below for other, below in found if other.name == resolved.name) else ()
        )


def _part_of(library: ModuleType, chain: Chain, policy: Ownership) -> str:
    """Name of the part of a library that a chain goes through, loaded or not; "" where it reads the library itself."""
    if not chain:
        return ""
    value, found = _member(library, chain[0], policy)
    if found and not (isinstance(value, ModuleType) and not policy.is_user_module(value.__name__)):
        return ""
    return f"{library.__name__}.{chain[0]}"


def _read(resolved: ResolvedName, chains: tuple[Chain, ...]) -> Iterator[ResolvedName]:
    """Of a configuration of which only plain attributes or keys are read, only these count; else the thing itself."""
    values = fields_read(resolved.value, chains) if resolved.label is None else {}
    if not values:
        yield resolved
    for first, value in values.items():
        below = tuple(chain[len(first) :] for chain in chains if chain[: len(first)] == first)
        part = first[-1] if first[-1].startswith("[") else f".{first[0]}"
        label = "absent" if value is _ABSENT else None
        yield from _read(resolved._replace(name=f"{resolved.name}{part}", value=value, label=label), below)


def follow(name: str, module: ModuleType, chain: Chain, policy: Ownership) -> tuple[ResolvedName, Chain]:
    """Follow attributes from a module to the first thing that is no module; say what of the chain is left."""
    value: object = module
    owner = module
    read = [name]
    for place, attribute in enumerate(chain):
        if not isinstance(value, ModuleType):
            return ResolvedName(".".join(read), value, file=str(getattr(owner, "__file__", None) or "")), chain[place:]
        owner = value
        read.append(attribute)
        value, found = _member(owner, attribute, policy)
        if not found:
            # Of a library that loads its parts when first asked, as a rule.
            library = "" if policy.is_user_module(owner.__name__) else owner.__name__
            label = f"missing:{owner.__name__}.{attribute}"
            return ResolvedName(".".join(read), label=label, kind="missing", package=library), ()
        if not isinstance(value, ModuleType) and not policy.is_user_module(owner.__name__):
            return _library_member(".".join(read), owner, attribute, value), ()
    return ResolvedName(".".join(read), value, file=str(getattr(owner, "__file__", None) or "")), ()


def _member(module: ModuleType, attribute: str, policy: Ownership) -> tuple[object, bool]:
    space = vars(module)
    if attribute in space:
        return space[attribute], True
    loaded = sys.modules.get(f"{module.__name__}.{attribute}")
    if loaded is not None:
        return loaded, True
    if policy.is_user_module(module.__name__):
        try:
            return getattr(module, attribute), True
        except Exception:  # noqa: BLE001  # a module's own __getattr__ may raise anything
            return None, False
    # A library that loads its parts when first asked (PEP 562) is not asked: its name is all that counts.
    return None, False


def _library_member(name: str, owner: ModuleType, attribute: str, value: object) -> ResolvedName:
    if owner is sys and attribute == "argv":
        return ResolvedName(name, list(sys.argv[1:]))
    if isinstance(value, bool | int | float) or is_code(value):
        # A number may be a setting that the script made; code may be the user's, put there at run time.
        return ResolvedName(name, value, package=owner.__name__)
    label = f"library:{owner.__name__}.{attribute}"
    return ResolvedName(name, label=label, kind="library", package=owner.__name__)


def _imported(function: FunctionType, use: Use, policy: Ownership) -> Iterator[ResolvedName]:
    name = absolute_name(use, function.__globals__)
    if use.member is None:
        load(name, policy)
        name = name.partition(".")[0]
    module = load(name, policy)
    chains = use.chains if not use.member else tuple((use.member, *chain) for chain in use.chains)
    if use.member:
        load(f"{name}.{use.member}", policy)
    if module is not None and policy.is_user_module(module.__name__):
        yield from _through(name, module, chains, policy)
        return
    # Whether a library was imported before the step does it must not count: its name does, as the code has the rest.
    full = name if not use.member else f"{name}.{use.member}"
    yield ResolvedName(full, label=f"library:{full}", kind="import", package=name)
    if module is not None:
        yield from as_changed(_followed(name, module, chains, policy), policy)


def absolute_name(use: Use, space: dict[str, object]) -> str:
    """Return the absolute name of a module that is imported inside a body."""
    if not use.level:
        return use.name
    package = str(space.get("__package__") or space.get("__name__") or "")
    parts = package.split(".")
    return ".".join([*parts[: len(parts) - use.level + 1], *filter(None, [use.name])])


def load(name: str, policy: Ownership) -> ModuleType | None:
    """Return a module; a user's is imported as its step would do, a library's is not."""
    module = sys.modules.get(name)
    if module is not None:
        return module
    try:
        spec = importlib.util.find_spec(name)
        if spec is None or not policy.owns_spec(name, spec.origin):
            return None
        return importlib.import_module(name)
    except Exception:  # noqa: BLE001  # importing runs the user's code; the step itself will show what is wrong with it
        return None


# Configuration objects of which code reads plain attributes, or keys by constants: only those that it reads count.

# Stands for a key that is not there, where code asks for it with `get`.
_ABSENT = object()
_NOTHING = object()
_TABLES = frozenset({dict, OrderedDict, MappingProxyType})
# Its type in C has a slot of its own, which does what that of every object does.
_PLAIN_READING: tuple[object, ...] = (object.__getattribute__, SimpleNamespace.__getattribute__)


def fields_read(value: object, chains: tuple[Chain, ...]) -> dict[Chain, object]:
    """Return the attributes or keys that code reads of a configuration, by the beginnings of chains, with their values.

    Returns:
        Nothing where the whole must count: it is no configuration, is used as a thing, or has code that answers.

    Example:
        >>> fields_read(SimpleNamespace(beta=2, verbose=0), (("beta",), ("beta", "real")))
        {('beta',): 2}
        >>> fields_read({"beta": 2, "verbose": 0}, (("['beta']",),))
        {("['beta']",): 2}
    """
    if not chains or not all(chains):
        return {}
    if type(value) in _TABLES or type(value) in (list, tuple):
        found = {chain[: 1 + (chain[0] == "get")]: _item(value, chain) for chain in chains}
    elif _is_configuration(type(value)):
        found = {chain[:1]: _field(value, chain[0]) for chain in chains}
    else:
        return {}
    return {} if any(field is _NOTHING for field in found.values()) else found


def _is_configuration(kind: type) -> bool:
    plain = kind is SimpleNamespace or (kind.__module__, kind.__qualname__) == ("argparse", "Namespace")
    if not plain and "__dataclass_fields__" not in kind.__dict__:
        return False
    return kind.__getattribute__ in _PLAIN_READING and not hasattr(kind, "__getattr__")


def _item(value: object, chain: Chain) -> object:
    """Return what stands under a key of a table, or at a place of a list."""
    is_asked = chain[0] == "get" and len(chain) > 1
    if not chain[is_asked].startswith("["):
        return _NOTHING
    key = literal_eval(chain[is_asked][1:-1])
    if isinstance(value, list | tuple):
        is_there = not is_asked and type(key) is int and -len(value) <= key < len(value)
        return value[key] if is_there else _NOTHING
    return value.get(key, _ABSENT if is_asked else _NOTHING)  # type: ignore[attr-defined]  # a table


def _field(value: object, name: str) -> object:
    """Return an attribute that is data; a property, a method or a default of the class is none."""
    answer = getattr(type(value), name, None)
    if isinstance(answer, MemberDescriptorType):
        return getattr(value, name, _NOTHING)
    if hasattr(answer, "__get__"):
        return _NOTHING
    return getattr(value, "__dict__", {}).get(name, _NOTHING)
