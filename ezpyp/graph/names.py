"""Names of steps: from function names and arguments, never from code or keys, so that an edit renames nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from xxhash import xxh3_128_digest

from ezpyp.describe import Hole, describe, without_password
from ezpyp.errors import DuplicateNameError
from ezpyp.hashing.encode import short_digest
from ezpyp.steps.arguments import BARE_TYPES
from ezpyp.steps.step import Step

# The text between the brackets of a step's name.

_NUMBERS = frozenset({int, float, bool, type(None)})
_SIMPLE_TEXT = re.compile(r"[\w.+/:@%-]{1,32}")
_SEQUENCE_LIMIT = 24


def label_of(step: Step, upstreams: Sequence[tuple[Step, str | None]]) -> str | None:
    """The parameters that differ from their defaults, in order; None where an argument has no short text."""
    parts: list[str] = []
    binder, ignored = step.function.binder, step.function.options.ignore
    for parameter, default, value in zip(binder.parameters, binder.defaults, step.values, strict=True):
        if value is default or (type(value) in _NUMBERS and type(default) is type(value) and value == default):
            continue
        if parameter in ignored or (type(value) in (tuple, dict) and not value):
            continue
        if parameter in binder.secret and type(value) is not Hole:
            # Names stand in logs and file listings.
            text: str | None = f"{parameter}={short_digest(value)[:8]}"
        else:
            try:
                text = f"{parameter}={value!r}" if type(value) in _NUMBERS else _part(parameter, value, upstreams)
            except ValueError:
                return None  # an integer of more than 4,300 digits has no text
        if text is None:
            return None
        if text:
            parts.append(text)
    return ",".join(parts)


def _part(parameter: str, value: object, upstreams: Sequence[tuple[Step, str | None]]) -> str | None:
    if isinstance(value, Hole):
        upstream, label = upstreams[value.index]
        return f"{parameter}={upstream.function.name}" if label == "" else label
    text = _text(value)
    return None if text is None else f"{parameter}={text}"


def _text(value: object) -> str | None:
    if type(value) in _NUMBERS:
        return repr(value)
    if type(value) is str:
        return value if _SIMPLE_TEXT.fullmatch(value) and without_password(value) == value else None
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        if len(value) <= _SEQUENCE_LIMIT and all(type(member) in _NUMBERS for member in value):
            text = repr(value).replace(" ", "")
            return text if len(text) <= _SEQUENCE_LIMIT else None
        return None
    # numpy's scalars describe themselves as plain numbers; importing numpy to ask would cost 100 ms.
    if type(value).__module__ == "numpy" and hasattr(value, "item") and getattr(value, "shape", None) == ():
        text = describe(value)
        return text if not text.startswith("<") else None
    return None


_LABEL_LIMIT = 80


def settle_names(steps: Sequence[Step], values: Sequence[tuple[int, ...]]) -> list[str]:
    """The name of each step.

    A bare call made once has the function's own name; others get brackets. Where a bracket would be too long,
    or two would be equal, it holds 16 hex characters of a digest over values and upstream names.

    Args:
        steps: Steps in order of declaration; names that were settled before stay.
        values: Positions of each step's upstreams, one a slot.

    Raises:
        DuplicateNameError: Two different steps cannot be told apart by their arguments.
    """
    calls = Counter(step.function.name for step in steps)
    labels: list[str | None] = []
    wanted: list[str] = []
    for position, step in enumerate(steps):
        name = step.function.name
        bare = calls[name] == 1 and not step.bracketed
        label = "" if bare else label_of(step, [(steps[up], labels[up]) for up in values[position]])
        if label is not None and len(label) > _LABEL_LIMIT:
            label = None
        labels.append(label)
        wanted.append(name if bare else f"{name}[{label}]")
    return _Settler(steps, values, wanted, labels).settle()


class _Settler:
    """Turns wanted names into unique ones."""

    def __init__(
        self,
        steps: Sequence[Step],
        values: Sequence[tuple[int, ...]],
        wanted: Sequence[str],
        labels: Sequence[str | None],
    ) -> None:
        self._steps = steps
        self._values = values
        self._wanted = wanted
        self._labels = labels
        self._tags: dict[int, bytes] = {}
        self._before = [step.settled_name for step in steps]
        self._settled = set(self._before) - {None}
        self._counts = Counter(wanted)

    def settle(self) -> list[str]:
        names = [self._name(position) for position in range(len(self._steps))]
        if len(set(names)) < len(names):
            self._refuse(names)
        return names

    def _name(self, position: int) -> str:
        wanted, before = self._wanted[position], self._before[position]
        if before is not None:
            return before
        unique = self._counts[wanted] == 1 and wanted not in self._settled
        if unique and self._labels[position] is not None:
            return wanted
        return f"{self._steps[position].function.name}[{self._tag(position).hex()[:16]}]"

    def _tag(self, position: int) -> bytes:
        """Digest over the values of a step and, recursively, of its upstreams: what names are made of."""
        stack = [position]
        while stack:
            top = stack[-1]
            missing = [up for up in self._values[top] if up not in self._tags]
            if missing:
                stack.extend(missing)
                continue
            stack.pop()
            step = self._steps[top]
            # Plain values hold no code: their encoding is the same by name.
            is_bare = BARE_TYPES.issuperset(map(type, step.values))
            encoding = step.encoding if is_bare else step.function.encoded(step.values, step.given, by_name=True)
            below = list if is_bare or all(slot.group is None for slot in step.slots) else sorted
            parts = [
                step.function.name.encode(),
                b"\0",
                encoding,
                *below(self._tags[up] for up in self._values[top]),
            ]
            self._tags[top] = xxh3_128_digest(b"".join(parts))
        return self._tags[position]

    def _refuse(self, names: Sequence[str]) -> None:
        first: dict[str, int] = {}
        for position, name in enumerate(names):
            other = first.setdefault(name, position)
            if other != position:
                places = f"{self._steps[other].function.place} and {self._steps[position].function.place}"
                raise DuplicateNameError(
                    f"two different steps would both be called {name!r} ({places}): they differ in something "
                    "that is no argument, such as a closure; give one of them a name of its own with name="
                )
