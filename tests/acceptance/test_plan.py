"""The plan: what would run, and why, before anything runs."""

from pathlib import Path

from .studies import BASE
from .tools import Bodies, declared, edit, executed, query


def test_a_plan_runs_nothing(location: Path, bodies: Bodies) -> None:
    plan = declared(location, BASE).plan()

    assert [step.name for step in plan.to_run] == ["alpha", "beta", "gamma"]
    assert bodies.take() == []
    assert query(location, "SELECT count(*) FROM results") == [(0,)]
    assert query(location, "SELECT count(*) FROM runs") == [(0,)]


def test_a_plan_tells_what_is_cached_from_what_would_run(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    pipeline = declared(location, BASE + "as_pickle_step(pipeline, name='delta')(lambda g: g)(step)\n")

    plan = pipeline.plan()

    assert [step.name for step in plan.to_run] == ["delta"]
    assert {step.name for step in plan.cached} == {"alpha", "beta", "gamma"}


def test_a_plan_says_why_in_words(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    plan = declared(location, BASE + "as_pickle_step(pipeline, name='delta')(lambda g: g)(step)\n").plan()

    assert all(step.reason for step in plan.to_run)
    assert "delta" in str(plan)
    assert plan.to_run[0].reason in str(plan)


def test_a_plan_is_what_the_run_does(location: Path, bodies: Bodies) -> None:
    executed(location, edit(BASE, ("return x ** 3", "return x / 0")))
    bodies.take()
    pipeline = declared(location, BASE)

    plan = pipeline.plan()
    pipeline.execute()

    assert bodies.take() == [step.name for step in plan.to_run] == ["beta", "gamma"]
