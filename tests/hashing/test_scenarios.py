"""Never stale, never needless: every edit of the table, in fresh processes with other hash seeds."""

import subprocess
import sys

import pytest

import tests.hashing._edits_of_places  # noqa: F401  # importing it fills the table
from tests.hashing._edits import MUST, MUST_NOT
from tests.hashing._harness import ROOT, run, write
from tests.hashing._rules import RULES


class Runs:
    """Digests of every scenario in every way of running it; each way is one process that forks."""

    def __init__(self, folder):
        self.folder = folder
        self.known = {}
        self.scripts = {}
        for edit in (*MUST, *MUST_NOT):
            for side in ("before", "after"):
                name = f"{len(self.scripts):03}_{side}"
                self.scripts[edit.name, side] = write(folder / name, getattr(edit, side))

    def digests(self, way, edits, side, seed, *options, **job):
        """Return what all ``edits`` give when run in one way."""
        key = (way, side)
        if key not in self.known:
            jobs = [dict(job, script=self.scripts[edit.name, side]) for edit in edits]
            if way.startswith("rule off"):
                jobs = [dict(job, rule=edit.rule) for job, edit in zip(jobs, edits, strict=True)]
            numpy = way != "import" and any(edit.numpy for edit in edits)
            self.known[key] = dict(
                zip([edit.name for edit in edits], run(jobs, seed, *options, numpy=numpy), strict=True)
            )
        return self.known[key]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("edits"))


def named(edits):
    return [pytest.param(edit, id=edit.name) for edit in edits]


def digest(answer):
    assert "error" not in answer, answer.get("traceback", answer["error"])
    return answer["digest"]


def test_names_of_scenarios_are_unique_and_many():
    names = [edit.name for edit in (*MUST, *MUST_NOT)]
    assert len(set(names)) == len(names)
    assert len(MUST) >= 75
    assert len(MUST_NOT) >= 46


@pytest.mark.parametrize("edit", named(MUST))
def test_edit_that_can_change_the_result_changes_the_digest(runs, edit):
    before = runs.digests("plain", MUST, "before", 1)[edit.name]
    after = runs.digests("plain", MUST, "after", 2)[edit.name]
    assert digest(before) != digest(after)


@pytest.mark.parametrize("edit", named(MUST))
def test_digest_is_the_same_in_every_process(runs, edit):
    before = digest(runs.digests("plain", MUST, "before", 1)[edit.name])
    assert digest(runs.digests("other seed", MUST, "before", 3)[edit.name]) == before


@pytest.mark.parametrize("edit", named(MUST))
def test_edit_goes_unseen_when_its_rule_is_off(runs, edit):
    before = runs.digests("rule off", MUST, "before", 1)[edit.name]
    after = runs.digests("rule off", MUST, "after", 2)[edit.name]
    assert digest(before) == digest(after)


@pytest.mark.parametrize("edit", named(MUST[::4]))
def test_digest_is_the_same_under_a_debugger(runs, edit):
    before = digest(runs.digests("plain", MUST, "before", 1)[edit.name])
    assert digest(runs.digests("traced", MUST[::4], "before", 4, trace=True)[edit.name]) == before


LEFT_OUT = [edit for edit in MUST_NOT if edit.rule]


@pytest.mark.parametrize("edit", named(LEFT_OUT))
def test_edit_that_is_left_out_by_a_rule_is_seen_when_the_rule_is_off(runs, edit):
    before = runs.digests("rule off, harmless", LEFT_OUT, "before", 1)[edit.name]
    after = runs.digests("rule off, harmless", LEFT_OUT, "after", 2)[edit.name]
    assert digest(before) != digest(after)


@pytest.mark.parametrize("edit", named(MUST_NOT))
def test_edit_that_cannot_change_the_result_keeps_the_digest(runs, edit):
    before = runs.digests("harmless", MUST_NOT, "before", 1)[edit.name]
    after = runs.digests("harmless", MUST_NOT, "after", 2)[edit.name]
    assert digest(before) == digest(after)


@pytest.mark.parametrize("edit", named(MUST_NOT))
def test_harmless_edit_stays_harmless_when_imported(runs, edit):
    expected = digest(runs.digests("harmless", MUST_NOT, "before", 1)[edit.name])
    assert digest(runs.digests("imported", MUST_NOT, "after", 5, mode="import")[edit.name]) == expected


OBSERVED = MUST_NOT[::4]


@pytest.mark.parametrize("edit", named(OBSERVED))
def test_harmless_edit_stays_harmless_when_traced_or_measured(runs, edit):
    expected = digest(runs.digests("harmless", MUST_NOT, "before", 1)[edit.name])
    assert digest(runs.digests("traced too", OBSERVED, "after", 6, trace=True)[edit.name]) == expected
    assert digest(runs.digests("covered", OBSERVED, "after", 7, coverage=True)[edit.name]) == expected


def test_optimised_run_agrees_with_itself(runs):
    before = runs.digests("optimised", MUST_NOT, "before", 1, "-O")
    after = runs.digests("optimised", MUST_NOT, "after", 2, "-O")
    different = [edit.name for edit in MUST_NOT if digest(before[edit.name]) != digest(after[edit.name])]
    assert not different


def test_every_rule_is_tested():
    assert {rule for edit in (*MUST, *LEFT_OUT) for rule in edit.rule.split("+")} == set(RULES)


def test_forked_scripts_give_what_real_ones_give(runs, tmp_path):
    """The server runs scripts in forks; a few are run for real, to show that it makes no difference."""
    tail = "\nfrom ezpyp.hashing.code.identity import function_identity\nprint(function_identity(step).digest.hex())\n"
    for edit in MUST[40:140:25]:
        script = write(
            tmp_path / str(MUST.index(edit)), {n: t + tail * (n == "script.py") for n, t in edit.before.items()}
        )
        done = subprocess.run(
            [sys.executable, script],
            env={"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "9"},
            capture_output=True,
            text=True,
            cwd="/",
        )
        assert done.stdout.strip()[:32] == digest(runs.digests("plain", MUST, "before", 1)[edit.name])[:32], done.stderr
