"""Functions that become steps, and what they refuse."""

from types import SimpleNamespace

import pytest

from ezpyp.errors import (
    DeclarationError,
    DuplicateNameError,
    InitializationError,
    OptionError,
    UnhashableValueError,
    UnknownCodecError,
)
from ezpyp.steps import PlaceHolder, Sweep, as_numpy_step, as_pickle_step, as_step
from ezpyp.steps.function import RUNNING

from .tools import source, steps, study


def scale(x, factor=2, verbose=False):
    return x * factor


def test_calls_are_kept_in_order_of_declaration():
    pipeline = study()
    declare = as_step(pipeline)(scale)
    made = [declare(3), declare(1), declare(2)]
    assert pipeline.declarations.steps == made


def test_step_function_looks_like_the_function_it_was():
    declare = as_step(study())(scale)
    assert (declare.__name__, declare.function, declare.__ezpyp_function__) == ("scale", scale, scale)
    assert declare.place.endswith(f"test_declaring.py:{scale.__code__.co_firstlineno}")


def test_map_zips_and_grid_multiplies():
    declare = as_step(study())(scale)
    assert [step.values[:2] for step in declare.map([1, 2], factor=[3, 4])] == [(1, 3), (2, 4)]
    assert [step.values[:2] for step in declare.grid([1, 2], factor=[3, 4])] == [(1, 3), (1, 4), (2, 3), (2, 4)]
    assert isinstance(declare.map([1, 2])[1:], Sweep)
    assert isinstance(declare.map([]), Sweep)


@pytest.mark.parametrize("values", ["text", 3, steps(1)[0], None])
def test_map_and_grid_refuse_what_is_no_collection_of_values(values):
    declare = as_step(study())(scale)
    for declare_many in (declare.map, declare.grid):
        with pytest.raises(DeclarationError, match="take iterables of values"):
            declare_many(values)


def test_map_refuses_columns_of_different_lengths_and_declares_nothing():
    pipeline = study()
    with pytest.raises(DeclarationError, match="these have lengths 2, 3"):
        as_step(pipeline)(scale).map([1, 2], [1, 2, 3])
    assert pipeline.declarations.steps == []


def test_inside_a_running_step_it_is_the_plain_function():
    pipeline = study()
    declare = as_step(pipeline)(scale)
    with RUNNING:
        assert declare(3, factor=5) == 15
    assert pipeline.declarations.steps == []
    assert declare(3).values[0] == 3


def test_frozen_pipeline_takes_no_step():
    pipeline = study()
    declare = as_step(pipeline)(scale)
    declare(1)
    pipeline.declarations.frozen = True
    with pytest.raises(InitializationError, match="'scale' cannot become a step of pipeline 'study' now"):
        declare(2)
    assert len(pipeline.declarations.steps) == 1


def test_two_functions_of_one_name_are_refused_with_both_places():
    pipeline = study()
    as_step(pipeline)(scale)(1)
    with pytest.raises(DuplicateNameError, match=r"'scale': .*test_declaring\.py:\d+ and .*tools\.py:\d+"):
        as_step(pipeline, name="scale")(source)(1)


def test_one_definition_decorated_twice_is_one_function():
    pipeline = study()
    for x in range(2):
        as_step(pipeline)(scale)(x)
    assert len(pipeline.declarations.steps) == 2


def test_redefinition_by_hand_drops_the_steps_of_the_older_one_and_what_needs_them(monkeypatch):
    monkeypatch.setattr("ezpyp.steps.function.is_interactive", lambda: True)
    pipeline = study()
    old = as_step(pipeline, name="alpha")(source)(1)
    user = as_step(pipeline)(scale)(old)
    as_step(pipeline, depends_on=[user], name="last")(lambda: 1)()
    other = as_step(pipeline, name="other")(lambda: 1)()
    new = as_step(pipeline, name="alpha")(scale)(1)
    assert pipeline.declarations.steps == [other, new]


@pytest.mark.parametrize(
    "declare", [lambda p, step: as_step(p)(scale)([step]), lambda p, step: as_step(p, depends_on=[step])(scale)]
)
def test_step_of_another_pipeline_is_refused_as_argument_and_as_dependency(declare):
    with pytest.raises(DeclarationError, match="a step of pipeline 'study': pass its get_result"):
        declare(study("mine"), steps(1)[0])


def test_ignored_parameters_do_not_count():
    declare = as_step(study(), ignore=["verbose"])(scale)
    assert declare(1, verbose=(n for n in ())).encoding == declare(1, verbose=True).encoding == declare(1).encoding
    assert declare(1, factor=3).encoding != declare(1).encoding


def test_unhashable_argument_is_named_by_its_place_in_the_call():
    with pytest.raises(UnhashableValueError, match=r"kwargs\['factor'\]\['key'\]"):
        as_step(study())(scale)(1, factor={"key": (n for n in ())})


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"codec": "yaml"}, UnknownCodecError, "yaml"),
        ({"codec": ["pickle"]}, OptionError, "codec must be the name of a codec"),
        ({"version": 1.5}, OptionError, "version must be a string or a whole number"),
        ({"version": True}, OptionError, "version must be a string or a whole number, not True"),
        ({"cache": "no"}, OptionError, "cache must be True or False, not 'no'"),
        ({"name": "\ud800"}, OptionError, "name must be a string that is not empty and that UTF-8 can spell"),
        ({"ignore": [3]}, OptionError, "ignore takes names"),
        ({"ignore": ["verbos"]}, DeclarationError, r"names \['verbos'\], but its parameters are x, factor, verbose"),
        ({"depends_on": "alpha"}, DeclarationError, "depends_on takes a list of steps, not 'alpha'"),
        ({"depends_on": [3]}, DeclarationError, "depends_on takes steps, not 3"),
        ({"depends_on": [scale]}, DeclarationError, r"was given the function 'scale', not a step.*scale\(\.\.\.\)"),
        ({"depends_on": steps(1)[0]}, DeclarationError, "write depends_on=\\["),
    ],
)
def test_option_that_cannot_mean_anything_is_refused_at_once(options, error, message):
    with pytest.raises(error, match=message):
        as_step(study(), **options)(scale)


def test_depends_on_takes_steps_placeholders_and_collections_of_them():
    pipeline = study()
    declare = as_step(pipeline)(source)
    a, b, c, d = declare(1), declare(2), declare(3), declare(4)
    options = as_step(pipeline, depends_on=[a, PlaceHolder(b), [c], Sweep([d])])(scale).options
    assert options.depends_on == (a, b, c, d)


@pytest.mark.parametrize("decorator", [as_step, as_pickle_step, as_numpy_step])
def test_forgotten_pipeline_is_told_with_the_right_spelling(decorator):
    for call in (lambda: decorator(), lambda: decorator(scale)):
        with pytest.raises(DeclarationError, match=rf"write @{decorator.__name__}\(pipeline\)"):
            call()
    with pytest.raises(DeclarationError, match="the first argument must be a Pipeline, not"):
        decorator(SimpleNamespace())


@pytest.mark.parametrize("value", [3, "text", None])
def test_only_callables_become_steps(value):
    with pytest.raises(DeclarationError, match="only functions become steps"):
        as_step(study())(value)


def test_parameters_may_be_called_self():
    def keep(self, x=1):
        return self, x

    declare = as_step(study())(keep)
    assert declare(self=3).values == (3, 1)
    assert [step.values for step in declare.map(self=[1, 2])] == [(1, 1), (2, 1)]
    assert len(declare.grid(self=[1, 2], x=[3, 4])) == 4


def test_step_inside_an_object_is_refused_with_its_place():
    pipeline = study()
    declare = as_step(pipeline)(scale)
    inner = declare(1)
    for held in (PlaceHolder(inner), inner, [inner]):
        with pytest.raises(UnhashableValueError, match=r"args\[0\]\.part.* argument of its own, or in a list"):
            declare(SimpleNamespace(part=held))
    assert len(pipeline.declarations.steps) == 1
