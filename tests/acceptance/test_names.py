"""The names rule: how steps are called, when names settle, and how a name is looked up."""

import re
import warnings
from pathlib import Path

import pytest

import ezpyp
from ezpyp import Pipeline, Step, as_pickle_step
from ezpyp.errors import DuplicateNameError, InitializationError, UnknownStepError

from .tools import declared, executed

SIMULATE = """
@as_pickle_step(pipeline)
def simulate(seed, scale=1.0):
    return seed * scale

@as_pickle_step(pipeline)
def analyse(part, other=None):
    return part
"""


def names(location: Path, calls: str, source: str = SIMULATE) -> list[str]:
    """Freeze a script of these calls and give the names of its steps, sorted."""
    pipeline = declared(location, source + calls)
    pipeline.initialize_schema()
    return sorted(step.name for step in pipeline.steps)


def test_bare_call_made_once_has_the_function_s_name(location: Path) -> None:
    assert names(location, "simulate(3)") == ["simulate"]


@pytest.mark.parametrize(
    ("calls", "expected"),
    [
        ("simulate(2); simulate(3)", ["simulate[seed=2]", "simulate[seed=3]"]),
        ("simulate.map([3])", ["simulate[seed=3]"]),
        ("simulate.grid(seed=[3])", ["simulate[seed=3]"]),
        ("simulate(1); simulate(1, scale=2)", ["simulate[seed=1,scale=2]", "simulate[seed=1]"]),
        ("simulate(1); simulate(1, 1.5)", ["simulate[seed=1,scale=1.5]", "simulate[seed=1]"]),
        ("simulate(scale=1.5, seed=1); simulate(2)", ["simulate[seed=1,scale=1.5]", "simulate[seed=2]"]),
        ("simulate(-1); simulate(1e-300)", ["simulate[seed=-1]", "simulate[seed=1e-300]"]),
        ("simulate(1); simulate(1.0)", ["simulate[seed=1.0]", "simulate[seed=1]"]),
        ("simulate(True); simulate(None)", ["simulate[seed=None]", "simulate[seed=True]"]),
    ],
)
def test_parameters_that_differ_from_their_defaults_stand_in_brackets(
    location: Path, calls: str, expected: list[str]
) -> None:
    assert names(location, calls) == expected


def test_numpy_scalars_read_as_plain_numbers(location: Path) -> None:
    calls = "import numpy; simulate.map([numpy.float64(0.1), numpy.int32(7), numpy.float32(0.5)])"

    assert names(location, calls) == ["simulate[seed=0.1]", "simulate[seed=0.5]", "simulate[seed=7]"]


def test_short_strings_stand_in_the_name(location: Path) -> None:
    left, right = names(location, "simulate('left'); simulate('right')")

    assert re.fullmatch(r"simulate\[seed='?left'?\]", left)
    assert re.fullmatch(r"simulate\[seed='?right'?\]", right)


def test_a_step_as_an_argument_hands_its_own_label_down(location: Path) -> None:
    calls = "[analyse(simulate(seed)) for seed in (3, 4)]"

    assert names(location, calls) == [
        "analyse[seed=3]",
        "analyse[seed=4]",
        "simulate[seed=3]",
        "simulate[seed=4]",
    ]


def test_a_label_is_handed_down_along_a_chain(location: Path) -> None:
    source = SIMULATE + "\nbetween = as_pickle_step(pipeline, name='second')(lambda part: part)\n"
    calls = "[analyse(between(simulate(seed))) for seed in (3, 4)]"

    found = names(location, calls, source)

    assert {"second[seed=3]", "second[seed=4]", "analyse[seed=3]", "analyse[seed=4]"} < set(found)


def test_a_long_argument_becomes_sixteen_hex_of_a_digest(location: Path) -> None:
    found = names(location, "simulate(list(range(1000))); simulate(list(range(1001)))")

    assert len(set(found)) == 2
    assert all(re.fullmatch(r"simulate\[[0-9a-f]{16}\]", name) for name in found)


def test_an_array_as_an_argument_becomes_a_digest(location: Path) -> None:
    found = names(location, "import numpy; [simulate(numpy.arange(size)) for size in (0, 1, 2, 500)]")

    assert len(set(found)) == 4
    assert all(re.fullmatch(r"simulate\[[0-9a-f]{16}\]", name) for name in found)


def test_naming_never_runs_a_value_s_own_code(location: Path) -> None:
    source = (
        SIMULATE
        + """
class Touchy:
    def __init__(self, size):
        self.size = size

    def refuse(self, *args):
        raise RuntimeError("touched")

    __eq__ = __bool__ = __repr__ = __str__ = __len__ = __format__ = refuse
    __hash__ = object.__hash__

"""
    )
    found = names(location, "simulate(Touchy(1)); simulate(Touchy(2)); analyse(0, other=Touchy(1))", source)

    assert len(set(found)) == 3


def test_labels_that_would_be_equal_become_digests(location: Path) -> None:
    source = SIMULATE + "\nother = as_pickle_step(pipeline, name='other')(lambda seed: -seed)\n"
    calls = "for seed in (3, 4): analyse(simulate(seed)); analyse(other(seed))"

    found = [name for name in names(location, calls, source) if name.startswith("analyse")]

    assert len(set(found)) == 4
    assert all(re.search(r"[0-9a-f]{16}", name) for name in found)


def test_inserting_a_value_renames_nothing(location: Path, tmp_path: Path) -> None:
    calls = "sweep = simulate.map(VALUES); [analyse(step) for step in sweep]; analyse(list(sweep))"
    two = names(location, calls.replace("VALUES", "[1, 3]"))
    three = names(tmp_path / "other", calls.replace("VALUES", "[1, 2, 3]"))

    bracketed = {name for name in two if "seed=" in name}
    assert len(bracketed) == 4
    assert bracketed < set(three)


@pytest.mark.parametrize("old", ["return seed * scale", "return part"])
def test_an_edit_of_the_code_renames_nothing(location: Path, tmp_path: Path, old: str) -> None:
    calls = "sweep = simulate.map([1, 2]); analyse(simulate(list(range(1000)))); analyse(list(sweep))"

    before = names(location, calls)
    after = names(tmp_path / "other", calls, SIMULATE.replace(old, old + " + 1"))

    assert after == before


def test_an_edit_of_a_function_given_as_an_argument_renames_nothing(location: Path, tmp_path: Path) -> None:
    def of(power: int) -> str:
        return SIMULATE + f"def model(x): return x ** {power}\n" + "def other(x): return x\n"

    calls = "simulate(model); simulate(other)"

    assert names(location, calls, of(2)) == names(tmp_path / "other", calls, of(3))


@pytest.mark.parametrize("attribute", ["name", "key"])
def test_name_and_key_before_freezing_are_an_error(location: Path, attribute: str) -> None:
    pipeline = declared(location, SIMULATE + "simulate(3)")
    (step,) = pipeline.steps

    with pytest.raises(InitializationError, match=r"initialize_schema|execute"):
        getattr(step, attribute)


def test_a_settled_name_stays_and_later_calls_get_brackets(location: Path) -> None:
    pipeline = Pipeline(location, "study")

    @as_pickle_step(pipeline)
    def simulate(seed: int) -> int:
        return seed

    first = simulate(3)
    pipeline.execute()
    later = [simulate(4), simulate(5)]
    pipeline.execute()

    assert first.name == "simulate"
    assert [step.name for step in later] == ["simulate[seed=4]", "simulate[seed=5]"]


@pytest.mark.filterwarnings("ignore:.*are one step:UserWarning")
def test_the_same_call_made_twice_is_one_step(location: Path) -> None:
    pipeline = declared(location, SIMULATE + "simulate(3); simulate(seed=3); simulate(3, 1.0)")
    pipeline.initialize_schema()

    assert [step.name for step in pipeline.steps] == ["simulate"]
    assert [[step.name for step in phase] for phase in pipeline.phases] == [["simulate"]]


def test_the_same_call_made_a_hundred_times_is_said_once(location: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipeline = declared(location, SIMULATE + "for _ in range(100): simulate(3)")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        pipeline.execute()
        pipeline.execute()

    output = capfd.readouterr()
    said = [output.out, output.err, *(str(warning.message) for warning in caught)]
    text = "100 calls of simulate are one step (same arguments); for replicates pass a seed"
    assert sum(words.count(text) for words in said) == 1


def test_two_functions_of_one_name_name_both_files_and_lines(location: Path) -> None:
    source = """
    @as_pickle_step(pipeline)
    def alpha(x):
        return x

    alpha(1)

    @as_pickle_step(pipeline)
    def alpha(x):
        return -x

    alpha(1)
    """

    with pytest.raises(DuplicateNameError, match=r"alpha") as caught:
        declared(location, source).initialize_schema()

    assert len(re.findall(r"script\.py\D+(?:[23]|[89])\b", str(caught.value))) == 2


def test_the_name_option_names_the_steps(location: Path) -> None:
    source = """
    def square(x):
        return x * x

    as_pickle_step(pipeline, name="first")(square)(1)
    more = as_pickle_step(pipeline, name="second")(square)
    more(1); more(2)
    """

    assert names(location, "", source) == ["first", "second[x=1]", "second[x=2]"]


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    calls = "simulate.map(range(12)); simulate(3, scale=2.0); analyse(1)"
    return executed(tmp_path_factory.mktemp("lookup") / "cache", SIMULATE + calls)


class TestLookup:
    """A name is taken exactly first, then as NAME with PARAM=VALUE, then as a glob, then as a prefix."""

    def test_exactly(self, pipeline: Pipeline) -> None:
        assert pipeline.get_result("simulate[seed=1]") == 1.0

    def test_exactly_where_it_is_also_a_prefix(self, pipeline: Pipeline) -> None:
        assert pipeline.get_result("simulate[seed=3]") == 3.0

    def test_by_parameters(self, pipeline: Pipeline) -> None:
        assert pipeline.get_result("simulate", seed=7) == 7.0
        assert pipeline.get_result("simulate", seed=3, scale=2.0) == 6.0

    def test_by_a_parameter_of_any_name(self, location: Path) -> None:
        source = "as_pickle_step(pipeline, name='walk')(lambda step, name, self: step).grid([1, 2], [3], [4])"
        pipeline = executed(location, source)

        assert pipeline.get_result("walk", step=2) == 2
        assert pipeline.get_status("walk", step=2, name=3, self=4) == 0
        assert ezpyp.open_cache(location).get_result("walk", step=1, self=4) == 1

    def test_by_a_glob_whose_brackets_are_literal(self, pipeline: Pipeline) -> None:
        assert pipeline.get_result("sim*[seed=9]") == 9.0
        assert pipeline.get_result("*[seed=3,scale=*]") == 6.0

    def test_by_a_prefix(self, pipeline: Pipeline) -> None:
        assert pipeline.get_result("ana") == 1
        assert pipeline.get_result("simulate[seed=11") == 11.0

    def test_by_a_step(self, pipeline: Pipeline) -> None:
        step = next(step for step in pipeline.steps if step.name == "simulate[seed=5]")
        assert isinstance(step, Step)
        assert pipeline.get_result(step) == step.get_result() == 5.0

    def test_status_is_looked_up_alike(self, pipeline: Pipeline) -> None:
        assert pipeline.get_status("simulate", seed=7) == 0

    def test_several_candidates_are_ten_and_the_count(self, pipeline: Pipeline) -> None:
        with pytest.raises(UnknownStepError, match=r"\b13\b") as caught:
            pipeline.get_result("simulate")

        assert str(caught.value).count("simulate[") == 10
        assert len(caught.value.candidates) == 10

    def test_parameters_that_fit_nothing(self, pipeline: Pipeline) -> None:
        with pytest.raises(UnknownStepError, match="simulate"):
            pipeline.get_result("simulate", seed=99)

    def test_a_cache_looks_up_alike(self, pipeline: Pipeline) -> None:
        cache = ezpyp.open_cache(pipeline.schema_path.parent)

        assert cache.get_result("simulate", seed=3, scale=2.0) == 6.0
        assert cache.get_result("*[seed=3,scale=*]") == 6.0
        assert cache.get_result("ana") == 1
        with pytest.raises(UnknownStepError, match=r"\b13\b"):
            cache.get_result("simulate")
