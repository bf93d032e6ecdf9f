"""JSON that every parser takes and no terminal acts on."""

import json
import math
import re

# json.dumps escapes the control characters below a blank only: U+009B alone starts a command of a terminal, and
# U+202E turns a line round. No lone surrogate can be written.
_UNSAFE = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def json_text(value: object, *, indent: int | None = None, is_ascii: bool = False) -> str:
    r"""A value as JSON; numbers that JSON does not know as "Infinity", "-Infinity" and "NaN".

    Not null, which means that there is no value; and Python's float() and numpy read the words.

    Args:
        value: Dicts, lists, texts, numbers, booleans and None.
        indent: Blanks for each depth; None for one line.
        is_ascii: Escape everything else.

    Example:
        >>> json_text({"name": "\x9b31m", "seconds": float("inf")})
        '{"name": "\\u009b31m", "seconds": "Infinity"}'
    """
    try:
        text = json.dumps(value, indent=indent, ensure_ascii=is_ascii, allow_nan=False)
    except ValueError:
        text = json.dumps(_finite(value), indent=indent, ensure_ascii=is_ascii)
    return _UNSAFE.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    return f"\\u{ord(match.group()):04x}"


def _finite(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if isinstance(value, dict):
        return {key: _finite(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(part) for part in value]
    return value
