"""A change is named exactly: kind, name, file, line, old and new."""

import pytest

from ezpyp.explain.change import Change
from ezpyp.explain.function_diff import difference
from ezpyp.explain.record import FunctionRecord, record_of
from tests.hashing._harness import run, write

SCRIPT = '''
import numpy as np

from tools import norm, scale
import tools

RATE = 0.1
TABLE = {"a": [1, 2]}
API_TOKEN = "abc"


class Model:
    """A model."""

    weight = 3

    def __init__(self, x):
        self.x = x

    def run(self, y=1):
        return self.x * 5 + y


def first(y):
    return y


def second(y):
    return -y


choice = first


def make(factor):
    def inner(x):
        return x * factor
    return inner


closed = make(11)


def step(x, y=2):
    """Do it."""
    total = x ** 2 + 7
    if total > 10:
        total = norm(total, by=y)
    for value in range(x):
        total += value
    if x is None:
        return {"mean": total}
    return np.sum(total) * RATE + Model(x).run() + len(TABLE) + tools.LIMIT + choice(x) + closed(x), API_TOKEN
'''.lstrip("\n")

TOOLS = """
LIMIT = 9


def scale(x):
    return x / 2


def norm(x, by=1, *, power=2):
    y = x - 4
    return scale(y) ** power
""".lstrip("\n")

# name: (old text, new text), then what the difference must be: kind, name, file, line, old, new, within.
EDITS = {
    "constant": (("+ 7", "+ 8"), ("constant", "step", "script.py", 45, "7", "8", "code")),
    "constant of other type": (("+ 7", "+ 7.0"), ("constant", "step", "script.py", 45, "7", "7.0", "code")),
    "power": (("x ** 2 + 7", "x ** 3 + 7"), ("constant", "step", "script.py", 45, "2", "3", "code")),
    "text": (('"mean"', '"median"'), ("constant", "step", "script.py", 51, "'mean'", "'median'", "code")),
    "operator": (("x ** 2 + 7", "x ** 2 - 7"), ("operator", "step", "script.py", 45, "+", "-", "code")),
    "comparison": (("total > 10", "total >= 10"), ("operator", "step", "script.py", 46, ">", ">=", "code")),
    "identity": (("x is None", "x is not None"), None),
    "library function": (("np.sum", "np.mean"), ("name", "step", "script.py", 52, "sum", "mean", "code")),
    "variable": (("total += value", "total += x"), ("variable", "step", "script.py", 49, "value", "x", "code")),
    "statement": (
        ("        total += value\n", "        total += abs(value)\n"),
        ("code", "step", "script.py", 49, "total += value", "total += abs(value)", "code"),
    ),
    "keyword": (("by=y", "power=y"), ("keyword", "step", "script.py", 47, "by", "power", "code")),
    "parameter": (
        ("step(x, y=2)", "step(x, *, y=2)"),
        ("signature", "step", "script.py", 43, "def step(x, y)", "def step(x, *, y)", "code"),
    ),
    "global": (("RATE = 0.1", "RATE = 0.2"), ("global", "RATE", "script.py", 6, "0.1", "0.2", "")),
    "global table": (("[1, 2]}", "[1, 3]}"), ("global", "TABLE['a'][1]", "script.py", 7, "2", "3", "")),
    "secret": (('"abc"', '"abd"'), ("global", "API_TOKEN", "script.py", 8, "<secret>", "<secret>", "")),
    "global of a module": (("LIMIT = 9", "LIMIT = 8"), ("global", "tools.LIMIT", "tools.py", 1, "9", "8", "")),
    "name that leads elsewhere": (
        ("choice = first", "choice = second"),
        ("global", "choice", "script.py", 31, "first", "second", ""),
    ),
    "helper constant": (("x - 4", "x - 5"), ("constant", "norm", "tools.py", 9, "4", "5", "helper")),
    "helper operator": (("x / 2", "x // 2"), ("operator", "scale", "tools.py", 5, "/", "//", "helper")),
    "helper default": (("by=1", "by=3"), ("default", "norm(by)", "tools.py", 8, "1", "3", "")),
    "helper keyword default": (("power=2", "power=3"), ("default", "norm(power)", "tools.py", 8, "2", "3", "")),
    "closure": (("make(11)", "make(12)"), ("closure", "factor", "script.py", 35, "11", "12", "")),
    "closure function": (
        ("x * factor", "x + factor"),
        ("operator", "make.<locals>.inner", "script.py", 36, "*", "+", "helper"),
    ),
    "class attribute": (("weight = 3", "weight = 4"), ("class", "Model.weight", "script.py", 14, "3", "4", "")),
    "method": (("self.x * 5", "self.x * 6"), ("constant", "Model.run", "script.py", 20, "5", "6", "method")),
    "method default": (("y=1)", "y=0)"), ("default", "Model.run(y)", "script.py", 19, "1", "0", "")),
    "base class": (
        ("class Model:", "class Model(dict):"),
        ("class", "Model bases", "script.py", 11, "(<object>,)", "(<dict>,)", ""),
    ),
    "new class attribute": (
        ("    weight = 3\n", "    weight = 3\n    bias = 1\n"),
        ("class", "Model.bias", "script.py", 15, "", "1", ""),
    ),
    "method removed": (("    def __init__(self, x):\n        self.x = x\n\n", ""), None),
}


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits")
    scripts = [write(folder / "before", {"script.py": SCRIPT, "tools.py": TOOLS})]
    for number, ((old, new), _) in enumerate(EDITS.values()):
        files = {"script.py": SCRIPT.replace(old, new), "tools.py": TOOLS.replace(old, new)}
        assert files != {"script.py": SCRIPT, "tools.py": TOOLS}, old
        scripts.append(write(folder / f"after{number}", files))
    answers = run([{"script": script, "identity": True} for script in scripts], 1, numpy=True)
    before, *after = [FunctionRecord.from_json(answer["identity"]) for answer in answers]
    return before, dict(zip(EDITS, after, strict=True))


@pytest.mark.parametrize("name", [name for name, (_, expected) in EDITS.items() if expected])
def test_edit_is_named_exactly(identities, name):
    before, after = identities
    found = [
        (c.kind, c.name, c.file.rpartition("/")[2], c.line, c.old, c.new, c.within)
        for c in difference(before, after[name])
    ]
    assert found == [EDITS[name][1]]


def test_edit_that_changes_several_operations_is_named_by_its_lines(identities):
    before, after = identities
    first, *_ = difference(before, after["identity"])
    assert (first.line, first.old, first.new) == (50, "if x is None:", "if x is not None:")


def test_removed_method_is_named(identities):
    before, after = identities
    changes = difference(before, after["method removed"])
    assert [(c.kind, c.name, c.new) for c in changes] == [("method", "Model.__init__", "")]


def test_equal_identities_have_no_difference(identities):
    before, _ = identities
    assert difference(before, before) == ()


def test_identity_survives_json(identities):
    before, _ = identities
    assert FunctionRecord.from_json(before.to_json()) == before


def test_source_is_that_of_the_code(identities):
    before, _ = identities
    assert before.source is not None
    assert before.source.startswith("def step")
    assert {part.name for part in before.parts if part.kind == "method" and part.source} == {
        "Model.__init__",
        "Model.run",
    }


def test_library_version_is_recorded(identities):
    before, _ = identities
    assert [(p.name, bool(p.text)) for p in before.parts if p.kind == "library"] == [("numpy", True)]


def test_change_reads_as_a_line():
    assert (
        str(Change("constant", "beta", "/a/script.py", 12, "3", "4", "code"))
        == "constant 3 -> 4 in beta (script.py:12)"
    )
    assert (
        str(Change("constant", "norm", "/a/utils.py", 12, "2", "3", "helper"))
        == "helper norm (utils.py:12): constant 2 -> 3"
    )
    assert str(Change("global", "RATE", "/a/script.py", 0, "0.1", "0.2")) == "global RATE (script.py) 0.1 -> 0.2"


def test_environment_variables_and_what_is_not_tracked_are_recorded(tmp_path):
    script = "import os, threading\nLOCK = threading.Lock()\n\ndef step(x):\n    with LOCK:\n"
    script += "        return os.environ['HOME'], os.getenv('USER')\n"
    [answer] = run([{"script": write(tmp_path, {"script.py": script}), "identity": True}], 1)
    identity = FunctionRecord.from_json(answer["identity"])
    assert {part.name for part in identity.parts if part.kind == "environment"} == {"HOME", "USER"}
    assert identity.not_tracked == ("LOCK (_thread.lock)",)


def test_source_is_not_recorded_when_the_file_was_edited_since(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("def step(x):\n    return x + 1\n")
    space = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    path.write_text("def step(x):\n    return x + 2\n")
    assert record_of(space["step"]).source is None


def test_source_is_not_recorded_when_the_file_was_edited_after_the_walk(tmp_path):
    path = tmp_path / "script.py"
    path.write_text("def step(x):\n    return x + 1\n")
    space = {}
    exec(compile(path.read_text(), str(path), "exec"), space)
    identity = record_of(space["step"])
    path.write_text("def step(x):\n    return x + 200\n")

    assert identity.source is None
    assert [part.source for part in identity.parts] == [None]
