"""What cannot be seen of a function is recorded in words, and changes no digest."""

import builtins
import importlib
import os
from pathlib import Path

import numpy as np
import pandas as pd
import polars as pl
import pytest

from ezpyp.explain.record import record_of
from ezpyp.hashing.files import File

DATA = "data.csv"
FILE = File(__file__)
TABLE = {"a": 1}


SAID = {
    "pl.scan_csv(path)": "pl.scan_csv(path).collect()",
    "pl.read_csv('data.csv')": "pl.read_csv('data.csv')",
    "pl.read_csv(DATA)": "pl.read_csv(DATA)",
    "pl.read_csv(...)": "pl.read_csv(os.path.join(path, 'a'))",
    "pl.read_csv(name)": "[pl.read_csv(name) for name in path]",
    "pd.read_parquet(path)": "pd.read_parquet(path)",
    "eval()": "eval(path)",
    "exec()": "exec(path)",
    "globals()": "globals()[path]",
    "import_module(path)": "import_module(path)",
    "importlib.import_module(path)": "importlib.import_module(path)",
    "getattr(np, ...)": "getattr(np, path)",
}


def step(text):
    """A function of this module that returns what ``text`` says."""
    names = {
        "importlib": importlib,
        "import_module": importlib.import_module,
        "Path": Path,
        "environ": os.environ,
        "np": np,
        "pd": pd,
        "pl": pl,
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
        "open(path), open('log.txt', 'a'), np.load('a.npy'), pd.read_csv(path), Path(path).read_text()",
        "os.environ[path]",
        "pl.read_csv(FILE)",
        "getattr(TABLE, path), getattr(np, 'sin')",
        "os.environ['HOME'], environ['HOME']",
        "path.open(), path.eval, np.sin(path)",
    ],
)
def test_code_that_hides_nothing_is_not_accused(text):
    assert record_of(step(text)).not_tracked == ()


def test_helper_that_opens_a_file_is_named():
    opens = step("pl.read_csv('data.csv')")
    [said] = record_of(lambda: opens(1)).not_tracked
    assert said == "pl.read_csv('data.csv') in f (<string>:2)"


def test_own_function_of_a_builtin_name_is_no_builtin():
    space = {"__name__": "study", "eval": lambda path: path, "__builtins__": builtins}
    exec("def step(path):\n    return eval(path)\n", space)

    assert record_of(space["step"]).not_tracked == ()
