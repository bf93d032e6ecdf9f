"""The plan: what would run, and why, without running or writing anything but the schema."""

from pathlib import Path

from .studies import BASE
from .tools import Bodies, declared, edit, executed, query


def test_a_plan_runs_nothing(location: Path, bodies: Bodies) -> None:
    pipeline = declared(location, BASE)

    pipeline.plan()

    assert bodies.take() == []
    assert query(location, "SELECT count(*) FROM results") == [(0,)]


def test_a_plan_names_what_would_run(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    pipeline = declared(location, BASE + "as_pickle_step(pipeline, name='delta')(lambda g: g)(step)\n")

    text = str(pipeline.plan())

    assert "delta" in text
    assert "beta" not in text


def test_a_plan_is_what_the_run_does(location: Path, bodies: Bodies) -> None:
    executed(location, edit(BASE, ("return x ** 3", "return x / 0")))
    bodies.take()
    pipeline = declared(location, BASE)

    text = str(pipeline.plan())
    pipeline.execute()

    assert bodies.take() == ["beta", "gamma"]
    assert "beta" in text
    assert "gamma" in text
