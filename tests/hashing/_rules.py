"""Switches that turn one rule of the hashing off, to show that a scenario depends on it."""

import functools
import types
from pkgutil import resolve_name

from ezpyp.hashing.registry import REGISTRY


def nothing(*_args):
    """A node or generator that writes and yields nothing."""
    return iter(())


def _set(place, *values):
    """Put another value in a place of the hashing: by default a function that does nothing."""
    owner, _, name = f"ezpyp.hashing.{place}".rpartition(".")
    return lambda: setattr(resolve_name(owner), name, *(values or (nothing,)))


def _nodes(*kinds):
    return lambda: REGISTRY.nodes.update(dict.fromkeys(kinds, nothing))


def _states_off():
    for kind in resolve_name("ezpyp.hashing.objects.READ_IN_C"):
        del REGISTRY.nodes[kind]


def _values_off():
    for name in ("plain_bytes", "plain_sequence", "dumps", "leaf_hole"):
        _set(f"encode.{name}", lambda *_: b"")()


def _follow_off(name, module, chain, policy):
    return resolve_name("ezpyp.hashing.code.resolve.ResolvedName")(name, label=name), ()


RULES = {
    "direct url": _set("code.packages._comes_from_source", lambda info: False),
    "installed": _set("code.packages._INSTALLED", ()),
    "places": _set("code.packages.is_user_file", lambda path: False),
    "no file": _set("code.packages._BUILT_IN", frozenset({"built-in", "frozen", None})),
    "main": _set("code.packages._MAIN", ""),
    "named packages": _set("code.packages._is_within", lambda name, packages: False),
    "compiled": _set("code.packages.Ownership.extension_digest", lambda self, name: b""),
    "code": _set("code.canonical.digest", lambda data: b""),
    "constants": _set("code.canonical.plain_constant", lambda value: None),
    "attribute names": _set("code.canonical._Body.write_name", lambda self, op, arg, line: self.writer.out.append(op)),
    "signatures": _set("code.canonical.signature", lambda code: None),
    "local names": _set("code.canonical._SEES_LOCALS", frozenset()),
    "asked of one": _set("code.functions.asked_of_one"),
    "asked of any": _set("code.functions.asked_of_any"),
    "states": _states_off,
    "iterators": _set("objects._is_readable", lambda w, value: False),
    "made of": _set("libraries.arrays.walk_ufunc"),
    "globals that say so": _set("objects._global"),
    "type variables": _set("libraries.stdlib.walk_typing"),
    "registered classes": _set("code.classes._registered"),
    "monkeypatches": _set("code.introspection.monkeypatches"),
    "globals": _set("code.resolve._global"),
    "closures": _set("code.resolve._free"),
    "imports": _set("code.resolve._imported"),
    "modules": _set("code.resolve.follow", _follow_off),
    "whole modules": _nodes(types.ModuleType),
    "defaults": _set("code.functions._defaults"),
    "own defaults": _set("code.functions._defaults"),
    "function attributes": _set("code.functions._attributes"),
    "annotations": _set("code.functions._annotations"),
    "library closures": _set("code.functions._given_to"),
    "wrappers": _nodes(type(functools.lru_cache(len))),
    "class names": _set("code.classes._name", lambda kind: ""),
    "class contents": _set("code.classes._contents"),
    "class bases": _set("code.classes._ancestry"),
    "descriptors": _nodes(property, staticmethod, classmethod, functools.cached_property),
    "enums": _set("code.classes._enum_members"),
    "partials": _nodes(functools.partial),
    "instances": _set("objects._reduced"),
    "decorated steps": _set("objects.walk_plain_function"),
    "bindings": _set("walk.Walker._write_bindings", lambda self: None),
    "values": _values_off,
}
