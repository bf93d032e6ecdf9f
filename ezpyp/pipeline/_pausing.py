"""Garbage collection, paused while many records are made."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collection_paused() -> Iterator[None]:
    """Pause the cyclic collector: freezing makes a dozen records a step, and no cycles.

    It would look at all of them again and again; at 100,000 steps that is a third of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
