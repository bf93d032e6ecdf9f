"""Which changes of meaning the user asked for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from ezpyp.errors import OptionError, UnknownStepError
from ezpyp.store import StepRecord

Revise = bool | tuple[str, ...]


def asked_for(environ: Mapping[str, str], *choices: bool | Iterable[str] | None) -> Revise:
    """``EZPYP_REVISE`` if it is set, else the first choice that is not None.

    Example:
        >>> asked_for({"EZPYP_REVISE": "beta,gamma"}, True)
        ('beta', 'gamma')
        >>> asked_for({"EZPYP_REVISE": "0"}, True), asked_for({}, None, True)
        (False, True)
    """
    text = environ.get("EZPYP_REVISE", "").strip()
    if text:
        return text == "1" if text in ("0", "1") else tuple(name.strip() for name in _split(text) if name.strip())
    choice = next((choice for choice in choices if choice is not None), False)
    if isinstance(choice, str):
        return (choice,)
    if isinstance(choice, bool):
        return choice
    names = tuple(choice) if isinstance(choice, Iterable) else (choice,)
    if not all(isinstance(name, str) for name in names):
        raise OptionError(f"revise is True, False or a list of step names, not {choice!r}")
    return names


def _split(text: str) -> list[str]:
    """Split at commas outside brackets: ``beta[x=1,y=2],gamma``."""
    parts, depth = [""], 0
    for character in text:
        depth += (character == "[") - (character == "]")
        if character == "," and depth <= 0:
            parts.append("")
        else:
            parts[-1] += character
    return parts


def allowed_changes(revise: Revise, records: Sequence[StepRecord]) -> set[int]:
    """Positions of the steps that may change: those named, and what depends on them.

    Raises:
        UnknownStepError: A name that was asked for fits no step.
    """
    if isinstance(revise, bool):
        return set(range(len(records))) if revise else set()
    allowed: set[int] = set()
    for name in revise:
        found = {position for position, record in enumerate(records) if _fits(record.name, name)}
        if not found:
            raise UnknownStepError(f"revise names {name!r}, but there is no such step", name=name, candidates=())
        allowed |= found
    for position, record in enumerate(records):
        if any(up in allowed for up, _, _ in record.edges):
            allowed.add(position)
    return allowed


def _fits(name: str, wanted: str) -> bool:
    """A whole name, the name of the function, or a glob in which brackets are literal."""
    pattern = wanted.replace("[", "[[]")
    return name == wanted or name.split("[", maxsplit=1)[0] == wanted or fnmatchcase(name, pattern)
