"""A session that goes on: declare, execute, declare more, redefine, a conflict, a revision."""

import subprocess
import sys
from pathlib import Path

import pytest

from ezpyp import Pipeline
from ezpyp.errors import InitializationError
from tests.mpi import clean_environ

from .tools import Bodies, expanded, header, ran, traced

# Blocks end with an empty line, as they are typed.
SESSION = """
import sys
from ezpyp import Pipeline
from tests.acceptance.tools import ran
pipeline = Pipeline(LOCATION, "notebook")
step = pipeline.step

step alpha(x): return x ** 2

a = alpha(3)
_ = pipeline.execute()
ran(f"first {a.get_result()}")

step beta(value): return value + 1

b = beta(a)
_ = pipeline.execute()
ran(f"second {b.get_result()}")

step beta(value): return value + 2

b = beta(a)
_ = pipeline.execute()
ran(f"conflict {type(sys.last_value).__name__} {'revise' in str(sys.last_value)}")
ran(f"kept {pipeline.get_result('beta', revision=2)}")
_ = pipeline.execute(revise=True)
ran(f"third {b.get_result()} {pipeline.get_result('beta')}")

step alpha(x): return x ** 3

a = alpha(3)
b = beta(a)
_ = pipeline.execute(revise=True)
ran(f"fourth {a.get_result()} {b.get_result()}")

step alpha(x): return x ** 3

a = alpha(3)
b = beta(a)
_ = pipeline.execute()
ran(f"fifth {a.get_result()} {b.get_result()}")
"""


def test_an_interactive_session(tmp_path: Path, location: Path) -> None:
    """Redefining drops the older function's steps, and the schema's rule judges as ever."""
    trace = Bodies(tmp_path / "trace")

    session = subprocess.run(
        [sys.executable, "-i", "-q"],
        input=expanded(SESSION).replace("LOCATION", repr(str(location))),
        env=clean_environ(traced(trace.path)),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert trace.take() == [
        *("alpha", "first 9"),
        *("beta", "second 10"),
        *("conflict SchemaConflictError True", "kept 10"),
        *("beta", "third 11 11"),
        *("alpha", "beta", "fourth 27 29"),
        "fifth 27 29",
    ], session.stderr
    # The one traceback shown is the conflict's.
    assert session.stderr.count("Traceback (most recent call last)") == 1


def test_steps_declared_after_a_run_are_added_by_the_next_and_take_its_results(
    location: Path, bodies: Bodies, capfd: pytest.CaptureFixture[str]
) -> None:
    pipeline = Pipeline(location, "adaptive")

    @pipeline.step
    def evaluate(x: float) -> float:
        ran(f"evaluate {x}")
        return (x - 3) ** 2

    sweep = evaluate.map([0.0, 4.0])
    pipeline.execute()
    best = min(sweep, key=lambda step: step.get_result())
    refined = evaluate.map([2.5, 3.5])
    last = pipeline.step(lambda value: value + 1, name="last", depends_on=[best])(best)
    pipeline.execute()

    assert bodies.take() == ["evaluate 0.0", "evaluate 4.0", "evaluate 2.5", "evaluate 3.5"]
    assert best.name == "evaluate[x=4.0]"
    assert refined.results() == [0.25, 0.25]
    assert (last.get_result(), last.phase) == (2.0, 1)
    counts = header(capfd.readouterr().out)
    assert (counts["revision"], counts["steps"], counts["cached"], counts["to_run"]) == ("2", "5", "2", "3")


def test_nothing_is_added_between_freezing_and_the_end_of_the_run(location: Path) -> None:
    pipeline = Pipeline(location, "frozen")
    alpha = pipeline.step(abs, name="alpha")
    step = alpha(-1)
    pipeline.initialize_schema()

    with pytest.raises(InitializationError, match="execute"):
        alpha(-2)
    with pytest.raises(InitializationError, match="execute"):
        alpha.map([-2, -3])
    pipeline.execute()
    assert len(pipeline.steps) == 1
    later = alpha(-2)
    pipeline.execute()
    assert (step.get_result(), later.get_result()) == (1, 2)


def test_inside_a_running_step_a_decorated_function_is_the_plain_one(location: Path, bodies: Bodies) -> None:
    pipeline = Pipeline(location, "plain")

    def plain(x: int) -> int:
        ran(f"double {x}")
        return 2 * x

    double = pipeline.step(plain, name="double")
    step = pipeline.step(lambda x: double(double(x)), name="quadruple")(3)
    pipeline.execute()

    assert step.get_result() == 12
    assert bodies.take() == ["double 3", "double 6"]
    assert len(pipeline.steps) == 1
    assert double.function is plain
    assert (pipeline.rank, pipeline.size, pipeline.is_root) == (0, 1, True)
