"""What a class is, and what a name leads to, changed: one change for one edit, in the file where it was made."""

import pytest

from ezpyp.explain.function_diff import difference
from ezpyp.explain.record import FunctionRecord, record_of
from tests.hashing._harness import run, write

SCRIPT = """
import math as lib
import numpy as np
from conf import RATE, TABLE as table
from dataclasses import dataclass, field
from package import *

if RATE:
    LEVEL = 4


@dataclass
class Config:
    weight: float = 0.5
    names: list = field(default_factory=list)


@dataclass(frozen=False)
class Point:
    x: int = 1


class Base:
    def go(self):
        return 1


class Other:
    size = 3

    def go(self):
        return 2


class Model(Base):
    pass


def step(x):
    return lib.sqrt(x), np.sum(x), RATE, table, LEVEL, FACTOR, Config(), Point(), Model().go()
""".lstrip()
CONF = "from package.deep import TABLE\n\nRATE = 1\n"
DEEP = "TABLE = {'a': 1}\n"
PACKAGE = "try:\n    FACTOR = 2\nfinally:\n    pass\n"

# name: edits as (old text, new text), then the changes in words.
EDITS = {
    "imported by name": [("RATE = 1", "RATE = 2"), "global RATE (conf.py:3) 1 -> 2"],
    "imported on the way": [("'a': 1", "'a': 3"), "global table['a'] (deep.py:1) 1 -> 3"],
    "imported with everything": [("FACTOR = 2", "FACTOR = 3"), "global FACTOR (__init__.py:2) 2 -> 3"],
    "bound in a block": [("LEVEL = 4", "LEVEL = 5"), "global LEVEL (script.py:8) 4 -> 5"],
    "another library of that name": [
        ("math as lib", "cmath as lib"), "global lib.sqrt (script.py:1) math.sqrt -> cmath.sqrt",
    ],
    "library by another name": [
        ("numpy as np", "numpy as xp"), ("np.sum", "xp.sum"), ("LEVEL = 4", "LEVEL = 5"),
        "global LEVEL (script.py:8) 4 -> 5",
    ],
    "field that is new": [
        ("    names:", "    more: int = 3\n    names:"), "class Config.more (script.py:14) is new: 3",
    ],
    "field without a default": [
        ("    weight: float = 0.5\n", "    more: int\n    weight: float = 0.5\n"),
        "class Config.more (script.py:12) is new: <int>",
    ],
    "field that is made": [
        ("    names: list = field(default_factory=list)\n", ""), "class Config.names (script.py:12) is gone: <list>",
    ],
    "kind of a dataclass": [
        ("frozen=False", "frozen=True"),
        "class Point (script.py:18) @dataclass(frozen=False) -> @dataclass(frozen=True)",
    ],
    "kinds of a dataclass": [
        ("frozen=False", "order=True, frozen=True"),
        "class Point (script.py:18) @dataclass(order=False, frozen=False) -> @dataclass(order=True, frozen=True)",
    ],
    "base class": [("Model(Base)", "Model(Other)"), "class Model bases (script.py:34) (<Base>,) -> (<Other>,)"],
}  # fmt: skip


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits")
    before = {"script.py": SCRIPT, "conf.py": CONF, "package/__init__.py": PACKAGE, "package/deep.py": DEEP}
    scripts = [write(folder / "before", before)]
    for number, (*edits, _) in enumerate(EDITS.values()):
        files = dict(before)
        for old, new in edits:
            files = {name: text.replace(old, new) for name, text in files.items()}
        assert files != before
        scripts.append(write(folder / f"after{number}", files))
    answers = run([{"script": script, "identity": True} for script in scripts], 1, numpy=True)
    first, *others = [FunctionRecord.from_json(answer["identity"]) for answer in answers]
    return first, dict(zip(EDITS, others, strict=True))


@pytest.mark.parametrize("name", EDITS)
def test_edit_is_one_change(identities, name):
    before, after = identities
    assert [str(change) for change in difference(before, after[name])] == EDITS[name][-1:]


def test_without_a_source_only_what_is_sure_is_told():
    def compiled(text):
        space = {}
        exec(text, space)
        return record_of(space["f"])

    before = compiled("def f(x):\n    a = x + 1\n    b = a * 2\n    return b\n")
    for text, expected in (
        ("def f(x):\n    a = x + 1\n    b = a * 3\n    return b\n", "constant 2 -> 3 in f (<string>:3)"),
        ("def f(x):\n    a = x + 1\n    b = [a, x]\n    return b\n", "code changed in f (<string>:3)"),
    ):
        assert [str(change) for change in difference(before, compiled(text))] == [expected]
