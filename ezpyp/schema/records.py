"""What a schema records of each step: identity, arguments as text, edges; and ``pipeline.schema``, for people."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from inspect import Parameter
from json.encoder import encode_basestring_ascii as quoted
from typing import NamedTuple

from xxhash import xxh3_128_digest

from ezpyp.describe import SECRET, Hole, describe, is_secret
from ezpyp.explain.record import record_of
from ezpyp.explain.tree import TreeBuilder, says_all, secret_text
from ezpyp.graph.program import Program
from ezpyp.hashing.encode import short_digest
from ezpyp.steps.arguments import BARE_TYPES, PLAIN_TYPES, labelled, located, skeleton
from ezpyp.steps.step import Decorated, Step
from ezpyp.store.codecs.encoded import get_codec
from ezpyp.store.rows import KnownStep, Manifest, StepRecord
from ezpyp.store.schema_rows import packed_manifest

# What a step's arguments are made of, as it goes into the step's row: made once for each argument of a freezing.


class _ArgumentRecord(NamedTuple):
    """One argument: its short text, and what is recorded of its tree."""

    text: str
    tree: str
    codes: dict[str, object]


class Manifests:
    """Makes the texts and manifests of the steps of one freezing.

    An object that 10,000 steps are given is looked through and digested once.
    """

    def __init__(self) -> None:
        self._trees = TreeBuilder()
        self._known: dict[int, _ArgumentRecord] = {}
        self._codes: dict[str, str] = {}

    def of(
        self, parameters: tuple[str, ...], values: tuple[object, ...], texts: list[str], upstream: Callable[[int], str]
    ) -> tuple[str, Manifest | None]:
        """``params`` (JSON of parameter -> short text) and manifest of one step.

        Args:
            parameters: Their names.
            values: Bound values, with holes for steps.
            texts: A short text of each, with the steps' names in it.
            upstream: Gives the name of the step that a hole stands for, by the hole's index.
        """
        params: dict[str, str] = {}
        trees: dict[str, str] = {}
        codes: dict[str, str] = {}
        for name, value, text in zip(parameters, values, texts, strict=True):
            if type(value) is Hole:
                params[name] = text
            elif is_secret(name):
                params[name] = secret_text(value)
            elif type(value) in PLAIN_TYPES and says_all(text):
                params[name] = text
            else:
                entry = self._entry(value, text, upstream)
                params[name], trees[name] = entry.text, entry.tree
                codes |= {digest: self._packed(digest, code) for digest, code in entry.codes.items()}
        text = "{" + ", ".join([f"{quoted(name)}: {quoted(text)}" for name, text in params.items()]) + "}"
        return text, packed_manifest(trees, codes) if trees else None

    def _entry(self, value: object, text: str, upstream: Callable[[int], str]) -> _ArgumentRecord:
        known = self._known.get(id(value))
        if known is None:
            digest = short_digest(value)
            tree = json.dumps(self._trees.tree(value, upstream, digest).to_json(), separators=(",", ":"))
            known = _ArgumentRecord(f"{text} #{digest}", tree, self._trees.codes)
            if not self._trees.holds_steps:
                self._known[id(value)] = known
        return known

    def _packed(self, digest: str, code: object) -> str:
        if digest not in self._codes:
            self._codes[digest] = record_of(code).to_json()
        return self._codes[digest]


TEXT_LIMIT = 200
"""Characters of an argument list that are kept as text."""


class _Label:
    """Stands for an upstream in the text of arguments."""

    __slots__ = ("__ezpyp_label__",)

    def __init__(self, text: str) -> None:
        self.__ezpyp_label__ = text


def records_of(program: Program, positions: Iterable[int] | None = None) -> list[StepRecord]:
    """One record a step, in the order of the program; only those at some positions where they are given."""
    settings = {function: _settings(function) for function in program.prefixes}
    plain = {function: _is_plainly_called(function) for function in program.prefixes}
    manifests = Manifests()
    records = []
    for position in range(len(program)) if positions is None else positions:
        step = program.steps[position]
        function = step.function
        # Nearly every step of a large pipeline is called so; the general road takes four times as long.
        is_bare = plain[function] and not step.given[1] and BARE_TYPES.issuperset(map(type, step.values))
        texts = _bare_texts(program, position, manifests) if is_bare else _texts(program, position, manifests)
        records.append(
            StepRecord(
                program.names[position], program.keys[position], program.identities[function].digest,
                function.options.codec, program.phases[position], *texts[:3], settings[function],
                _shape(program, position, is_bare=is_bare) if step.slots else None,
                _edges(program, position) if step.slots or function.options.depends_on else (), texts[3],
            )
        )  # fmt: skip
    return records


def _settings(function: Decorated) -> str | None:
    options, tracking = function.options, function.options.tracking
    settings = {
        name: value
        for name, value in (
            ("version", options.version),
            ("ignore", list(options.ignore)),
            ("cache", options.cache),
            ("track", list(tracking.track)),
            ("no_track", list(tracking.no_track)),
            ("track_versions", sorted({*tracking.track_versions, *tracking.versions_where_used})),
        )
        if value not in (None, [], True)
    }
    return json.dumps(settings) if settings else None


def _is_plainly_called(function: Decorated) -> bool:
    binder = function.binder
    if any(kind in (kind.VAR_POSITIONAL, kind.VAR_KEYWORD) for kind in binder.kinds):
        return False
    return not binder.secret


_Texts = tuple[str, str, str, Manifest | None]
"""``args``, ``kwargs``, ``params`` and the manifest of a step."""


def _bare_texts(program: Program, position: int, manifests: Manifests) -> _Texts:
    """The same as `_texts` for plain values and whole results, given by position."""
    step, upstreams = program.steps[position], program.values[position]
    texts = []
    says_all = True
    for value in step.values:
        text = f"TMP for {program.names[upstreams[value.index]]}" if type(value) is Hole else describe(value)
        says_all = says_all and text[-3:] != "..." and text[:1] != "<" and SECRET not in text
        texts.append(text)
    args = _shortened(f"[{', '.join(texts[: step.given[0]])}]")
    if not says_all:
        return args, "{}", *_recorded(program, position, texts, manifests)
    # By hand: json.dumps takes 2 us a step, this half of one.
    pairs = zip(step.function.binder.parameters, map(quoted, texts), strict=True)
    return args, "{}", "{" + ", ".join([f'"{name}": {text}' for name, text in pairs]) + "}", None


def _texts(program: Program, position: int, manifests: Manifests) -> _Texts:
    step = program.steps[position]
    labels = [_Label(f"TMP for {program.names[up]}") for up in program.values[position]]
    filled = labelled(step.values, labels) if step.slots else step.values
    texts = [describe(value) for value in filled]
    return *argument_texts(step, filled), *_recorded(program, position, texts, manifests)


def _recorded(program: Program, position: int, texts: list[str], manifests: Manifests) -> tuple[str, Manifest | None]:
    step, upstreams = program.steps[position], program.values[position]
    return manifests.of(
        step.function.binder.parameters, step.values, texts, lambda index: program.names[upstreams[index]]
    )


def argument_texts(step: Step, values: tuple[object, ...]) -> tuple[str, str]:
    """Bound values as the lists ``args`` and ``kwargs`` that the call had, as text; secrets are not shown."""
    binder = step.function.binder
    if binder.secret:
        values = tuple(map(_hidden, binder.parameters, binder.kinds, values))
    if not step.given[1] and binder.only_positional:
        return _shortened(f"[{', '.join(map(describe, values[: step.given[0]]))}]"), "{}"
    args, kwargs = binder.as_given(values, step.given)
    shown = ", ".join(describe(value) for value in args[:TEXT_LIMIT])
    named = ", ".join(f"{name!r}: {SECRET if is_secret(name) else describe(value)}" for name, value in kwargs.items())
    return _shortened(f"[{shown}]"), _shortened(f"{{{named}}}")


def _hidden(name: str, kind: object, value: object) -> object:
    """A value as it may be shown: a secret only as such."""
    if not is_secret(name):
        return value
    label = _Label(SECRET)
    if kind is Parameter.VAR_POSITIONAL:
        return (label,)
    return dict.fromkeys(value, label) if kind is Parameter.VAR_KEYWORD else label  # type: ignore[call-overload]  # **kwargs


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_LIMIT else f"{text[: TEXT_LIMIT - 4]}...{text[-1]}"


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


# Which steps an export for people lists: of a hundred thousand nobody reads the last.

WHOLE = 10_000
"""So many steps ``pipeline.schema`` and ``pipeline.summary`` list whole; the index has them all."""
LISTED = 2_000
"""Of more they list these."""


def excerpt(phases: Sequence[int], *, first: Sequence[int] = (), limit: int = LISTED, whole: int = WHOLE) -> list[int]:
    """Positions of the steps to list, in order: those that come first anyhow, and the beginning of each phase.

    Example:
        >>> excerpt([0, 0, 0, 0, 1], limit=3, whole=4)  # the step that gathers a sweep is not lost behind it
        [0, 1, 4]
        >>> excerpt([0, 0, 0, 0, 1], first=[3], limit=2, whole=4)
        [0, 3]
    """
    if len(phases) <= whole:
        return list(range(len(phases)))
    seen: Counter[int] = Counter()
    order = []
    for position, phase in enumerate(phases):
        order.append((seen[phase], phase, position))
        seen[phase] += 1
    chosen = dict.fromkeys(first)
    for _, _, position in sorted(order):
        if len(chosen) >= limit:
            break
        chosen[position] = None
    return sorted(chosen)


def rest_of(count: int, location: str) -> str:
    """What stands in the place of the steps that are not listed."""
    return f"{count:,} more steps: python -m ezpyp.inspect {shlex.quote(location)} steps"


def schema_text(records: Sequence[StepRecord], left_out: Iterable[KnownStep], location: str) -> str:
    """JSON by phase, the fields of a step on one line; of a very large sweep the beginning."""
    phases: dict[int, list[str]] = {}
    place = quoted(location)
    shown = excerpt([record.phase for record in records])
    for record in map(records.__getitem__, shown):
        phases.setdefault(record.phase, []).append(_step_line(record, place, _upstreams(record, records)))
    blocks = [f"{json.dumps(str(phase))}: [\n{_joined(phases[phase])}\n]" for phase in sorted(phases)]
    older = [
        json.dumps({"args": s.args, "key": s.key.hex(), "kwargs": s.kwargs, "name": s.name, "phase": s.phase})
        for s in left_out
    ]
    if older:
        blocks.append(f'"left out": [\n{_joined(older)}\n]')
    if len(shown) < len(records):
        blocks.append(f'"not listed": [\n{json.dumps({"name": rest_of(len(records) - len(shown), location)})}\n]')
    return "{\n" + ",\n".join(blocks) + "\n}\n"


def _joined(lines: Sequence[str]) -> str:
    return ",\n".join(lines)


def _upstreams(record: StepRecord, records: Sequence[StepRecord]) -> str:
    if not record.edges:
        return "[]"
    below = [records[up] for up in dict.fromkeys(up for up, _, _ in record.edges)]
    return f"[{', '.join(f'{get_codec(up.codec).title} Step Object {up.name!r}' for up in below)}]"


def _step_line(record: StepRecord, place: str, upstreams: str) -> str:
    # Written by hand: json.dumps of a dictionary takes 5 us a step, this 1.
    name = quoted(record.name)
    function = quoted(record.name.split("[")[0])
    return (
        f'{{"args": {quoted(record.args)}, "cache_location": {place}, "codec": "{record.codec}", '
        f'"depends_on": {quoted(upstreams)}, "function_digest": "{record.function.hex()}", '
        f'"function_name": {function}, "key": "{record.key.hex()}", "kwargs": {quoted(record.kwargs)}, "name": {name}}}'
    )
