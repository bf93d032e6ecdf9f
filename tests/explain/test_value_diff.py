"""What changed inside a class, a table, an object, a decorator's or a partial's arguments is named exactly."""

import pytest

from ezpyp.explain.function_diff import difference
from ezpyp.explain.record import FunctionRecord
from tests.hashing._harness import run, write

SCRIPT = """
from dataclasses import dataclass, field
from enum import Enum
from functools import partial, wraps
from collections import namedtuple

RATES = {"a": 1, "b": 2, "c": {"deep": [1, 2, 3]}}
GRID = [[1, 2], [3, 4]]
LONG = {f"key{i}": i for i in range(40)}
WIDE = list(range(100))


class Colour(Enum):
    RED = 1
    BLUE = 2


@dataclass
class Config:
    weight: float = 0.5
    names: list = field(default_factory=lambda: ["a"])


class Model:
    weight = 3
    table = {"x": 1, "y": 2}

    @classmethod
    def build(cls, n=4):
        return cls(), n * 3

    @staticmethod
    def scale(x):
        return x * 7

    @property
    def size(self):
        return 9


def retry(times, label="l"):
    def decorate(f):
        @wraps(f)
        def inner(*a):
            for _ in range(times):
                f(*a)
            return label
        return inner
    return decorate


@retry(5)
def fetch(x):
    return x


def add(x, y=1, *, z=2):
    return x + y + z


add_ten = partial(add, 10, z=20)
CONFIG = Config(0.7, [])
HANDLERS = {"add": add, "fetch": fetch}


def step(x):
    return (RATES["a"], GRID, Colour.RED, Config(), Model.build(), Model.scale(x), Model().size,
            fetch(x), add(x), add_ten(x), CONFIG, HANDLERS, LONG, WIDE)
""".lstrip()

# name: (old text, new text), then what the difference must be: kind, name, line, old, new, within.
EDITS = {
    "key of a table": (('"b": 2', '"b": 3'), ("global", "RATES['b']", 6, "2", "3", "")),
    "element deep inside": (("[1, 2, 3]}", "[1, 2, 4]}"), ("global", "RATES['c']['deep'][2]", 6, "3", "4", "")),
    "element of other type": (("[1, 2, 3]}", "[1, 2.0, 3]}"), ("global", "RATES['c']['deep'][1]", 6, "2", "2.0", "")),
    "key that is new": (('"b": 2', '"b": 2, "z": 9'), ("global", "RATES['z']", 6, "", "9", "")),
    "key that is gone": (('"a": 1, ', ""), ("global", "RATES['a']", 6, "1", "", "")),
    "nested list": (("[3, 4]", "[3, 5]"), ("global", "GRID[1][1]", 7, "4", "5", "")),
    "element put between": (("[[1, 2],", "[[1, 2], [9],"), ("global", "GRID[1]", 7, "", "list of 1", "")),
    "key of a long table": (("i for i in", "i + (i == 3) for i in"), ("global", "LONG['key3']", 8, "3", "4", "")),
    "longer list": (("range(100)", "range(101)"), ("global", "WIDE[100]", 9, "", "100", "")),
    "enum member": (("RED = 1", "RED = 5"), ("class", "Colour.RED", 13, "1", "5", "")),
    "dataclass field": (
        ("weight: float = 0.5", "weight: float = 0.6"),
        ("class", "Config.weight", 19, "0.5", "0.6", ""),
    ),
    "dataclass annotation": (
        ("weight: float", "weight: int"),
        ("class", "Config.__annotations__['weight']", 18, "<float>", "<int>", ""),
    ),
    "field's factory": (('["a"])', '["b"])'), ("constant", "Config.<lambda>", 20, "'a'", "'b'", "helper")),
    "class attribute": (("weight = 3", "weight = 4"), ("class", "Model.weight", 24, "3", "4", "")),
    "table of a class": (('"x": 1', '"x": 3'), ("class", "Model.table['x']", 25, "1", "3", "")),
    "class method": (("n * 3", "n * 4"), ("constant", "Model.build", 29, "3", "4", "method")),
    "class method's default": (("n=4", "n=5"), ("default", "Model.build(n)", 27, "4", "5", "")),
    "static method": (("x * 7", "x * 8"), ("constant", "Model.scale", 33, "7", "8", "method")),
    "property": (("return 9", "return 10"), ("constant", "Model.size", 37, "9", "10", "method")),
    "decorator's argument": (("@retry(5)", "@retry(6)"), ("closure", "times", 42, "5", "6", "")),
    "closure value": (('label="l"', 'label="m"'), ("closure", "label", 42, "'l'", "'m'", "")),
    "decorator's code": (
        ("range(times)", "range(-times)"),
        (
            "code",
            "retry.<locals>.decorate.<locals>.inner",
            44,
            "for _ in range(times):",
            "for _ in range(-times):",
            "helper",
        ),
    ),
    "default of a helper": (("y=1", "y=3"), ("default", "add(y)", 56, "1", "3", "")),
    "keyword-only default": (("z=2)", "z=3)"), ("default", "add(z)", 56, "2", "3", "")),
    "partial argument": (("add, 10", "add, 11"), ("global", "add_ten.args[0]", 60, "10", "11", "")),
    "partial keyword": (("z=20", "z=21"), ("global", "add_ten.keywords['z']", 60, "20", "21", "")),
    "attribute of an object": (("Config(0.7", "Config(0.8"), ("global", "CONFIG.weight", 61, "0.7", "0.8", "")),
    "function in a table": (
        ('"fetch": fetch}', '"fetch": add}'),
        ("global", "HANDLERS['fetch']", 62, "<fetch>", "<add>", ""),
    ),
}


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits")
    scripts = [write(folder / "before", {"script.py": SCRIPT})]
    for number, ((old, new), _) in enumerate(EDITS.values()):
        assert SCRIPT.count(old) == 1, old
        scripts.append(write(folder / f"after{number}", {"script.py": SCRIPT.replace(old, new)}))
    answers = run([{"script": script, "identity": True} for script in scripts], 1)
    before, *after = [FunctionRecord.from_json(answer["identity"]) for answer in answers]
    return before, dict(zip(EDITS, after, strict=True))


@pytest.mark.parametrize("name", EDITS)
def test_edit_is_named_exactly(identities, name):
    before, after = identities
    kind, what, line, old, new, within = EDITS[name][1]
    [change] = difference(before, after[name])

    assert (change.kind, change.name, change.line, change.old, change.new, change.within) == (
        kind, what, line, old, new, within,
    )  # fmt: skip
    assert change.file.endswith("script.py")


def test_change_inside_reads_as_a_line(identities):
    before, after = identities

    lines = [str(change) for change in difference(before, after["key of a table"])]

    assert lines == ["global RATES['b'] (script.py:6) 2 -> 3"]
