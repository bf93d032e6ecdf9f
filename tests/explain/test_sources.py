"""A global is placed on the line that binds it, in the file that binds it, without anything being imported."""

import sys
from types import ModuleType

import pytest

from ezpyp.explain.sources import bindings, place_of_global

TEXT = '''
"""a = 1"""
import numpy as np, os.path
from conf import (
    low,  # the least
    high as most,
)
first = 1
second: int = 2
third = fourth = 4
left, right = 1, 2
if first == 1:
    in_if = 1
    inner = dict(
        no_name=1,
    )
elif other == 2: short = 3
else:
    for i in range(3):
        deep = i
try:
    import fast
except ImportError:
    fast = None
with open(first) as file: read = file


def function(x=1):
    local = 2
    if local:
        inner_local = 3


class Model:
    attribute = 1

after = first == 2
text = """
inside = 3
"""
print(after, end="")
last = [
    1,
]
'''.lstrip("\n")


EXPECTED = {
    "np": 2, "os": 2, "low": 4, "most": 5, "first": 7, "second": 8, "third": 9, "fourth": 9, "left": 10, "right": 10,
    "in_if": 12, "inner": 13, "short": 16, "i": 18, "deep": 19, "fast": 21,
    "file": 24, "read": 24, "function": 27, "Model": 33, "after": 36,
    "text": 37, "last": 41,
}  # fmt: skip


def test_names_are_found_where_they_are_bound_and_nowhere_else(tmp_path):
    (tmp_path / "script.py").write_text(TEXT)
    found = bindings(str(tmp_path / "script.py"))

    assert found.lines == EXPECTED
    assert found.imported == {"low": ("conf", "low"), "most": ("conf", "high")}


FILES = {
    "package/script.py": "from .conf import rate as pace, table\nfrom lab_conf import size\nfrom lab_conf import *\n"
    "from library import limit\nfrom .gone import nothing\n",
    "package/conf.py": "from .deep import rate\n\ntable = {}\n",
    "package/deep/__init__.py": "if True:\n    rate = 1\n",
    "lab_conf.py": "\nsize = 1\nstar = 2\n",
    "library.py": "limit = 1\n",
}


@pytest.mark.parametrize(
    ("name", "file", "line"),
    [
        ("pace", "package/deep/__init__.py", 2),
        ("table", "package/conf.py", 3),
        ("size", "lab_conf.py", 2),
        ("star", "lab_conf.py", 3),
        ("limit", "package/script.py", 4),
        ("nothing", "package/script.py", 5),
        ("unknown", "package/script.py", 0),
    ],
)
def test_import_is_followed_to_the_users_file(tmp_path, monkeypatch, name, file, line):
    for path, text in FILES.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(text)
    for module in ("lab_conf", "library"):
        loaded = ModuleType(module)
        loaded.__file__ = str(tmp_path / f"{module}.py")
        monkeypatch.setitem(sys.modules, module, loaded)

    found = place_of_global(str(tmp_path / "package/script.py"), name, lambda module: module != "library")

    assert found == (str(tmp_path / file), line)


def test_files_that_import_from_each_other_end(tmp_path):
    for one, other in (("a", "b"), ("b", "a")):
        (tmp_path / f"{one}.py").write_text(f"from .{other} import x\n")

    path, line = place_of_global(str(tmp_path / "a.py"), "x", lambda _: True)

    assert path.startswith(str(tmp_path))
    assert line == 1
