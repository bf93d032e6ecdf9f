"""The names rule as users see it: what steps are called, and how a name is looked up.

Labels of single values, digests, settling and insertion are tested on programs in ``tests/graph``.
"""

import re
import warnings
from pathlib import Path

import pytest

import ezpyp
from ezpyp import Pipeline
from ezpyp.errors import UnknownStepError

from .tools import declared, executed

SIMULATE = """
@as_pickle_step(pipeline)
def simulate(seed, scale=1.0):
    return seed * scale

@as_pickle_step(pipeline)
def analyse(part, other=None):
    return part

second = as_pickle_step(pipeline, name="second")(lambda part: part)

class Touchy:
    def __init__(self, size):
        self.size = size

    def refuse(self, *args):
        raise RuntimeError("touched")

    __eq__ = __bool__ = __repr__ = __str__ = __len__ = __format__ = refuse
    __hash__ = object.__hash__

def model(x):
    return x ** 2

"""
DIGEST = r"simulate\[[0-9a-f]{16}\]"


def names(location: Path, calls: str, source: str = SIMULATE) -> list[str]:
    """Freeze a script of these calls and give the names of its steps, sorted."""
    pipeline = declared(location, source + calls)
    pipeline.initialize_schema()
    return sorted(step.name for step in pipeline.steps)


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ("simulate(3)", ["simulate"]),
        ("simulate(2); simulate(3)", [r"simulate\[seed=2\]", r"simulate\[seed=3\]"]),
        ("simulate.grid(seed=[3])", [r"simulate\[seed=3\]"]),
        ("simulate(scale=1.5, seed=1); simulate(2)", [r"simulate\[seed=1,scale=1.5\]", r"simulate\[seed=2\]"]),
        (
            "[analyse(second(simulate(seed))) for seed in (3, 4)]",
            [rf"{name}\[seed={seed}\]" for name in ("analyse", "second", "simulate") for seed in (3, 4)],
        ),
        ("import numpy; [simulate(numpy.arange(size)) for size in (0, 1, 500)]", [DIGEST] * 3),
        ("simulate(Touchy(1)); simulate(Touchy(2))", [DIGEST] * 2),
    ],
)
def test_names_of_calls(location: Path, calls: str, expected: list[str]) -> None:
    found = names(location, calls)

    assert len(found) == len(set(found)) == len(expected)
    assert all(re.fullmatch(pattern, name) for pattern, name in zip(expected, found, strict=True)), found


@pytest.mark.parametrize("old", ["return seed * scale", "return part", "return x ** 2"])
def test_an_edit_of_code_renames_nothing(location: Path, tmp_path: Path, old: str) -> None:
    calls = "sweep = simulate.map([1, 2]); simulate(model); analyse(simulate(list(range(1000)))); analyse(list(sweep))"

    assert names(location, calls) == names(tmp_path / "other", calls, SIMULATE.replace(old, old + " + 1"))


def test_the_same_call_made_a_hundred_times_is_one_step_and_said_once(
    location: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline = declared(location, SIMULATE + "for _ in range(98): simulate(3)\nsimulate(seed=3); simulate(3, 1.0)")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline.execute()
        pipeline.execute()

    assert [[step.name for step in phase] for phase in pipeline.phases] == [["simulate"]]
    output = capfd.readouterr()
    said = [output.out, output.err, *(str(warning.message) for warning in caught)]
    text = "100 calls of simulate are one step (same arguments); for replicates pass a seed"
    assert sum(words.count(text) for words in said) == 1


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    calls = "simulate.map(range(12)); simulate(3, scale=2.0); analyse(1)"
    return executed(tmp_path_factory.mktemp("lookup") / "cache", SIMULATE + calls)


@pytest.mark.parametrize(
    ("name", "parameters", "value"),
    [
        ("simulate", {"seed": 7}, 7.0),
        ("simulate", {"seed": 3, "scale": 2.0}, 6.0),
        ("sim*[seed=9]", {}, 9.0),  # the brackets of a glob are literal
        ("ana", {}, 1),
        ("simulate[seed=11", {}, 11.0),
    ],
)
@pytest.mark.parametrize("opened", [False, True], ids=["pipeline", "cache"])
def test_a_result_is_found(
    pipeline: Pipeline, opened: bool, name: str, parameters: dict[str, object], value: object
) -> None:
    source = ezpyp.open_cache(pipeline.schema_path.parent) if opened else pipeline

    assert source.get_result(name, **parameters) == value
    assert source.get_status(name, **parameters) == 0
    for wanted, given in (("simulate", {}), ("simulate", {"seed": 99})):
        with pytest.raises(UnknownStepError, match=r"\b13\b") as caught:
            source.get_result(wanted, **given)
        assert str(caught.value).count("simulate[") >= len(caught.value.candidates) == 10


def test_by_a_step_and_by_a_parameter_of_any_name(location: Path) -> None:
    source = "as_pickle_step(pipeline, name='walk')(lambda step, name, self: step).grid([1, 2], [3], [4])"
    pipeline = executed(location, source)

    assert pipeline.get_result("walk", step=2) == pipeline.get_result(pipeline.steps[1]) == 2
    assert pipeline.get_status("walk", step=2, name=3, self=4) == 0
    assert ezpyp.open_cache(location).get_result("walk", step=1, self=4) == 1
