"""What C code has printed and not written yet: its library keeps it until there is enough for a write."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from importlib.machinery import EXTENSION_SUFFIXES

_LINE_BUFFERED = 1
_OURS = ("mpi4py", "xxhash")
"""Libraries that we load ourselves, and that print nothing."""


class CBuffer:
    """The standard output of C code, as ``printf`` sees it.

    Costs a process without C code one look at the number of its modules: ctypes takes 5 ms to import. What Fortran
    buffers in a library of its own is out of reach, and comes when that library writes it.

    Args:
        is_terminal: Whether standard output really leads to a terminal, where each line is shown at once.
    """

    def __init__(self, *, is_terminal: bool) -> None:
        self._is_terminal = is_terminal
        self._modules = 0
        self._flush: Callable[[], object] | None = None

    def flush(self) -> None:
        """Write what was printed."""
        if self._flush is None:
            if len(sys.modules) == self._modules:
                return
            self._look()
        if self._flush is not None:
            self._flush()

    def _look(self) -> None:
        self._modules = len(sys.modules)
        if "ctypes" in sys.modules or any(map(_is_extension, sys.modules.copy().items())):
            with contextlib.suppress(ImportError, OSError, ValueError, AttributeError):  # a C library of another kind
                self._flush = self._made()

    def _made(self) -> Callable[[], object]:
        import ctypes

        library = ctypes.CDLL(None)
        stdout = ctypes.c_void_p.in_dll(library, "__stdoutp" if sys.platform == "darwin" else "stdout")
        if self._is_terminal:
            library.setvbuf(stdout, None, _LINE_BUFFERED, ctypes.c_size_t(0))
        # This stream alone: fflush(NULL) waits for a thread that reads from another.
        return lambda: library.fflush(stdout)


def _is_extension(entry: tuple[str, object]) -> bool:
    name, module = entry
    top = name.partition(".")[0]
    if top in sys.stdlib_module_names or top in _OURS:
        return False
    return str(getattr(module, "__file__", "")).endswith(tuple(EXTENSION_SUFFIXES))
