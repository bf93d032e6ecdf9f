"""What runs again and what is refused when a script is edited: tables of runs at one location, each with its bodies.

Every rerun is a new pipeline at the same location, as a rerun of an edited script would make.
"""

import re
from dataclasses import dataclass, field
from pathlib import Path

import pytest

import ezpyp
from ezpyp.errors import PipelineMismatchError, SchemaConflictError

from .tools import Bodies, declared, edit, executed, expanded, header, query, snapshot

BASE = """
step alpha(x): return x ** 2
step beta(x): return x ** 3
step gamma(a, b): return a / b

whole = gamma(alpha(3), beta(2))
"""
BETA_4 = edit(BASE, ("x ** 3", "x ** 4"))
ALPHA_4 = edit(BASE, ("x ** 2", "x ** 4"))
DELTA = BASE + "as_pickle_step(pipeline, name='delta')(lambda g: ran('delta') or 2 * g)(whole)\n"
ALPHA_ALONE = edit(BASE, ("whole = gamma(alpha(3), beta(2))", "alpha(3)"))
GAMMA_FAILS = edit(BASE, ("a / b", "a / 0"))
BETA_FAILS = edit(BASE, ("return x ** 3", "return x / 0"))
MOVED = "\n\n# a remark\n" + edit(expanded(BASE), ('ran("beta")', '"""Cube."""  # why\n    ran("beta")'))
PREPARE = """
step prepare(): pass

prepared = prepare()

step(depends_on=[]) measure(): return 1

measure()
"""
ORDERED = """
step first(): pass
step second(): pass

one = first()
two = second()

step(depends_on=ORDER) third(): return 3

third()
"""
SWEEP = """
@as_pickle_step(pipeline)
def simulate(seed):
    ran(f"simulate {seed}")
    return seed ** 2

step total(parts, weight=1): return weight * sum(parts.values() if isinstance(parts, dict) else parts)

@as_pickle_step(pipeline)
def total_of(*parts):
    ran("total")
    return sum(parts)

step report(value): return -value
"""
FORMS = {
    "list": "whole = total([simulate(seed) for seed in SEEDS])",
    "tuple": "whole = total(tuple(simulate(seed) for seed in SEEDS))",
    "set": "whole = total({simulate(seed) for seed in SEEDS})",
    "dict": "whole = total({seed: simulate(seed) for seed in SEEDS})",
    "sweep": "whole = total(simulate.map(SEEDS))",
    "keyword": "whole = total(parts=[simulate(seed) for seed in SEEDS])",
    "star": "whole = total_of(*[simulate(seed) for seed in SEEDS])",
}


def sweep(*seeds: int, form: str = "list", below: bool = False) -> str:
    """A script that reduces a sweep over these seeds, perhaps with a step below the reduce."""
    return SWEEP + FORMS[form].replace("SEEDS", repr(seeds)) + ("\nreport(whole)" if below else "")


def weighted(seeds: str, weight: int) -> str:
    return SWEEP + f"total([simulate(seed) for seed in {seeds}], weight={weight})"


def lone(arguments: str, options: str = "") -> str:
    """A script of one call, with options of its decorator."""
    return f"""
@as_step(pipeline{options})
def alpha(x, mode="fast"):
    ran("alpha")
    return x

alpha({arguments})
"""


def ordered(order: str) -> str:
    return ORDERED.replace("ORDER", order)


@dataclass(frozen=True, slots=True)
class Run:
    """One run: a script, the bodies that run, and what is left; or the steps whose change is refused.

    ``said`` are patterns that stand in the refusal; ``env`` is EZPYP_REVISE.
    """

    source: str
    ran: str = ""
    revise: object = False
    env: str = ""
    revision: int | None = None
    results: dict[str, object] = field(default_factory=dict)
    refused: str = ""
    said: tuple[str, ...] = ()


FIRST = Run(BASE, "alpha, beta, gamma", revision=1)
THIRD = Run(ordered("[one, two]"), "first, second, third")
ANY = "*"
"""Some step is refused, whatever it is called."""

RULE = {
    "the same script": [FIRST, Run(BASE, revision=1)],
    "comments, docstrings and moved lines": [FIRST, Run(MOVED, revision=1)],
    "a new name": [FIRST, Run(DELTA, "delta", revision=2)],
    "a name left out stays bound": [FIRST, Run(ALPHA_ALONE), Run(BETA_4, refused="beta, gamma")],
    "a failed step is mended": [
        Run(GAMMA_FAILS, "alpha, beta, gamma"),
        Run(BASE, "gamma", results={"gamma": 9 / 8}),
    ],
    "a step below a failed one is changed": [
        Run(BETA_FAILS, "alpha, beta"),
        Run(edit(BETA_4, ("a / b", "a * b")), "beta, gamma"),
    ],
    "an edit is undone, and made again": [
        FIRST,
        Run(BETA_4, "beta, gamma", revise=True, revision=2),
        Run(BASE, results={"gamma": 9 / 8}),
        Run(BETA_4),
    ],
    "a constant is edited": [
        FIRST,
        Run(
            BETA_4,
            refused="beta, gamma",
            said=(
                r"\bbeta\b.*\b3 -> 4\b",
                r"script\.py:1[0-3]\b",
                r"\bgamma\b.*\bupstream\b",
                r"\b2 step(s|\(s\)) would run again\b",
                r"\d ?(ms|s|seconds)\b",
                r"revise=True",
                r"revise=\[['\"]beta['\"]\]",
                "EZPYP_REVISE",
                "another location",
            ),
        ),
    ],
    "an argument is edited, with steps below": [
        FIRST,
        Run(edit(BASE, ("alpha(3)", "alpha(4)")), refused="alpha, gamma", said=(r"sweep|\.map\(",)),
    ],
    **{
        f"alpha({before}) becomes alpha({after})": [
            Run(lone(before), "alpha"),
            Run(lone(after), refused="alpha", said=(said, r"sweep|\.map\(")),
        ]
        for before, after, said in (
            ("3", "4", r"\bx\b.*\b3 -> 4\b"),
            ("3", "3.0", r"\bx\b.*\b3 -> 3\.0(?!\d)"),
            ("3, 'fast'", "3, mode='slow'", r"\bmode\b.*'fast' -> '?'slow'"),
            ("[1, 2]", "[1, 2, 5]", r"\bx\b"),
        )
    },
    **{
        f"alpha(3) passed as alpha({form})": [Run(lone("3"), "alpha"), Run(lone(form))]
        for form in ("x=3", "3, 'fast'", "mode='fast', x=3")
    },
    **{
        f"options {before!r} become {after!r}": [
            Run(lone("3", before), "alpha"),
            Run(lone("3", after), refused="alpha"),
            Run(lone("3", after), "alpha", revise=True),
        ]
        for before, after in (
            (", version=1", ", version=2"),
            ("", ", version=1"),
            ("", ", codec='numpy'"),
            ("", ", ignore=('mode',)"),
        )
    },
    "a version stands beside the code, not instead of it": [
        Run(lone("3", ", version='a'"), "alpha"),
        Run(edit(lone("3", ", version='a'"), ("return x", "return x + 1")), refused="alpha"),
    ],
    **{
        f"an ignored argument: alpha({again})": [
            Run(lone("3", ", ignore=('mode',)"), "alpha"),
            Run(lone(again, ", ignore=('mode',)"), revision=1),
        ]
        for again in ("3, True", "3, mode=True", "x=3, mode=object()")
    },
    "depends_on in another order": [THIRD, Run(ordered("[two, one]"))],
    "depends_on names one less": [THIRD, Run(ordered("[one]"), "third", revise=True)],
    "depends_on is new": [
        Run(PREPARE, "measure, prepare"),
        Run(edit(PREPARE, ("depends_on=[]", "depends_on=[prepared]")), refused="measure"),
    ],
}
REVISE = {
    **{
        f"revise={names}": [FIRST, Run(BETA_4, "beta, gamma", revise=names, results={"gamma": 9 / 16})]
        for names in (True, ["beta"], ["alpha", "beta"], ["beta", "gamma"])
    },
    **{
        f"EZPYP_REVISE={names}": [FIRST, Run(BETA_4, "beta, gamma", env=names)] for names in ("1", "beta", "beta,gamma")
    },
    "revise of one lets nothing else change": [
        FIRST,
        Run(edit(BETA_4, ("x ** 2", "x ** 5")), revise=["beta"], refused="alpha"),
    ],
    "revise of one lets a dependent's own code change": [
        FIRST,
        Run(edit(BETA_4, ("a / b", "a * b")), "beta, gamma", revise=["beta"]),
    ],
    "the environment's no beats the script": [FIRST, Run(BETA_4, revise=True, env="0", refused="beta, gamma")],
    "the environment's names beat the script": [FIRST, Run(ALPHA_4, revise=True, env="beta", refused=ANY)],
    "revise without a change": [FIRST, Run(BASE, revise=True, revision=1)],
}
BELOW = sweep(1, 2, below=True)
GROWTH = {
    **{
        f"a {form} grows at its end, in the middle, and shrinks": [
            Run(sweep(1, 3, form=form), "simulate 1, simulate 3, total"),
            Run(sweep(1, 3, 4, form=form), "simulate 4, total"),
            Run(sweep(1, 2, 3, 4, form=form), "simulate 2, total", results={"tot": 30}),
            Run(sweep(1, 4, form=form), "total", results={"tot": 17}),
        ]
        for form in FORMS
    },
    "what lies below a grown reduce follows": [
        Run(BELOW, "report, simulate 1, simulate 2, total"),
        Run(sweep(1, 2, 3, below=True), "report, simulate 3, total", results={"report": -14}),
    ],
    **{
        f"a {form} in another order": [
            Run(sweep(1, 2, form=form), "simulate 1, simulate 2, total"),
            Run(sweep(2, 1, 3, form=form), refused="total_of" if form == "star" else "total"),
        ]
        for form in ("list", "tuple", "sweep", "star")
    },
    "another argument changed as well": [
        Run(weighted("[1, 2]", 1), "simulate 1, simulate 2, total"),
        Run(weighted("[1, 2, 3]", 2), refused="total", said=("weight",)),
    ],
    "the reduce's code changed as well": [
        Run(sweep(1, 2), "simulate 1, simulate 2, total"),
        Run(edit(sweep(1, 2, 3), ("weight * sum", "weight + sum")), refused="total"),
    ],
    "code below changed as well": [
        Run(BELOW, "report, simulate 1, simulate 2, total"),
        Run(edit(sweep(1, 2, 3, below=True), ("return -value", "return +value")), refused="report"),
    ],
    "a list of plain values grows": [
        Run(SWEEP + "total([1, 2])", "total"),
        Run(SWEEP + "total([1, 2, 3])", refused="total"),
    ],
}
STORIES = RULE | REVISE | GROWTH


def words(text: str) -> list[str]:
    return sorted(filter(None, text.split(", ")))


@pytest.mark.parametrize("name", STORIES)
def test_an_edit_runs_what_it_must_or_is_refused(
    location: Path, bodies: Bodies, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for run in STORIES[name]:
        monkeypatch.setenv("EZPYP_REVISE", run.env) if run.env else monkeypatch.delenv("EZPYP_REVISE", raising=False)
        if run.refused:
            refuse(location, run)
        else:
            accept(location, run)
        assert sorted(bodies.take()) == words(run.ran)


def refuse(location: Path, run: Run) -> None:
    """Execute a script that must be refused, with nothing written."""
    before = snapshot(location)
    with pytest.raises(SchemaConflictError, match="revise") as caught:
        executed(location, run.source, revise=run.revise)
    assert snapshot(location) == before
    assert caught.value.changed
    assert run.refused == ANY or sorted(caught.value.changed) == words(run.refused)
    for pattern in run.said:
        assert re.search(pattern, str(caught.value)), caught.value
    named = {line.split(":")[0].strip() for line in str(caught.value).splitlines()}
    assert run.refused == ANY or named.isdisjoint({"alpha", "beta"} - set(words(run.refused)))


def accept(location: Path, run: Run) -> None:
    pipeline = executed(location, run.source, revise=run.revise)
    for step, value in run.results.items():
        assert pipeline.get_result(step) == value
    if run.revision is not None:
        assert query(location, "SELECT max(revision) FROM revisions") == [(run.revision,)]


def test_a_step_that_never_ran_may_change_its_meaning(location: Path, bodies: Bodies) -> None:
    declared(location, BASE).initialize_schema()

    accept(location, Run(BETA_4, revision=2, results={"beta": 16}))


@pytest.mark.parametrize("where", ["Pipeline", "initialize_schema", "execute"])
def test_revise_is_taken_at_every_door(location: Path, bodies: Bodies, where: str) -> None:
    executed(location, BASE)
    bodies.take()

    pipeline = declared(location, BETA_4, revise=where == "Pipeline")
    if where == "initialize_schema":
        pipeline.initialize_schema(revise=True)
    pipeline.execute(**({"revise": True} if where == "execute" else {}))

    assert bodies.take() == ["beta", "gamma"]
    assert pipeline.get_result("gamma") == 9 / 16


def test_older_results_are_kept_and_asked_for_by_revision(location: Path, capfd: pytest.CaptureFixture[str]) -> None:
    executed(location, BASE)
    pipeline = executed(location, BETA_4, revise=True)

    for source in (pipeline, ezpyp.open_cache(location)):
        assert source.get_result("gamma", revision=1) == 9 / 8
        assert source.get_result("gamma", revision=2) == source.get_result("gamma") == 9 / 16
        assert source.get_result("alpha", revision=1) == source.get_result("alpha", revision=2) == 9
    ((note,),) = query(location, "SELECT note FROM revisions WHERE revision = 2")
    assert "revised" in str(note)
    assert header(capfd.readouterr().out)["revision"] == "2"
    executed(location, ALPHA_ALONE)
    # Results of names that were left out stay.
    assert ezpyp.open_cache(location).get_result("gamma", revision=1) == 9 / 8


@pytest.mark.parametrize("revise", [False, True, ["alpha"], "environment"], ids=str)
def test_another_pipeline_id_is_refused_always(
    location: Path, bodies: Bodies, monkeypatch: pytest.MonkeyPatch, revise: object
) -> None:
    executed(location, BASE)
    bodies.take()
    before = snapshot(location)
    if revise == "environment":
        monkeypatch.setenv("EZPYP_REVISE", "1")

    with pytest.raises(PipelineMismatchError, match=r"study[^\0]*other|other[^\0]*study"):
        executed(location, BASE, pipeline_id="other", revise=revise == "environment" or revise)

    assert bodies.take() == []
    assert snapshot(location) == before


def test_a_plan_runs_nothing(location: Path, bodies: Bodies) -> None:
    plan = declared(location, BASE).plan()

    assert [step.name for step in plan.to_run] == ["alpha", "beta", "gamma"]
    assert bodies.take() == []
    assert query(location, "SELECT (SELECT count(*) FROM results), (SELECT count(*) FROM runs)") == [(0, 0)]


def test_a_plan_says_what_the_run_does_and_why(location: Path, bodies: Bodies) -> None:
    executed(location, BETA_FAILS)
    bodies.take()
    pipeline = declared(location, BASE)

    plan = pipeline.plan()
    pipeline.execute()

    assert [step.name for step in plan.cached] == ["alpha"]
    assert bodies.take() == [step.name for step in plan.to_run] == ["beta", "gamma"]
    assert all(step.reason and step.reason in str(plan) for step in plan.to_run)
