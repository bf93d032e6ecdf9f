"""Errors of ours reach the user without the frames that lead through ezpyp."""

import functools
import os
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ezpyp.errors import EzpypError

P = ParamSpec("P")
T = TypeVar("T")


def tersely(method: Callable[P, T]) -> Callable[P, T]:
    """Let an error of ours start at this call: its message says what to do, our frames would only hide it.

    ``EZPYP_DEBUG=1`` keeps the frames.
    """

    @functools.wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return method(*args, **kwargs)
        except EzpypError as error:
            if os.environ.get("EZPYP_DEBUG"):
                raise
            raise error.with_traceback(None) from error.__cause__

    return call
