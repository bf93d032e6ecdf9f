"""``pipeline.schema``: the promise, for people."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring_ascii as quoted

from ezpyp.store.codecs.encoded import get_codec
from ezpyp.store.rows import KnownStep, StepRecord

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
