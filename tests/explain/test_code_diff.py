"""A change in code is told as it was made: the line that changed, is new, or is gone; never two lines that are none."""

import re

import pytest

from ezpyp.explain.function_diff import changed_sources, difference
from ezpyp.explain.record import FunctionRecord
from tests.hashing._harness import run, write

SCRIPT = """
from utils import norm
import package.utils


class Model:
    def go(self, x):
        if x > 5: raise ValueError("no")
        return self.weigh(x)

    def weigh(self, x):
        return x * 7


def first(x):
    return x + 1


def second(x):
    return x + 2


def unlike(x, y=3):
    for value in sorted(x):
        if value > y:
            return {"a": [value, y], "b": str(x)}


def blend(a=1, b=2):
    return a - b


LOW = 1
HIGH = 2


def step(x):
    y = [x, 1]
    total = sum(y)
    for i in y:
        if i: break
    a = first(total)
    b = blend(a=x)
    c = blend(a=x, b=a)
    text = 'the quick brown fox jumps over the lazy dog, which minds it not, and runs away from the very long text A'
    try:
        d = a / LOW
    except ZeroDivisionError:
        d = 0
    with open("data.txt") as file:
        d += 2
    values = [
        a * 3,
        b * 4,
    ]
    if a:
        return Model().go(d)
    return norm(values) + package.utils.norm(values), c, text
""".lstrip()
UTILS = "def norm(v):\n    a = 1\n    return sum(v) + a\n"
DEEP = "def norm(v):\n    return min(v) + 3\n"

# name: (old text, new text), then the changes in words.
EDITS = {
    "builtin of the step": (("total = sum(y)", "total = max(y)"), ["name sum -> max in step (script.py:38)"]),
    "builtin of a helper": (("return sum(v)", "return max(v)"), ["helper norm (top/utils.py:3): name sum -> max"]),
    "builtin of one of two of a name": (
        ("return min(v)", "return max(v)"), ["helper norm (package/utils.py:2): name min -> max"],
    ),
    "exception of a method": (
        ("ValueError", "KeyError"), ["method Model.go (script.py:7): name ValueError -> KeyError"],
    ),
    "exception caught": (
        ("ZeroDivisionError", "ArithmeticError"), ["name ZeroDivisionError -> ArithmeticError in step (script.py:47)"],
    ),
    "line that is new": (
        ("    total = sum(y)\n", "    y = y * 2\n    total = sum(y)\n"),
        ["code is new: y = y * 2 in step (script.py:38)"],
    ),
    "lines that are new": (
        ("    total = sum(y)\n", "    if y:\n        y = y * 2\n        x = y\n    total = sum(y)\n"),
        ["code is new: if y: y = y * 2; x = y in step (script.py:38)"],
    ),
    "variable that is new": (
        ("    y = [x, 1]\n", "    z = x\n    y = [x, 1]\n"), ["code is new: z = x in step (script.py:37)"],
    ),
    "line that is gone": (("    total = sum(y)\n", ""), ["code is gone: total = sum(y) in step (script.py:38)"]),
    "line of a helper that is gone": (("    a = 1\n    return sum(v) + a", "    return sum(v)"), [
        "helper norm (top/utils.py:2): code is gone: a = 1",
        "helper norm (top/utils.py:2): code return sum(v) + a -> return sum(v)",
    ]),
    "flow of control": (
        ("if i: break", "if i: continue"), ["code if i: break -> if i: continue in step (script.py:40)"],
    ),
    "line that moved out of its block": (
        ("        d += 2\n", "        pass\n    d += 2\n"),
        ["code d += 2 under with open(\"data.txt\") as file: -> d += 2 under def step(x): in step (script.py:51)"],
    ),
    "block that is put around": (
        ("    a = first(total)\n", "    if y:\n        a = first(total)\n"),
        ["code is new: if y: in step (script.py:41)"],
    ),
    "variable renamed beside the change": (
        ("d = a / LOW", "e = a * LOW"), (" d = 0", " e = 0"), ("d += 2", "e += 2"), ("go(d)", "go(e)"),
        ["operator / -> * in step (script.py:46)"],
    ),
    "keyword of a call": (("blend(a=x)", "blend(b=x)"), ["keyword a -> b in step (script.py:42)"]),
    "one keyword of two": (("blend(a=x, b=a)", "blend(a=x, c=a)"), ["keyword b -> c in step (script.py:43)"]),
    "late in a long text": (
        ("long text A", "long text B"),
        ["constant ... the very long text A' -> ... the very long text B' in step (script.py:44)"],
    ),
    "two constants of one statement": (
        ("        a * 3,\n        b * 4,", "        a * 5,\n        b * 6,"),
        ["constant 3 -> 5 in step (script.py:52)", "constant 4 -> 6 in step (script.py:53)"],
    ),
    "statement written otherwise as well": (
        ("    values = [\n        a * 3,\n        b * 4,\n    ]", "    values = [a * 3, b * 5]"),
        ["constant 4 -> 5 in step (script.py:51)"],
    ),
    "comment and line breaks beside the change": (
        ("    y = [x, 1]\n", "    # nothing\n    y = [\n        x, 2]\n"), ["constant 1 -> 2 in step (script.py:39)"],
    ),
    "helper renamed and changed": (
        ("first(", "one("), ("return x + 1", "return x + 9"),
        ["helper one (script.py:15), before first: constant 1 -> 9"],
    ),
    "another helper": (
        ("a = first(total)", "a = second(total)"), ["helper second (script.py:19), before first: constant 1 -> 2"],
    ),
    "another helper, not alike": (
        ("a = first(total)", "a = unlike(total)"), ["name first -> unlike in step (script.py:41)"],
    ),
    "method renamed and changed": (
        ("weigh(", "weight("), ("return x * 7", "return x * 8"),
        [
            "method Model.go (script.py:8): name weigh -> weight",
            "method Model.weight (script.py:11), before Model.weigh: constant 7 -> 8",
        ],
    ),
    "another global": (("a / LOW", "a / HIGH"), ["global HIGH (script.py:33), before LOW: 1 -> 2"]),
    "statement of another kind": (
        ("    c = blend(a=x, b=a)\n", "    del y, total\n"),
        ["code c = blend(a=x, b=a) -> del y, total in step (script.py:43)"],
    ),
    "argument that is new": (
        ('open("data.txt")', 'open("data.txt", "rb")'),
        [
            'code with open("data.txt") as file: -> with open("data.txt", "rb") as file: in step (script.py:49)',
        ],
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def identities(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edits")
    before = {"script.py": SCRIPT, "utils.py": UTILS, "package/utils.py": DEEP, "package/__init__.py": ""}
    scripts = [write(folder / "before", before)]
    for number, (*edits, _) in enumerate(EDITS.values()):
        files = dict(before)
        for old, new in edits:
            files = {name: text.replace(old, new) for name, text in files.items()}
        assert files != before
        scripts.append(write(folder / f"after{number}", files))
    answers = run([{"script": script, "identity": True} for script in scripts], 1)
    first, *others = [FunctionRecord.from_json(answer["identity"]) for answer in answers]
    return first, dict(zip(EDITS, others, strict=True))


@pytest.mark.parametrize("name", EDITS)
def test_edit_is_told_as_it_was_made(identities, name):
    before, after = identities
    lines = [re.sub(r"after\d+/", "top/", str(change)) for change in difference(before, after[name])]
    assert lines == EDITS[name][-1]


@pytest.mark.parametrize("name", EDITS)
def test_edit_undone_is_told_without_operations_of_the_machine(identities, name):
    before, after = identities
    for change in difference(after[name], before):
        assert change.old or change.new
        assert not {"LOAD", "STORE", "CALL", "RESUME", "POP"} & set(str(change).replace("_", " ").split())


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("helper renamed and changed", [("step", "first(total)", "one(total)"), ("one", "x + 1", "x + 9")]),
        ("builtin of one of two of a name", [("norm", "min(v)", "max(v)")]),
        ("another global", [("step", "a / LOW", "a / HIGH")]),
    ],
)
def test_sources_are_those_of_what_goes_together(identities, name, expected):
    before, after = identities
    found = changed_sources(before, after[name])

    assert [name for name, _, _ in found] == [name for name, _, _ in expected]
    for (_, was, now), (_, old, new) in zip(found, expected, strict=True):
        assert old in was
        assert new in now
