"""Options that all ranks must have been given alike, and which ranks were not."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ezpyp.pipeline._settings import Settings

_VARIABLES = ("EZPYP_REVISE", "EZPYP_TRUST", "EZPYP_VERIFY")
_PLAIN = (bool, int, float, str, type(None), list, tuple)


@dataclass(frozen=True, slots=True)
class Option:
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
