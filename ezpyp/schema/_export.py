"""``pipeline.schema``: the promise, for people."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring_ascii as quoted

from ezpyp.schema._excerpt import excerpt, rest_of
from ezpyp.store import KnownStep, StepRecord, get_codec


def schema_text(records: Sequence[StepRecord], left_out: Iterable[KnownStep], location: str) -> str:
    """JSON by phase, the fields of a step on one line; of a very large sweep the beginning.

    Args:
        records: The steps of the current revision.
        left_out: Steps that have results, and that the current revision leaves out.
        location: The location, as a field of every step.
    """
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
