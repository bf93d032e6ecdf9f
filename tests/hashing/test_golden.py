"""Pinned digests: whoever changes the format must raise its number.

``python -m tests.hashing.test_golden`` writes the digests of the Python that runs it into ``golden.json``, after
``KEY_FORMAT`` was raised. Those of values and arguments are the same on every Python, those of functions are not.
"""

import json
import sys
from collections import Counter, OrderedDict, defaultdict, deque
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from functools import partial
from pathlib import Path, PurePosixPath
from types import SimpleNamespace
from uuid import UUID

import numpy as np
import pytest

from ezpyp.describe import Hole
from ezpyp.hashing.code.identity import function_identity
from ezpyp.hashing.encode import encode, value_digest
from ezpyp.hashing.plain import KEY_FORMAT
from tests.hashing._samples import Model, branches, everything, helper

GOLDEN = Path(__file__).with_name("golden.json")
TAG = sys.implementation.cache_tag

cycle = [1]
cycle.append(cycle)

VALUES = {
    "none": None,
    "numbers": [1, -1, 2**100, 1.5, -0.0, 2j, True],
    "texts": ["", "a", "ä", "\ud800", b"", b"a"],
    "long text": "x" * 100_000,
    "nested": {"a": [1, (2, {"b": {3, 4}})], "c": ()},
    "sets": [{1, "a", (2, 3)}, frozenset({b"x"})],
    "shared": [cycle, cycle],
    "cycle": cycle,
    "singletons": [Ellipsis, NotImplemented],
    "slices": [slice(1, 2), range(3)],
    "decimal": Decimal("1.50"),
    "fraction": Fraction(1, 3),
    "times": [date(2020, 1, 2), datetime(2020, 1, 2, tzinfo=UTC), timedelta(1)],
    "uuid": UUID(int=5),
    "path": PurePosixPath("a/b"),
    "collections": [Counter("ab"), OrderedDict(a=1), defaultdict(int, a=1), deque([1], 3)],
    "namespace": SimpleNamespace(a=1),
    "buffers": [bytearray(b"a"), memoryview(b"a")],
    "hole": Hole(3, (("item", "a"),)),
    "library function": [len, max, np.sum, np.add],
    "library class": [int, np.ndarray],
    "array": np.arange(6.0).reshape(2, 3),
    "fortran": np.asfortranarray(np.eye(2, 3)),
    "structured": np.array([(1, 2.0)], [("a", "i4"), ("b", "f8")]),
    "objects": np.array([1, "a"], object),
    "scalar": np.float32(1.5),
    "times of numpy": np.array(["2020-01-01"], "M8[D]"),
    "masked": np.ma.array([1, 2], mask=[0, 1]),
}

FUNCTIONS = {
    "lambda": lambda x: x + 1,
    "helper": helper,
    "branches": branches,
    "everything": everything,
    "partial": partial(helper, by=3),
    "method": Model(1).__init__,
    "class": Model,
}


def digests():
    values = {name: value_digest(value).hex() for name, value in VALUES.items()}
    arguments = {name: encode([value, 1], ["a", "b"]).hex() for name, value in VALUES.items()}
    functions = {name: function_identity(function).digest.hex() for name, function in FUNCTIONS.items()}
    return {"format": KEY_FORMAT, "values": values, "arguments": arguments, f"functions {TAG}": functions}


def golden():
    return json.loads(GOLDEN.read_text())


@pytest.mark.parametrize("part", ["format", "values", "arguments", f"functions {TAG}"])
def test_format_is_what_its_number_says(part):
    assert digests()[part] == golden()[part], "digests changed: raise KEY_FORMAT and write golden.json anew"


def test_every_python_is_pinned():
    assert {f"functions cpython-3{minor}" for minor in (11, 12, 13)} <= set(golden())


if __name__ == "__main__":
    known = golden() if GOLDEN.exists() else {}
    # As the test sees it: defined in an importable module.
    from tests.hashing.test_golden import digests as imported

    GOLDEN.write_text(json.dumps(known | imported(), indent=1) + "\n")
