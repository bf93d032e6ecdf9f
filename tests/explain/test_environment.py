"""Environment variables are recorded, named where they change, and never count."""

import os
from dataclasses import replace

import pytest

from ezpyp.explain.function_diff import circumstances, difference
from ezpyp.explain.record import FunctionRecord, record_of

NAME = "EZPYP_ONE"
ENVIRONMENT = os.environ
GET = os.environ.get
TABLE = {"EZPYP_ONE": 1}


READERS = [
    "os.environ['EZPYP_ONE']",
    "os.environ.get('EZPYP_ONE', 'default')",
    "os.environ.setdefault('EZPYP_ONE', '1')",
    "os.environ.pop('EZPYP_ONE')",
    "os.getenv('EZPYP_ONE')",
    "environ['EZPYP_ONE'], getenv('EZPYP_ONE')",
    "'EZPYP_ONE' in os.environ",
    "'EZPYP_ONE' not in environ",
    "ENVIRONMENT['EZPYP_ONE']",
    "GET('EZPYP_ONE')",
    "os.environ[NAME]",
    "[lambda: os.environ['EZPYP_ONE'] for _ in range(2)]",
    "subscript()",
    "import os as system; return system.environ['EZPYP_ONE']",
    "from os import environ as variables; return variables['EZPYP_ONE']",
    "variables = os.environ; return variables['EZPYP_ONE']",
    "variables = os.environ; read = variables.get; return read('EZPYP_ONE')",
    "variables = os.environ; return lambda: variables['EZPYP_ONE']",
]


def subscript():
    return os.environ["EZPYP_ONE"]


def reader(text):
    """A function of this module that does what ``text`` says."""
    space = dict(globals(), environ=os.environ, getenv=os.getenv)
    exec(f"def f():\n    {text if 'return' in text else f'return {text}'}\n", space)
    return space["f"]


def around(before, after):
    return circumstances(before.circumstances, after.circumstances, after.counted)


def variables(identity):
    return [part.name for part in identity.parts if part.kind == "environment"]


@pytest.mark.parametrize("text", READERS)
def test_variable_read_by_a_constant_name_never_counts_and_its_change_is_named(text, monkeypatch):
    monkeypatch.setenv("EZPYP_ONE", "a")
    before = record_of(reader(text))
    monkeypatch.setenv("EZPYP_ONE", "b")
    after = record_of(reader(text))

    assert variables(before) == ["EZPYP_ONE"]
    assert before.digest == after.digest
    assert difference(before, after) == ()
    [change] = around(before, after)
    assert len({change.old, change.new, ""}) == 3
    assert str(change) == "environment variable EZPYP_ONE changed"


def test_variable_that_a_closure_holds_is_recorded():
    assert variables(record_of(reader("variables = os.environ; return lambda: variables['EZPYP_ONE']")())) == [
        "EZPYP_ONE"
    ]


def test_what_only_looks_like_the_environment_is_not_recorded():
    environ = {"EZPYP_ONE": 1}

    def looks_alike(x):
        return environ["EZPYP_ONE"], TABLE["EZPYP_ONE"], "EZPYP_ONE" in x, x.get("EZPYP_ONE")

    assert variables(record_of(looks_alike)) == []


def test_variable_that_comes_and_goes_is_named(monkeypatch):
    monkeypatch.delenv("EZPYP_ONE", raising=False)
    unset = record_of(subscript)
    monkeypatch.setenv("EZPYP_ONE", "a")
    is_set = record_of(subscript)

    assert [str(change) for change in around(unset, is_set)] == ["environment variable EZPYP_ONE is set now"]
    assert [str(change) for change in around(is_set, unset)] == ["environment variable EZPYP_ONE is not set any more"]


def test_value_of_a_variable_is_written_nowhere(monkeypatch):
    monkeypatch.setenv("EZPYP_ONE", "hunter2hunter2")

    assert "hunter2hunter2" not in record_of(subscript).to_json()


def test_circumstances_are_named_beside_a_change_of_the_code(monkeypatch):
    monkeypatch.setenv("EZPYP_ONE", "a")
    before = record_of(lambda: os.environ["EZPYP_ONE"] + "1")
    monkeypatch.setenv("EZPYP_ONE", "b")
    after = FunctionRecord.from_json(record_of(lambda: os.environ["EZPYP_ONE"] + "2").to_json())

    assert [change.kind for change in difference(before, after)] == ["constant"]
    assert [change.kind for change in around(before, after)] == ["environment"]


def with_version(identity, version):
    parts = [replace(part, text=version) if part.kind in ("library", "version") else part for part in identity.parts]
    return replace(identity, parts=tuple(parts))


def test_library_version_that_does_not_count_is_named():
    def cells():
        import numpy as np

        return np.zeros(3)

    identity = record_of(cells)
    before, after = with_version(identity, "1.26.4"), with_version(identity, "2.0.0")

    assert [str(change) for change in around(before, after)] == ["version of numpy 1.26.4 -> 2.0.0"]
    assert [change.kind for change in around(before, after)] == ["library"]


def test_library_version_that_counts_is_no_circumstance():
    def cells():
        import numpy as np

        return np.zeros(3)

    identity = record_of(cells, track_versions=("numpy",))

    assert around(with_version(identity, "1.26.4"), with_version(identity, "2.0.0")) == ()
