"""The JSON codec gives back what it was given, or leaves the value to another."""

import enum
import json
from collections import OrderedDict

import pytest

from ezpyp.store.codecs.encoded import encode_result


class Colour(enum.IntEnum):
    RED = 1


CYCLE: list[object] = []
CYCLE.append(CYCLE)


def test_other_programs_read_the_text() -> None:
    encoded = encode_result({"name": "Ångström", "values": [1, 2.5, None]}, "json")

    assert json.loads(b"".join(encoded.pieces).decode()) == {"name": "Ångström", "values": [1, 2.5, None]}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ((1, 2), "the result is a tuple, which JSON would not give back"),
        ({"a": [1, (2,)]}, r"the result\['a'\]\[1\] is a tuple"),
        ({1: "x"}, "the result has the key 1,"),
        ({"x": {None: 1}}, r"the result\['x'\] has the key None"),
        (Colour.RED, "the result is a Colour"),
        (OrderedDict(a=1), "the result is a OrderedDict"),
        ({1, 2}, "set is not JSON serializable"),
        (float("nan"), "Out of range float"),
        ([float("inf")], "Out of range float"),
        ("\ud800", "surrogates not allowed"),
        (CYCLE, "Circular reference"),
        (b"x", "bytes is not JSON serializable"),
    ],
    ids=lambda value: "cycle" if value is CYCLE else repr(value)[:30],
)
def test_what_json_would_change_is_pickled(value: object, reason: str) -> None:
    import re

    encoded = encode_result(value, "json")

    assert encoded.codec == "pickle"
    assert re.search(reason, encoded.fallback or "")
