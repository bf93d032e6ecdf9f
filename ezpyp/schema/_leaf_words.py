"""A leaf of an argument that changed, in words."""

from __future__ import annotations

import re

from ezpyp.hashing import SECRET, apart, whereabouts
from ezpyp.schema._cause import Cause
from ezpyp.schema._nodes import ARRAY, Node

SHOWN_PARTS = 4
_FILE = "<File> "
_RANDOM = re.compile(r"(Generator|RandomState|Random|PCG64|PCG64DXSM|MT19937|Philox|SFC64)\b.*")
_ORDERS = {None: "C", " order F": "F"}


def leaf(path: str, was: Node, now: Node, owner: str) -> Cause:
    """A leaf that changed, or a branch of which nothing more is known.

    Args:
        path: The argument, or the part of it.
        was: What it was.
        now: What it is.
        owner: Class of the instance that it is an attribute of.
    """
    of = f" ({owner})" if owner else ""
    if was.step or now.step:
        old, new = _result(was), _result(now)
        text = f"argument {path}{of}: {_given(was)} -> {_given(now)}"
        return Cause("argument", text, path, old=old, new=new)
    found = whereabouts(path, was.sketch, now.sketch) if was.text == now.text and was.sketch and now.sketch else None
    if found:
        return Cause("argument", f"argument {path}{of}: {now.text}, {found[1]}", found[0], old=was.text, new=now.text)
    return Cause("argument", f"argument {path}{of}{_words(path, was, now)}", path, old=was.text, new=now.text)


def _result(node: Node) -> str:
    return f"step {node.step}" if node.step else node.text


def _given(node: Node) -> str:
    return f"the result of step {node.step}" if node.step else f"the value {node.text}"


def _words(path: str, was: Node, now: Node) -> str:
    if was.text == now.text:
        return _unseen(path, was, now)
    arrays = ARRAY.fullmatch(was.text), ARRAY.fullmatch(now.text)
    if arrays[0] and arrays[1] and arrays[0][1] == arrays[1][1]:
        return f": {_array_words(arrays[0], arrays[1])}"
    kinds = number_kind(was.text), number_kind(now.text)
    types = f" ({kinds[0]} -> {kinds[1]})" if all(kinds) and kinds[0] != kinds[1] else ""
    old, new = apart(was.text, now.text)
    return f" {old} -> {new}{types}"


def _array_words(was: re.Match[str], now: re.Match[str]) -> str:
    facts = {what: (was[group], now[group]) for what, group in (("dtype", 2), ("shape", 3))}
    same = [pair[0] for pair in facts.values() if pair[0] == pair[1] and pair[0]]
    facts["order"] = _ORDERS[was[4]], _ORDERS[now[4]]
    told = [f"{what} {old} -> {new}" for what, (old, new) in facts.items() if old != new]
    return f"{' '.join([now[1], *same])}, {', '.join(told)}"


def _unseen(path: str, was: Node, now: Node) -> str:
    if now.text == SECRET:
        return " changed (a secret, known by its digest only)"
    if ARRAY.fullmatch(now.text):
        return f": {now.text}, values changed"
    if now.text.startswith(_FILE):
        return f": content of {now.text.removeprefix(_FILE)} changed"
    if _RANDOM.fullmatch(now.text):
        return f": {now.text} in another state"
    if now.parts and list(was.parts) != list(now.parts) and was.parts.keys() == now.parts.keys():
        return f": another order of {now.text}: {_order(was)} -> {_order(now)}"
    return f": changed somewhere in {path} ({now.text})"


def _order(node: Node) -> str:
    return ", ".join([place[1:-1] for place in node.parts][:SHOWN_PARTS])


def number_kind(text: str) -> str:
    """The type of a number from its text; "" for what is none.

    Example:
        >>> [number_kind(text) for text in ("1", "1.0", "True", "1e-3", "(1+2j)", "'1'", "nan")]
        ['int', 'float', 'bool', 'float', 'complex', '', 'float']
    """
    if text in ("True", "False"):
        return "bool"
    for kind in (int, float, complex):
        try:
            kind(text)
        except ValueError:
            continue
        return kind.__name__
    return ""
