"""What cannot be seen of a function is recorded in words, and changes no digest."""

import builtins
import importlib
import os
from pathlib import Path

import numpy as np
import pytest

from ezpyp.explain.record import record_of
from ezpyp.hashing.files import File

DATA = "data.csv"
FILE = File(__file__)
TABLE = {"a": 1}


SAID = {
    "open(path)": "open(path).read()",
    "open('data.csv')": "open('data.csv').read()",
    "open(DATA)": "open(DATA)",
    "open(...)": "open(os.path.join(path, 'a'))",
    "open(name)": "[open(name).read() for name in path]",
    "np.load('a.npy')": "np.load('a.npy')",
    "read_text()": "Path(path).read_text()",
    "eval()": "eval(path)",
    "exec()": "exec(path)",
    "globals()": "globals()[path]",
    "import_module(path)": "import_module(path)",
    "importlib.import_module(path)": "importlib.import_module(path)",
    "getattr(np, ...)": "getattr(np, path)",
    "os.environ[...]": "os.environ[path]",
}


def step(text):
    """A function of this module that returns what ``text`` says."""
    names = {
        "importlib": importlib,
        "import_module": importlib.import_module,
        "Path": Path,
        "environ": os.environ,
        "np": np,
    }
    space = globals() | names
    exec(f"def f(path):\n    return {text}\n", space)
    return space["f"]


@pytest.mark.parametrize("text", SAID)
def test_what_cannot_be_seen_is_said_with_its_place(text):
    [said] = record_of(step(SAID[text])).not_tracked
    assert said.startswith(f"{text} in f")
    assert said.endswith(" (<string>:2)")


@pytest.mark.parametrize(
    "text",
    [
        "open(path, 'w'), open('log.txt', mode='a')",
        "open(FILE)",
        "getattr(TABLE, path), getattr(np, 'sin')",
        "os.environ['HOME'], environ['HOME']",
        "path.open(), path.eval, np.sin(path)",
    ],
)
def test_code_that_hides_nothing_is_not_accused(text):
    assert record_of(step(text)).not_tracked == ()


def test_helper_that_opens_a_file_is_named():
    opens = step("open('data.csv')")
    [said] = record_of(lambda: opens(1)).not_tracked
    assert said == "open('data.csv') in f (<string>:2)"


def test_own_function_of_a_builtin_name_is_no_builtin():
    space = {"__name__": "study", "open": lambda path: path, "__builtins__": builtins}
    exec("def step(path):\n    return open(path)\n", space)

    assert record_of(space["step"]).not_tracked == ()
