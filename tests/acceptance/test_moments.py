"""When things count: what changes between the call and the run is an error, what a step changes stays its own."""

from pathlib import Path

import numpy as np
import pytest

from ezpyp import Pipeline
from ezpyp.errors import ArgumentMutatedError, StateChangedError

from .tools import Bodies, executed

REFUSED = {
    "a list that a helper reads": (
        """
        TABLE = [1, 2]

        def helper(x):
            return TABLE[x]

        step alpha(x): return helper(x)

        alpha(1)
        pipeline.initialize_schema()
        TABLE.append(3)
        """,
        StateChangedError,
        r"'alpha' changed .*TABLE.*3",
    ),
    "a method of a class": (
        """
        class Model:
            def predict(self):
                return 1

        step alpha(): return Model().predict()

        alpha()
        pipeline.initialize_schema()
        Model.predict = lambda self: 2
        """,
        StateChangedError,
        r"'alpha' changed .*(predict|Model)",
    ),
    "a large array after freezing": (
        """
        import numpy as np
        field = np.zeros(100_000)

        step alpha(field, x=1): return field.sum()

        alpha(field)
        pipeline.initialize_schema()
        field[-1] = 1
        """,
        ArgumentMutatedError,
        r"argument field of 'alpha' .* was changed in place",
    ),
    "an attribute deep in an argument": (
        """
        from types import SimpleNamespace
        options = {"model": SimpleNamespace(rates=[0.1])}

        step alpha(options): return options

        alpha(options)
        options["model"].rates[0] = 0.2
        """,
        ArgumentMutatedError,
        r"argument options of 'alpha' .* was changed in place",
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_what_changes_between_the_call_and_the_run_is_named(location: Path, bodies: Bodies, what: str) -> None:
    source, error, said = REFUSED[what]

    with pytest.raises(error, match=said):
        executed(location, source)

    assert bodies.take() == []


@pytest.fixture
def pipeline(location: Path) -> Pipeline:
    return Pipeline(location, "own")


def test_arguments_and_defaults_that_a_step_changes_are_its_own(pipeline: Pipeline) -> None:
    values, table, field, large = [1], {"a": [1]}, np.zeros(3), np.zeros(500_000)

    @pipeline.step
    def change(n, values, table, field, large, seen=[]):  # noqa: B006 -- the trap that is tested
        for changed in (values, table["a"], seen):
            changed.append(n)
        field += n
        large += n
        return values, table, field.tolist(), float(large.sum()), seen

    parts = [change(n, values, table, field, large) for n in (5, 6)]
    pipeline.execute(output="none", check=True)

    own = [([1, n], {"a": [1, n]}, [n] * 3, n * 500_000.0, [n]) for n in (5, 6)]
    assert [part.get_result() for part in parts] == own
    assert (values, table, field.tolist(), large.sum()) == ([1], {"a": [1]}, [0] * 3, 0)


def test_results_that_consumers_and_the_caller_change_are_their_own(pipeline: Pipeline) -> None:
    made = pipeline.step(lambda: [1], name="made")()
    large = pipeline.step(np.zeros, name="large")(500_000)

    @pipeline.step
    def use(n, made, large):
        made.append(n)
        large += n
        return made, float(large.sum())

    parts = [use(n, made, large) for n in (5, 6)]
    pipeline.execute(output="none", check=True)
    made.get_result().append(2)
    later = pipeline.step(list, name="later")(made)
    pipeline.execute(output="none", check=True)

    assert [part.get_result() for part in parts] == [([1, n], n * 500_000.0) for n in (5, 6)]
    assert (made.get_result(), later.get_result(), large.get_result().sum()) == ([1], [1], 0)


def test_one_object_given_twice_is_one_and_one_handed_through_is_several(pipeline: Pipeline) -> None:
    values = [1]
    through = pipeline.step(lambda values: values, name="through")

    @pipeline.step
    def use(one, other, pair):
        one.append(2)
        return one is other, pair[0] is one, pair

    first = through(values)
    second, third = use(first, first, (values, [1])), through(first)
    whole = use(values, values, (values, [1]))
    pipeline.execute(output="none", check=True)

    assert (first.get_result(), third.get_result(), values) == ([1], [1], [1])
    assert second.get_result() == (True, False, ([1], [1]))
    assert whole.get_result() == (True, True, ([1, 2], [1]))
