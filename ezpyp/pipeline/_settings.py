"""What a pipeline was told once: where it is, and how it treats its location."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ezpyp.errors import OptionError, StoreError


@dataclass(frozen=True, slots=True)
class Settings:
    """The arguments of `Pipeline` that the location's index is asked with.

    Attributes:
        location: Folder of the cache.
        pipeline_id: Name of the pipeline.
        revise: Which steps with results may change their meaning.
        trust: Whether pickles may be loaded that somebody else could have written.
        durable: Whether results and commits wait for the disk.
    """

    location: Path
    pipeline_id: str
    revise: bool | Iterable[str]
    trust: bool
    durable: bool


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
