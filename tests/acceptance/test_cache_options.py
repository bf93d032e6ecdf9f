"""What the decorators can be told: caching, versions, ignored arguments, order, codecs."""

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from ezpyp import Pipeline, as_cloudpickle_step, as_numpy_step, as_step

from .tools import Bodies, edit, executed, query, ran

CLOCK = """
from pathlib import Path

source = {source!r}

step(cache=False) download(): return open(source).read()
step parse(text): return len(text)
step report(size): return f"size {{size}}"

report(parse(download()))
"""
ORDERED = """
step first(): pass
step second(): pass

one = first()
two = second()

step(depends_on=[one, two]) third(): return 3

third()
"""


@pytest.mark.parametrize(
    ("texts", "last_ran", "last_report"),
    [
        (("one", "one"), "download", "size 3"),
        (("one", "three"), "download parse report", "size 5"),
        (("one", "two"), "download parse", "size 3"),
        (("one", "three", "one"), "download", "size 3"),
    ],
    ids=["unchanged", "changed", "changed and cut off", "a value that comes back"],
)
def test_what_an_uncached_step_gives_decides_what_runs_below(
    location: Path, tmp_path: Path, bodies: Bodies, texts: tuple[str, ...], last_ran: str, last_report: str
) -> None:
    source = tmp_path / "text"
    for text in texts:
        source.write_text(text)
        bodies.take()
        pipeline = executed(location, CLOCK.format(source=str(source)))

    assert bodies.take() == last_ran.split()
    assert pipeline.get_result("download") == texts[-1]
    assert pipeline.get_result("report") == last_report
    assert query(location, "SELECT count(*) FROM revisions") == [(1,)]


def test_depends_on_orders_steps_that_share_no_value_and_skips_below_a_failure(location: Path, bodies: Bodies) -> None:
    pipeline = executed(location, ORDERED)

    assert bodies.take() == ["first", "second", "third"]
    assert {step.name: step.phase for step in pipeline.steps} == {"first": 0, "second": 0, "third": 1}

    failing = executed(location.with_name("other"), edit(ORDERED, ("second(): pass", "second(): 1 / 0")))

    assert bodies.take() == ["first", "second"]
    assert failing.get_status("third") == 2


def test_results_of_each_codec_come_back_as_they_were(location: Path, capfd: pytest.CaptureFixture[str]) -> None:
    pipeline = Pipeline(location, "codecs")

    @as_numpy_step(pipeline)
    def field(rows: int) -> np.ndarray:
        return np.arange(rows * 3, dtype="<i2").reshape(rows, 3)

    adder = as_cloudpickle_step(pipeline, name="adder")(lambda n: lambda x: x + n)
    small, large, three = field(2), field(10_000), adder(3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pipeline.execute()

    for step, rows in [(small, 2), (large, 10_000)]:
        result = step.get_result()
        assert result.dtype == np.dtype("<i2")
        np.testing.assert_array_equal(result, np.arange(rows * 3).reshape(rows, 3))
        result[0, 0] = 5  # a consumer may change its copy ...
        assert step.get_result()[0, 0] == 0  # ... and nobody else sees it
    assert three.get_result()(4) == 7
    output = capfd.readouterr().out
    for title, name in [("Numpy", "field[rows=2]"), ("Cloudpickle", "adder")]:
        assert f"[Running component of phase 00] [Executing {title} Step Object '{name}']\n" in output


@pytest.mark.parametrize(
    ("codec", "value", "taken", "is_right"),
    [
        ("numpy", "{'a': 1}", "pickle", lambda result: result == {"a": 1}),
        ("pickle", "lambda x: -x", "cloudpickle", lambda result: result(5) == -5),
        ("numpy", "lambda x: -x", "cloudpickle", lambda result: result(5) == -5),
    ],
)
def test_a_codec_that_cannot_store_falls_back_with_a_warning_and_is_cached(
    location: Path, bodies: Bodies, codec: str, value: str, taken: str, is_right: Callable[[object], bool]
) -> None:
    source = f"as_step(pipeline, codec={codec!r}, name='alpha')(lambda: ran('alpha') or ({value}))()"

    with pytest.warns(UserWarning, match=rf"alpha[^\0]*{taken}"):
        executed(location, source)
    pipeline = executed(location, source)

    assert bodies.take() == ["alpha"]
    assert is_right(pipeline.get_result("alpha"))
    assert query(location, "SELECT codec FROM results") == [(taken,)]


def test_the_general_form_takes_every_option(location: Path, bodies: Bodies) -> None:
    pipeline = Pipeline(location, "general")
    first = as_step(pipeline, name="start")(lambda: ran("start"))()
    options = {"codec": "cloudpickle", "name": "all", "version": 2, "ignore": ("note",), "cache": True}
    step = as_step(pipeline, [first], **options)(lambda x, note="": ran("end") or x)(1, note="seen")  # type: ignore[arg-type]
    pipeline.execute()

    assert (step.name, step.phase, step.get_result()) == ("all", 1, 1)
    assert bodies.take() == ["start", "end"]
