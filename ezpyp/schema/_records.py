"""What a schema records of each step: identity, arguments as text, edges."""

from __future__ import annotations

import json
from collections.abc import Callable
from json.encoder import encode_basestring_ascii as quoted

from xxhash import xxh3_128_digest

from ezpyp.graph import Program
from ezpyp.hashing import Hole, describe
from ezpyp.steps import BARE_TYPES, PLAIN_TYPES, Step, StepFunction, labelled, located, skeleton
from ezpyp.store import StepRecord

TEXT_LIMIT = 200
"""Characters of an argument list that are kept as text."""


class _Label:
    """Stands for an upstream in the text of arguments."""

    __slots__ = ("__ezpyp_label__",)

    def __init__(self, text: str) -> None:
        self.__ezpyp_label__ = text


def records_of(program: Program) -> list[StepRecord]:
    """One record a step, in the order of the program."""
    settings = {function: _settings(function) for function in program.prefixes}
    plain = {function: _is_plainly_called(function) for function in program.prefixes}
    records = []
    for position, step in enumerate(program.steps):
        function = step.function
        # Nearly every step of a large pipeline is called so; the general road takes four times as long.
        is_bare = plain[function] and not step.given[1] and BARE_TYPES.issuperset(map(type, step.values))
        args, kwargs, params = (_bare_texts if is_bare else _texts)(program, position)
        records.append(
            StepRecord(
                program.names[position], program.keys[position], program.identities[function].digest,
                function.options.codec, program.phases[position], args, kwargs, params, settings[function],
                _shape(program, position, is_bare=is_bare) if step.slots else None,
                _edges(program, position) if step.slots or function.options.depends_on else (),
            )
        )  # fmt: skip
    return records


def _settings(function: StepFunction) -> str | None:
    options = function.options
    settings = {
        name: value
        for name, value in (
            ("version", options.version),
            ("ignore", list(options.ignore)),
            ("cache", options.cache),
        )
        if value not in (None, [], True)
    }
    return json.dumps(settings) if settings else None


def _is_plainly_called(function: StepFunction) -> bool:
    return not any(kind in (kind.VAR_POSITIONAL, kind.VAR_KEYWORD) for kind in function.binder.kinds)


def _bare_texts(program: Program, position: int) -> tuple[str, str, str]:
    """The same as `_texts` for plain values and whole results, given by position."""
    step, upstreams = program.steps[position], program.values[position]
    texts = [
        f"TMP for {program.names[upstreams[value.index]]}" if type(value) is Hole else describe(value)
        for value in step.values
    ]
    args = _shortened(f"[{', '.join(texts[: step.given[0]])}]")
    if any(text.endswith("...") for text in texts):
        return args, "{}", params_text(step.function, step.values, texts)
    # By hand: json.dumps takes 2 us a step, this half of one.
    pairs = zip(step.function.binder.parameters, map(quoted, texts), strict=True)
    return args, "{}", "{" + ", ".join([f'"{name}": {text}' for name, text in pairs]) + "}"


def _texts(program: Program, position: int) -> tuple[str, str, str]:
    step = program.steps[position]
    labels = [_Label(f"TMP for {program.names[up]}") for up in program.values[position]]
    filled = labelled(step.values, labels) if step.slots else step.values
    args, kwargs = argument_texts(step, filled)
    return args, kwargs, params_text(step.function, step.values, [describe(value) for value in filled])


def argument_texts(step: Step, values: tuple[object, ...]) -> tuple[str, str]:
    """Bound values as the lists ``args`` and ``kwargs`` that the call had, as text."""
    if not step.given[1] and step.function.binder.only_positional:
        return _shortened(f"[{', '.join(map(describe, values[: step.given[0]]))}]"), "{}"
    args, kwargs = step.function.binder.as_given(values, step.given)
    shown = ", ".join(describe(value) for value in args[:TEXT_LIMIT])
    named = ", ".join(f"{name!r}: {describe(value)}" for name, value in kwargs.items())
    return _shortened(f"[{shown}]"), _shortened(f"{{{named}}}")


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 4]}...{text[-1]}"


def params_text(function: StepFunction, values: tuple[object, ...], texts: list[str]) -> str:
    """JSON of parameter -> text; a value whose text does not say all of it has a digest beside it."""
    params = {}
    for name, value, text in zip(function.binder.parameters, values, texts, strict=True):
        whole = type(value) in PLAIN_TYPES and not text.endswith("...")
        params[name] = text if whole else f"{text} #{function.encoded_value(value, name).hex()[:12]}"
    return json.dumps(params, ensure_ascii=True)


def _shape(program: Program, position: int, *, is_bare: bool) -> bytes:
    """Digest of everything but which steps stand in the step's collections."""
    step = program.steps[position]
    if is_bare:
        return xxh3_128_digest(b"bare" + program.prefixes[step.function] + step.encoding)
    values = tuple(skeleton(value) for value in step.values)
    return xxh3_128_digest(program.prefixes[step.function] + step.function.encoded(values))


def _edges(program: Program, position: int) -> tuple[tuple[int, str, str], ...]:
    step = program.steps[position]
    places = located(step.values, step.function.binder.parameters) if step.slots else []
    places = [
        place + "".join(f"[{part!r}]" for _, part in slot.path) if slot.group is not None else place
        for place, slot in zip(places, step.slots, strict=True)
    ]
    value_edges = [(up, "value", place) for up, place in zip(program.values[position], places, strict=True)]
    return (*value_edges, *((up, "order", "depends_on[]") for up in program.orders[position]))


def resolved_texts(program: Program, position: int, preview: Callable[[int], str]) -> tuple[str | None, str | None]:
    """Arguments as text, with ``preview(upstream)`` in place of each step; None where no argument is a step."""
    step = program.steps[position]
    if not step.slots:
        return None, None
    labels = [_Label(preview(up)) for up in program.values[position]]
    return argument_texts(step, labelled(step.values, labels))
