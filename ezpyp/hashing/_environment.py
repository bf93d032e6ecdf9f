"""Environment variables that code reads by a constant name: recorded, never part of a digest."""

import os
from collections.abc import Iterator, Mapping

from ezpyp.hashing._uses import Chain, Use

_OF_MODULE: frozenset[Chain] = frozenset({("environ",), ("environ", "get"), ("getenv",), ("environ", "setdefault")})
_OF_ENVIRON: frozenset[Chain] = frozenset({(), ("get",), ("setdefault",)})


def variables_read(space: Mapping[str, object], uses: tuple[Use, ...]) -> Iterator[str]:
    """Return the names of environment variables that code reads, as far as they are constants."""
    for use in uses:
        readers = _readers(use, space)
        yield from (text for chain, text in use.texts if chain in readers)


def _readers(use: Use, space: Mapping[str, object]) -> frozenset[Chain]:
    if use.kind == "import":
        thing = os if use.name == "os" and use.member is None else getattr(os, use.member or "", None)
        thing = thing if use.name == "os" else None
    else:
        thing = space.get(use.name)
    if thing is os:
        return _OF_MODULE
    if thing is os.environ:
        return _OF_ENVIRON
    return frozenset({()}) if thing is os.getenv else frozenset()
