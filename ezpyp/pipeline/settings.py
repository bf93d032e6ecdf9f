"""What a pipeline was told once: where it is, and how it treats its location."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar

from ezpyp.errors import EzpypError, OptionError, StoreError

if TYPE_CHECKING:
    from ezpyp.execution.run import Settings


def checked_id(pipeline_id: object) -> str:
    """The name of a pipeline.

    Raises:
        OptionError: It is none.
    """
    if not pipeline_id or type(pipeline_id) is not str:
        raise OptionError(f"pipeline_id must be a name, not {pipeline_id!r}")
    return pipeline_id


def path_text(path: str | os.PathLike[str], name: str) -> str:
    """The text of a path that a user gave as the argument of that name.

    Raises:
        OptionError: It is no path, or an empty one.
    """
    try:
        text: object = os.fspath(path)
    except TypeError:
        text = None
    if not isinstance(text, str):
        raise OptionError(f"{name} must be the path of a folder, such as 'cache', not {path!r}")
    if not text:
        raise OptionError(f"{name} is empty: name a folder, such as 'cache'")
    return text


def resolved(cache_location: str | os.PathLike[str]) -> Path:
    """The location's one spelling: links resolved, as SQLite does, so that exports and views agree.

    Raises:
        OptionError: It is no path, or an empty one.
        StoreError: It is a file, or cannot be a path at all.
    """
    path_text(cache_location, "cache_location")
    try:
        location = Path(os.path.realpath(cache_location))
        str(location).encode()  # the index holds paths as text
        is_other = location.exists() and not location.is_dir()
    except (OSError, ValueError) as error:
        raise StoreError(f"{cache_location!r} cannot be a cache location: {error}") from error
    if is_other:
        raise StoreError(f"{location} is a file; a cache location must be a folder: choose another path")
    return location


# Options that all ranks must have been given alike, and which ranks were not.

_VARIABLES = ("EZPYP_REVISE", "EZPYP_TRUST", "EZPYP_VERIFY")
_PLAIN = (bool, int, float, str, type(None), list, tuple)


class Option(NamedTuple):
    """One option as a rank was given it.

    Attributes:
        name: As the user writes it.
        text: Its value as text; "" for a variable that is not set.
        host: Where the value means something; "" for everywhere.
    """

    name: str
    text: str
    host: str = ""


def options_of(
    settings: Settings, host: str, call: Mapping[str, object], environment: Mapping[str, str] = os.environ
) -> tuple[Option, ...]:
    """The options of one collective call.

    Left out is what rank 0 alone acts on and another rank may well be given otherwise: output, waiting.

    Args:
        settings: What the pipeline was told.
        host: Name of this rank's machine; paths may differ from one to the next.
        call: The options of the call.
        environment: Environment variables.
    """
    of_pipeline = {"revise": settings.revise, "trust": settings.trust, "durable": settings.durable}
    return (
        Option("pipeline_id of Pipeline", repr(settings.pipeline_id)),
        Option("cache_location of Pipeline", repr(str(settings.location)), host),
        *(Option(f"{name}= of Pipeline", _text(value)) for name, value in of_pipeline.items()),
        *(Option(f"{name}= of the call", _text(value)) for name, value in call.items()),
        *(Option(name, environment.get(name, "")) for name in _VARIABLES),
    )


def _text(value: object) -> str:
    if isinstance(value, set | frozenset):
        return repr(sorted(map(str, value)))
    return repr(value) if isinstance(value, _PLAIN) else type(value).__name__


def first_difference(given: Sequence[Sequence[Option]]) -> str | None:
    """Which option differs from rank 0's on which rank; the first one that does.

    A variable that only rank 0 has is no difference: launchers do not hand it on to other hosts, and rank 0's counts.
    """
    for rank, options in enumerate(given):
        for mine, its in zip(given[0], options, strict=False):
            if mine.text != its.text and mine.host == its.host and its.text:
                return (
                    f"{mine.name} differs: rank 0 has {mine.text or 'none'}, rank {rank} has {its.text}; "
                    "every rank must be given the same"
                )
    return None


# Errors of ours reach the user without the frames that lead through ezpyp.

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
