"""The text between the brackets of a step's name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from ezpyp.hashing import Hole, describe, is_secret, short_digest
from ezpyp.steps import Step

_NUMBERS = frozenset({int, float, bool, type(None)})
_SIMPLE_TEXT = re.compile(r"[\w.+/:@%-]{1,32}")
_SEQUENCE_LIMIT = 24


def label_of(step: Step, upstreams: Sequence[tuple[Step, str | None]]) -> str | None:
    """The parameters that differ from their defaults, in order; None where an argument has no short text.

    Args:
        step: The step.
        upstreams: Upstream and its own label for each slot: a label is handed down.
    """
    parts: list[str] = []
    binder, ignored = step.function.binder, step.function.options.ignore
    secret = _secret_ones(binder.parameters)
    for parameter, default, value in zip(binder.parameters, binder.defaults, step.values, strict=True):
        if value is default or (type(value) in _NUMBERS and type(default) is type(value) and value == default):
            continue
        if parameter in ignored or (type(value) in (tuple, dict) and not value):
            continue
        if secret and parameter in secret and type(value) is not Hole:
            # Names stand in logs and file listings.
            text: str | None = f"{parameter}={short_digest(value)[:8]}"
        else:
            text = f"{parameter}={value!r}" if type(value) in _NUMBERS else _part(parameter, value, upstreams)
        if text is None:
            return None
        if text:
            parts.append(text)
    return ",".join(parts)


@lru_cache(maxsize=256)
def _secret_ones(parameters: tuple[str, ...]) -> frozenset[str]:
    return frozenset(filter(is_secret, parameters))


def _part(parameter: str, value: object, upstreams: Sequence[tuple[Step, str | None]]) -> str | None:
    if isinstance(value, Hole):
        upstream, label = upstreams[value.index]
        return f"{parameter}={upstream.function.name}" if label == "" else label
    text = _text(value)
    return None if text is None else f"{parameter}={text}"


def _text(value: object) -> str | None:
    if type(value) in _NUMBERS:
        return repr(value)
    if type(value) is str:
        return value if _SIMPLE_TEXT.fullmatch(value) else None
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        if len(value) <= _SEQUENCE_LIMIT and all(type(member) in _NUMBERS for member in value):
            text = repr(value).replace(" ", "")
            return text if len(text) <= _SEQUENCE_LIMIT else None
        return None
    # numpy's scalars describe themselves as plain numbers; importing numpy to ask would cost 100 ms.
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "shape", None) == ():
        text = describe(value)
        return text if not text.startswith("<") else None
    return None
