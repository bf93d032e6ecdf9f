"""What cannot be seen of a function is recorded in words, and changes no digest."""

import builtins
import importlib
import os
from importlib import import_module
from os import environ
from os.path import basename
from pathlib import Path

import numpy as np
import pytest

from ezpyp.explain.record import record_of
from ezpyp.hashing.files import File

DATA = "data.csv"
FILE = File(__file__)
TABLE = {"a": 1}


def opens(path):
    with open(path) as file:
        return file.read()


def opens_a_constant():
    return open("data.csv").read()


def opens_a_global():
    return open(DATA)


def opens_what_is_computed(folder):
    return open(os.path.join(folder, "a"))


def opens_in_nested_code(paths):
    return [open(path).read() for path in paths]


def loads():
    return np.load("a.npy")


def reads_text(path):
    return Path(path).read_text()


def evaluates(text):
    return eval(text)


def executes(text):
    exec(text)


def asks_for_globals(name):
    return globals()[name]


def imports(name):
    return import_module(name)


def imports_through_the_module(name):
    return importlib.import_module(name)


def asks_a_library(name):
    return getattr(np, name)


def asks_the_environment(name):
    return os.environ[name]


SAID = {
    opens: "open(path)",
    opens_a_constant: "open('data.csv')",
    opens_a_global: "open(DATA)",
    opens_what_is_computed: "open(...)",
    opens_in_nested_code: "open(path)",
    loads: "np.load('a.npy')",
    reads_text: "read_text()",
    evaluates: "eval()",
    executes: "exec()",
    asks_for_globals: "globals()",
    imports: "import_module(name)",
    imports_through_the_module: "importlib.import_module(name)",
    asks_a_library: "getattr(np, ...)",
    asks_the_environment: "os.environ[...]",
}


@pytest.mark.parametrize("function", SAID, ids=lambda function: function.__name__)
def test_what_cannot_be_seen_is_said_with_its_place(function):
    line = function.__code__.co_firstlineno + 1

    place = f"in {function.__name__} ({basename(__file__)}:{line})"
    assert record_of(function).not_tracked == (f"{SAID[function]} {place}",)


def writes(path):
    with open(path, "w") as file, open("log.txt", mode="a") as log:
        print(1, file=file)
        print(1, file=log)


def opens_what_counts():
    return open(FILE)


def asks_what_counts(name, thing):
    return getattr(TABLE, name), getattr(thing, name), getattr(np, "sin")  # noqa: B009  # as users write it


def asks_the_environment_by_name():
    return os.environ["HOME"], environ["HOME"]


def calls_what_is_called_alike(x):
    return x.open(), x.eval, np.sin(x)


def test_code_that_hides_nothing_is_not_accused():
    functions = (
        writes, opens_what_counts, asks_what_counts, asks_the_environment_by_name, calls_what_is_called_alike,
    )  # fmt: skip
    assert [record_of(function).not_tracked for function in functions] == [()] * len(functions)


def test_helper_that_opens_a_file_is_named():
    def step():
        return opens_a_constant()

    [said] = record_of(step).not_tracked
    assert said.startswith("open('data.csv') in opens_a_constant (")


def test_what_is_said_changes_no_digest(monkeypatch):
    before = record_of(opens)
    monkeypatch.setattr("ezpyp.explain.record.untracked_in", lambda *_: ())
    after = record_of(opens)

    assert (before.digest, after.not_tracked) == (after.digest, ())
    assert before.not_tracked


def test_own_function_of_a_builtin_name_is_no_builtin():
    space = {"__name__": "study", "open": lambda path: path, "__builtins__": builtins}
    exec("def step(path):\n    return open(path)\n", space)

    assert record_of(space["step"]).not_tracked == ()
