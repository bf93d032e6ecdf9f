"""The schema's rule: what changes a location's promise by itself, and what is refused.

Every rerun is a new pipeline at the same location, as a rerun of an edited script would make.
"""

import re
from pathlib import Path

import pytest

import ezpyp
from ezpyp.errors import PipelineMismatchError

from .studies import BASE, BETA_4, LONE, conflict, revision
from .tools import Bodies, declared, edit, executed, snapshot


def test_the_same_script_records_no_revision(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    executed(location, BASE)

    assert revision(location) == 1
    assert bodies.take() == ["alpha", "beta", "gamma"]


def test_a_new_name_is_a_revision(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    bodies.take()

    executed(location, BASE + "as_pickle_step(pipeline, name='delta')(lambda g: ran('delta') or 2 * g)(step)\n")

    assert revision(location) == 2
    assert bodies.take() == ["delta"]


def test_a_name_left_out_is_a_revision_and_keeps_its_result(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    bodies.take()

    executed(location, edit(BASE, ("step = gamma(alpha(3), beta(2))", "alpha(3)")))

    assert revision(location) == 2
    assert bodies.take() == []
    assert ezpyp.open_cache(location).get_result("gamma", revision=1) == 9 / 8


def test_a_name_left_out_stays_bound(location: Path) -> None:
    executed(location, BASE)
    executed(location, edit(BASE, ("step = gamma(alpha(3), beta(2))", "alpha(3)")))

    error = conflict(location, BETA_4)

    assert set(error.changed) == {"beta", "gamma"}


def test_a_step_that_failed_may_change_its_meaning(location: Path, bodies: Bodies) -> None:
    broken = edit(BASE, ("return a / b", "return a / 0"))
    executed(location, broken)
    bodies.take()

    pipeline = executed(location, BASE)

    assert bodies.take() == ["gamma"]
    assert pipeline.get_result("gamma") == 9 / 8


def test_a_step_below_a_failed_one_may_change_its_meaning(location: Path, bodies: Bodies) -> None:
    executed(location, edit(BASE, ("return x ** 3", "return x / 0")))
    bodies.take()

    executed(location, edit(BASE, ("x ** 3", "x ** 4"), ("a / b", "a * b")))

    assert bodies.take() == ["beta", "gamma"]


def test_a_step_that_never_ran_may_change_its_meaning(location: Path) -> None:
    declared(location, BASE).initialize_schema()

    pipeline = executed(location, BETA_4)

    assert revision(location) == 2
    assert pipeline.get_result("beta") == 16


def test_an_undone_edit_is_no_conflict_and_all_cached(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    executed(location, BETA_4, revise=True)
    bodies.take()

    pipeline = executed(location, BASE)

    assert bodies.take() == []
    assert pipeline.get_result("gamma") == 9 / 8


def test_a_revised_meaning_may_come_back_too(location: Path, bodies: Bodies) -> None:
    for source, options in [(BASE, {}), (BETA_4, {"revise": True}), (BASE, {})]:
        executed(location, source, **options)
    bodies.take()

    executed(location, BETA_4)

    assert bodies.take() == []


def test_an_edited_constant_is_named_with_what_lies_below(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    bodies.take()

    error = conflict(location, BETA_4)

    assert set(error.changed) == {"beta", "gamma"}
    assert re.search(r"\bbeta\b.*\b3 -> 4\b", str(error))
    assert re.search(r"script\.py:1[0-3]\b", str(error))
    assert re.search(r"\bgamma\b.*\bupstream\b", str(error))
    assert not re.search(r"\balpha\b", str(error))
    assert bodies.take() == []


def test_a_conflict_says_the_price_and_every_way_on(location: Path) -> None:
    executed(location, BASE)

    message = str(conflict(location, BETA_4))

    assert re.search(r"\b2 step(s|\(s\)) would run again\b", message)
    assert re.search(r"\d ?(ms|s|seconds)\b", message)
    assert "revise=True" in message
    assert re.search(r"revise=\[['\"]beta['\"]\]", message)
    assert "EZPYP_REVISE" in message
    assert "location" in message


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("3", "4", r"\bx\b.*\b3 -> 4\b"),
        ("3", "3.0", r"\bx\b.*\b3 -> 3\.0(?!\d)"),
        ("3, 'fast'", "3, mode='slow'", r"\bmode\b.*'fast' -> '?'slow'"),
        ("[1, 2]", "[1, 2, 5]", r"\bx\b"),
    ],
)
def test_a_changed_argument_is_named_from_what_to_what(location: Path, before: str, after: str, said: str) -> None:
    executed(location, edit(LONE, ("{options}", ""), ("{arguments}", before)))

    error = conflict(location, edit(LONE, ("{options}", ""), ("{arguments}", after)))

    assert tuple(error.changed) == ("alpha",)
    assert re.search(said, str(error)), error


def test_an_argument_conflict_speaks_of_a_sweep(location: Path) -> None:
    executed(location, edit(LONE, ("{options}", ""), ("{arguments}", "3")))

    error = conflict(location, edit(LONE, ("{options}", ""), ("{arguments}", "4")))

    assert re.search(r"sweep|\.map\(", str(error))


def test_an_argument_conflict_with_steps_below_speaks_of_a_sweep(location: Path) -> None:
    executed(location, BASE)

    error = conflict(location, edit(BASE, ("alpha(3)", "alpha(4)")))

    assert set(error.changed) == {"alpha", "gamma"}
    assert re.search(r"sweep|\.map\(", str(error))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (", version=1", ", version=2"),
        ("", ", version=1"),
        ("", ", codec='numpy'"),
        ("", ", ignore=('mode',)"),
    ],
)
def test_a_changed_option_that_counts_in_the_key_is_a_conflict(location: Path, before: str, after: str) -> None:
    lone = edit(LONE, ("as_pickle_step", "as_step"), ("{arguments}", "3"))
    executed(location, edit(lone, ("{options}", before)))

    conflict(location, edit(lone, ("{options}", after)))


def test_an_order_only_dependency_counts(location: Path) -> None:
    source = """
    @as_pickle_step(pipeline)
    def prepare():
        return None

    prepared = prepare()

    @as_pickle_step(pipeline)
    def measure():
        return 1

    measure()
    """
    executed(location, source)
    later = edit(
        source,
        (
            "@as_pickle_step(pipeline)\n    def m",
            "@as_pickle_step(pipeline, depends_on=[prepared])\n    def m",
        ),
    )

    error = conflict(location, later)

    assert tuple(error.changed) == ("measure",)


def test_a_comment_a_docstring_and_a_moved_line_are_no_change(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    bodies.take()

    executed(location, "\n\n# a remark\n" + edit(BASE, ('ran("beta")', '"""Cube."""  # why\n    ran("beta")')))

    assert bodies.take() == []
    assert revision(location) == 1


@pytest.mark.parametrize("options", [{}, {"revise": True}, {"revise": ["alpha"]}], ids=str)
def test_another_pipeline_id_is_refused_always(location: Path, bodies: Bodies, options: dict[str, object]) -> None:
    executed(location, BASE)
    bodies.take()
    before = snapshot(location)

    with pytest.raises(PipelineMismatchError, match=r"study[^\0]*other|other[^\0]*study"):
        executed(location, BASE, pipeline_id="other", **options)

    assert bodies.take() == []
    assert snapshot(location) == before


def test_the_environment_does_not_let_another_pipeline_id_in(location: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    executed(location, BASE)
    monkeypatch.setenv("EZPYP_REVISE", "1")

    with pytest.raises(PipelineMismatchError, match="other"):
        executed(location, BASE, pipeline_id="other")
