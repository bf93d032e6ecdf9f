"""Early cutoff: what runs after an edit upstream, as pairs of scripts in processes of their own."""

from pathlib import Path

import pytest

from .cutoffs import SCENARIOS, Scenario
from .forks import Ended, run_scripts

NAMED = [pytest.param(found, id=found.name) for found in SCENARIOS]


def after_edits(folder: Path, *, rules: bool) -> dict[str, list[str]]:
    """The bodies that each edited script runs, all rules on, or the scenario's own one off."""
    scripts = [folder / str(number) / "script.py" for number in range(len(SCENARIOS))]
    for script, found in zip(scripts, SCENARIOS, strict=True):
        script.parent.mkdir()
        script.write_text(found.script if rules else found.off + found.script)
    checked(run_scripts(scripts, seed=1))
    for script, found in zip(scripts, SCENARIOS, strict=True):
        script.write_text(script.read_text().replace(found.old, found.new))
    after = checked(run_scripts(scripts, seed=2))
    return {found.name: ended.words for found, ended in zip(SCENARIOS, after, strict=True)}


def checked(all_ended: list[Ended]) -> list[Ended]:
    for ended, found in zip(all_ended, SCENARIOS, strict=True):
        assert ended.code == 0, f"{found.name}: {ended.output}"
    return all_ended


@pytest.fixture(scope="module")
def with_rules(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return after_edits(tmp_path_factory.mktemp("on"), rules=True)


@pytest.fixture(scope="module")
def without_rule(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    return after_edits(tmp_path_factory.mktemp("off"), rules=False)


def test_names_of_scenarios_are_unique() -> None:
    assert len({found.name for found in SCENARIOS}) == len(SCENARIOS)


@pytest.mark.parametrize("found", NAMED)
def test_an_edit_runs_what_it_must_and_nothing_else(found: Scenario, with_rules: dict[str, list[str]]) -> None:
    assert with_rules[found.name] == found.runs.split()


@pytest.mark.parametrize("found", NAMED)
def test_without_its_rule_other_bodies_would_run(found: Scenario, without_rule: dict[str, list[str]]) -> None:
    assert without_rule[found.name] != found.runs.split()
