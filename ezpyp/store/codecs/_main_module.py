"""Classes and functions of a script's ``__main__`` inside a pickle: loadable from that script only."""

import re
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from ezpyp.store.codecs._protocol import Buffer

_MARK = b"\x8c\x08__main__"  # SHORT_BINUNICODE, 8 bytes
_FIRST_NAME = re.compile(re.escape(_MARK) + rb"\x94(?:\x95.{8})?\x8c(.)", re.DOTALL)


def warn_of_main(value: object, stream: Sequence[Buffer]) -> tuple[str, ...]:
    """Names of ``__main__`` that the stream refers to; warns of them."""
    if not any(_MARK in piece for piece in stream if isinstance(piece, bytes)):
        return ()
    names = tuple(name for piece in stream if isinstance(piece, bytes) for name in _names(piece))
    if names:
        warnings.warn(_warning(names), UserWarning, stacklevel=2)
    return names


def note_of(names: Sequence[str]) -> bytes:
    """What a reader elsewhere has to know; it follows the pickle's end, where pickle never looks."""
    return f"\n# {', '.join(names)} of __main__ of {script()}\n".encode()


def script() -> str:
    """What ``__main__`` is, by file name alone: a moved script gives the same bytes."""
    file = getattr(sys.modules.get("__main__"), "__file__", None)
    return f"the script {Path(file).name}" if file else "an interactive session"


def _names(piece: bytes) -> list[str]:
    names = []
    for match in _FIRST_NAME.finditer(piece):
        name = piece[match.end() : match.end() + match[1][0]].decode(errors="replace")
        if hasattr(sys.modules.get("__main__"), name.split(".")[0]):
            names.append(name)
    return names


def _warning(names: Sequence[str]) -> str:
    return (
        f"a result refers to {names[0]!r} of {script()} (module __main__) and can be loaded from that script only; "
        f"move {names[0]} into a module that the script imports, or use the codec 'cloudpickle'"
    )
