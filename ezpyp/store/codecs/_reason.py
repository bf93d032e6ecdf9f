"""A foreign error in one short line."""

import re

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_LONGEST = 300


def reason_of(error: BaseException) -> str:
    """What an error says, without the addresses that differ in every process.

    Example:
        >>> reason_of(TypeError("cannot pickle <function f at 0x7f00>"))
        'cannot pickle <function f>'
    """
    text = " ".join(_ADDRESS.sub("", str(error)).split()) or type(error).__name__
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."
