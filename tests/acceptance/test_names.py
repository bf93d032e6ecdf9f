"""The names rule as users see it: what steps are called, when names settle, and how a name is looked up.

Labels of single values, digests and settling are tested on programs in ``tests/graph/test_names.py``.
"""

import re
import warnings
from pathlib import Path

import pytest

import ezpyp
from ezpyp import Pipeline, Step
from ezpyp.errors import DuplicateNameError, InitializationError, UnknownStepError

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
        ("simulate.map([3])", [r"simulate\[seed=3\]"]),
        ("simulate.grid(seed=[3])", [r"simulate\[seed=3\]"]),
        ("simulate(scale=1.5, seed=1); simulate(2)", [r"simulate\[seed=1,scale=1.5\]", r"simulate\[seed=2\]"]),
        ("simulate(1); simulate(1.0)", [r"simulate\[seed=1.0\]", r"simulate\[seed=1\]"]),
        ("simulate('left'); simulate('right')", [r"simulate\[seed='?left'?\]", r"simulate\[seed='?right'?\]"]),
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


def test_inserting_a_value_renames_nothing(location: Path, tmp_path: Path) -> None:
    calls = "sweep = simulate.map(VALUES); [analyse(step) for step in sweep]; analyse(list(sweep))"
    two = names(location, calls.replace("VALUES", "[1, 3]"))

    bracketed = {name for name in two if "seed=" in name}
    assert len(bracketed) == 4
    assert bracketed < set(names(tmp_path / "other", calls.replace("VALUES", "[1, 2, 3]")))


@pytest.mark.parametrize("attribute", ["name", "key"])
def test_name_and_key_before_freezing_are_an_error(location: Path, attribute: str) -> None:
    (step,) = declared(location, SIMULATE + "simulate(3)").steps

    with pytest.raises(InitializationError, match=r"initialize_schema|execute"):
        getattr(step, attribute)


def test_a_settled_name_stays_and_later_calls_get_brackets(location: Path) -> None:
    pipeline = Pipeline(location, "study")
    simulate = pipeline.step(abs, name="simulate")

    first = simulate(3)
    pipeline.execute()
    later = [simulate(4), simulate(5)]
    pipeline.execute()

    assert first.name == "simulate"
    assert [step.name for step in later] == ["simulate[x=4]", "simulate[x=5]"]


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


def test_two_functions_of_one_name_name_both_files_and_lines(location: Path) -> None:
    source = "step alpha(x): return x\n\nalpha(1)\nstep alpha(x): return -x\n\nalpha(1)\n"

    with pytest.raises(DuplicateNameError, match=r"alpha") as caught:
        declared(location, source).initialize_schema()

    assert len(re.findall(r"script\.py\D+(?:[12]|[89])\b", str(caught.value))) == 2


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    calls = "simulate.map(range(12)); simulate(3, scale=2.0); analyse(1)"
    return executed(tmp_path_factory.mktemp("lookup") / "cache", SIMULATE + calls)


class TestLookup:
    """A name is taken exactly first, then as NAME with PARAM=VALUE, then as a glob, then as a prefix."""

    @pytest.fixture(params=["pipeline", "cache"])
    def source(self, request: pytest.FixtureRequest, pipeline: Pipeline) -> Pipeline | ezpyp.Cache:
        return pipeline if request.param == "pipeline" else ezpyp.open_cache(pipeline.schema_path.parent)

    @pytest.mark.parametrize(
        ("name", "parameters", "value"),
        [
            ("simulate[seed=1]", {}, 1.0),  # also a prefix
            ("simulate", {"seed": 7}, 7.0),
            ("simulate", {"seed": 3, "scale": 2.0}, 6.0),
            ("sim*[seed=9]", {}, 9.0),  # the brackets of a glob are literal
            ("*[seed=3,scale=*]", {}, 6.0),
            ("ana", {}, 1),
            ("simulate[seed=11", {}, 11.0),
        ],
    )
    def test_a_result_is_found(
        self, source: Pipeline | ezpyp.Cache, name: str, parameters: dict[str, object], value: object
    ) -> None:
        assert source.get_result(name, **parameters) == value
        assert source.get_status(name, **parameters) == 0

    def test_several_candidates_are_ten_and_the_count(self, source: Pipeline | ezpyp.Cache) -> None:
        with pytest.raises(UnknownStepError, match=r"\b13\b") as caught:
            source.get_result("simulate")

        assert str(caught.value).count("simulate[") == 10
        assert len(caught.value.candidates) == 10

    def test_parameters_that_fit_nothing(self, source: Pipeline | ezpyp.Cache) -> None:
        with pytest.raises(UnknownStepError, match="simulate"):
            source.get_result("simulate", seed=99)

    def test_by_a_step(self, pipeline: Pipeline) -> None:
        step = next(step for step in pipeline.steps if step.name == "simulate[seed=5]")
        assert isinstance(step, Step)
        assert pipeline.get_result(step) == step.get_result() == 5.0

    def test_by_a_parameter_of_any_name(self, location: Path) -> None:
        source = "as_pickle_step(pipeline, name='walk')(lambda step, name, self: step).grid([1, 2], [3], [4])"
        pipeline = executed(location, source)

        assert pipeline.get_result("walk", step=2) == 2
        assert pipeline.get_status("walk", step=2, name=3, self=4) == 0
        assert ezpyp.open_cache(location).get_result("walk", step=1, self=4) == 1
