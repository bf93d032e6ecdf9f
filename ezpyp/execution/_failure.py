"""An exception of a step, as text that tells the user where."""

from __future__ import annotations

import contextlib
import os
import sys
import sysconfig
import traceback
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import NoReturn

from ezpyp.execution._outcome import Failure
from ezpyp.store import storable

_OWN_FOLDER = str(Path(__file__).resolve().parent.parent)
_LIMIT = 100_000


def failure_of(error: BaseException, function: Callable[..., object]) -> Failure:
    """Type, message, place and traceback of what a step raised, our own frames left out.

    What ezpyp itself raised for a step, such as a result that cannot be stored, has the place of the function.
    """
    trace = _without_ours(error.__traceback__)
    file, line = place_of(trace) or _definition(function)
    text = "".join(traceback.format_exception(type(error), error, trace))
    name, message = storable(_name_of(type(error))), storable(_message_of(error))
    return Failure(name, message, None if file is None else storable(file), line, storable(_bounded(text)))


def end_forked_child(error: BaseException | None) -> NoReturn:
    """End a process that a step's body forked off, as it would have ended by itself.

    It must not go on as a second copy of the run, with the run's lock, connection and ranks.
    """
    code = 1
    if error is None:
        code = 0
    elif isinstance(error, SystemExit):
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    else:
        traceback.print_exception(error)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):  # it may be missing, closed, or of the user's own making
            stream.flush()
    os._exit(code)


def _name_of(kind: type[BaseException]) -> str:
    return (
        kind.__qualname__ if kind.__module__ in ("builtins", "__main__") else f"{kind.__module__}.{kind.__qualname__}"
    )


def _message_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001 - the user's own __str__ may raise anything
        return f"<its __str__ raised {type(second).__name__}>"


def _without_ours(trace: TracebackType | None) -> TracebackType | None:
    """Skip the frames that lead from ezpyp to the step."""
    top = trace
    while top is not None and top.tb_frame.f_code.co_filename.startswith(_OWN_FOLDER):
        top = top.tb_next
    return top


def _definition(function: Callable[..., object]) -> tuple[str | None, int | None]:
    code = getattr(function, "__code__", None)
    return (code.co_filename, code.co_firstlineno) if code else (None, None)


def place_of(trace: TracebackType | None) -> tuple[str, int | None] | None:
    """The innermost line of the user's own code, or the innermost line there is."""
    frames = traceback.extract_tb(trace)
    if not frames:
        return None
    libraries = [sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    own = [
        f for f in frames if not any(f.filename.startswith(folder) for folder in (*libraries, _OWN_FOLDER, "<frozen"))
    ]
    frame = (own or frames)[-1]
    return frame.filename, frame.lineno


def _bounded(text: str) -> str:
    """Both ends of a text that is too long: a recursion error repeats itself in the middle."""
    if len(text) <= _LIMIT:
        return text
    return f"{text[: _LIMIT // 2]}\n... {len(text) - _LIMIT} characters left out ...\n{text[-_LIMIT // 2 :]}"
