"""Switches that turn one rule of the hashing off, to show that a scenario depends on it."""

import types
from functools import lru_cache
from importlib import import_module

from ezpyp.hashing import encode as _values
from ezpyp.hashing import objects as _instances
from ezpyp.hashing import registry as _registry
from ezpyp.hashing import walk as _walk
from ezpyp.hashing.code import canonical as _code
from ezpyp.hashing.code import classes as _classes
from ezpyp.hashing.code import functions as _functions
from ezpyp.hashing.code import introspection as _introspection
from ezpyp.hashing.code import packages as _packages
from ezpyp.hashing.code import resolve as _names


def nothing(*_args):
    """A node or generator that writes and yields nothing."""
    return iter(())


def _nodes(**by_kind):
    def off():
        for kind in by_kind["kinds"]:
            _registry.REGISTRY.nodes[kind] = nothing

    return off


def _set(module, name, value):
    def off():
        setattr(module, name, value)

    return off


def _code_off():
    _code.digest = lambda data: b""


def _values_off():
    _values.plain_bytes = _values.plain_sequence = lambda value: b""
    _values.dumps = lambda value, version: b""
    _values.leaf_hole = lambda hole: b""


def _names_off():
    _code._Body.write_name = lambda self, op, arg, line: self.writer.out.append(op)


def _follow_off(name, module, chain, policy):
    return _names.ResolvedName(name, label=name), ()


def _compiled_off():
    _packages.Ownership.extension_digest = lambda self, name: b""


def _nodes_away(module, table):
    def off():
        for kind in getattr(import_module(f"ezpyp.hashing.{module}"), table):
            del _registry.REGISTRY.nodes[kind]

    return off


def _made_of_off():
    import_module("ezpyp.hashing.libraries.arrays").walk_ufunc = nothing


def _typing_off():
    import_module("ezpyp.hashing.libraries.stdlib").walk_typing = nothing


RULES = {
    "direct url": _set(_packages, "_comes_from_source", lambda info: False),
    "installed": _set(_packages, "_INSTALLED", ()),
    "places": _set(_packages, "is_user_file", lambda path: False),
    "no file": _set(_packages, "_BUILT_IN", frozenset({"built-in", "frozen", None})),
    "main": _set(_packages, "_MAIN", ""),
    "named packages": _set(_packages, "_is_within", lambda name, packages: False),
    "compiled": _compiled_off,
    "code": _code_off,
    "constants": _set(_code, "plain_constant", lambda value: None),
    "attribute names": _names_off,
    "signatures": _set(_code, "signature", lambda code: None),
    "local names": _set(_code, "_SEES_LOCALS", frozenset()),
    "asked of one": _set(_functions, "asked_of_one", nothing),
    "asked of any": _set(_functions, "asked_of_any", nothing),
    "states": _nodes_away("objects", "READ_IN_C"),
    "iterators": _set(_instances, "_is_readable", lambda w, value: False),
    "made of": _made_of_off,
    "globals that say so": _set(_instances, "_global", nothing),
    "type variables": _typing_off,
    "registered classes": _set(_classes, "_registered", nothing),
    "monkeypatches": _set(_introspection, "monkeypatches", nothing),
    "globals": _set(_names, "_global", nothing),
    "closures": _set(_names, "_free", nothing),
    "imports": _set(_names, "_imported", nothing),
    "modules": _set(_names, "follow", _follow_off),
    "whole modules": _nodes(kinds=[types.ModuleType]),
    "defaults": _set(_functions, "_defaults", nothing),
    "own defaults": _set(_functions, "_defaults", nothing),
    "function attributes": _set(_functions, "_attributes", nothing),
    "annotations": _set(_functions, "_annotations", nothing),
    "library closures": _set(_functions, "_given_to", nothing),
    "wrappers": _nodes(kinds=[type(lru_cache(len))]),
    "class names": _set(_classes, "_name", lambda kind: ""),
    "class contents": _set(_classes, "_contents", nothing),
    "class bases": _set(_classes, "_ancestry", nothing),
    "descriptors": _nodes(kinds=[property, staticmethod, classmethod, __import__("functools").cached_property]),
    "enums": _set(_classes, "_enum_members", nothing),
    "partials": lambda: _registry.REGISTRY.nodes.update({__import__("functools").partial: nothing}),
    "instances": _set(_instances, "_reduced", nothing),
    "decorated steps": _set(_instances, "walk_plain_function", nothing),
    "bindings": _set(_walk.Walker, "_write_bindings", lambda self: None),
    "values": _values_off,
}
