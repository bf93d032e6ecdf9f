"""The way on from a conflict: a revision, whole or by name, from the script or the environment."""

from pathlib import Path

import pytest

import ezpyp

from .studies import ALPHA_4, BASE, BETA_4, conflict, revision
from .tools import Bodies, declared, edit, executed, header, query


@pytest.mark.parametrize("where", ["Pipeline", "initialize_schema", "execute", "EZPYP_REVISE"])
def test_revise_is_taken_at_every_door(
    location: Path, bodies: Bodies, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    executed(location, BASE)
    bodies.take()

    if where == "EZPYP_REVISE":
        monkeypatch.setenv("EZPYP_REVISE", "1")
    pipeline = declared(location, BETA_4, revise=where == "Pipeline")
    if where == "initialize_schema":
        pipeline.initialize_schema(revise=True)
    pipeline.execute(**({"revise": True} if where == "execute" else {}))

    assert bodies.take() == ["beta", "gamma"]
    assert pipeline.get_result("gamma") == 9 / 16


def test_a_revision_says_so_in_a_note(location: Path) -> None:
    executed(location, BASE)
    executed(location, BETA_4, revise=True)

    ((note,),) = query(location, "SELECT note FROM revisions WHERE revision = 2")
    assert "revised" in str(note)


def test_older_results_are_kept_and_asked_for_by_revision(location: Path) -> None:
    executed(location, BASE)
    pipeline = executed(location, BETA_4, revise=True)
    cache = ezpyp.open_cache(location)

    for source in (pipeline, cache):
        assert source.get_result("gamma", revision=1) == 9 / 8
        assert source.get_result("gamma", revision=2) == 9 / 16
        assert source.get_result("gamma") == 9 / 16
        assert source.get_result("alpha", revision=1) == source.get_result("alpha", revision=2) == 9


@pytest.mark.parametrize("names", [["beta"], ["alpha", "beta"], ["beta", "gamma"]])
def test_a_named_revision_takes_what_depends_on_it_along(location: Path, bodies: Bodies, names: list[str]) -> None:
    executed(location, BASE)
    bodies.take()

    executed(location, BETA_4, revise=names)

    assert bodies.take() == ["beta", "gamma"]


def test_a_named_revision_lets_nothing_else_change(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    bodies.take()

    error = conflict(location, edit(BETA_4, ("x ** 2", "x ** 5")), revise=["beta"])

    assert "alpha" in error.changed
    assert "beta" not in error.changed
    assert bodies.take() == []


def test_a_named_revision_lets_a_dependent_s_own_code_change(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    bodies.take()

    executed(location, edit(BETA_4, ("a / b", "a * b")), revise=["beta"])

    assert bodies.take() == ["beta", "gamma"]


@pytest.mark.parametrize("value", ["beta", "beta,gamma"])
def test_the_environment_takes_names(
    location: Path, bodies: Bodies, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    executed(location, BASE)
    bodies.take()
    monkeypatch.setenv("EZPYP_REVISE", value)

    executed(location, BETA_4)

    assert bodies.take() == ["beta", "gamma"]


@pytest.mark.parametrize(("value", "script"), [("0", BETA_4), ("beta", ALPHA_4)])
def test_the_environment_beats_the_script(
    location: Path, monkeypatch: pytest.MonkeyPatch, value: str, script: str
) -> None:
    executed(location, BASE)
    monkeypatch.setenv("EZPYP_REVISE", value)

    conflict(location, script, revise=True)


def test_another_location_needs_no_revision(location: Path, tmp_path: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    bodies.take()

    executed(tmp_path / "another", BETA_4)

    assert bodies.take() == ["alpha", "beta", "gamma"]


def test_revise_without_a_change_records_nothing(location: Path, bodies: Bodies) -> None:
    executed(location, BASE)
    bodies.take()

    executed(location, BASE, revise=True)

    assert revision(location) == 1
    assert bodies.take() == []


def test_the_header_tells_the_revision(location: Path, capfd: pytest.CaptureFixture[str]) -> None:
    executed(location, BASE)
    assert header(capfd.readouterr().out)["revision"] == "1"

    executed(location, BETA_4, revise=True)
    assert header(capfd.readouterr().out)["revision"] == "2"
