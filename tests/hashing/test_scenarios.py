"""Never stale, never needless: every edit of the table, in fresh processes with other hash seeds."""

import subprocess
import sys

import pytest

import tests.hashing._edits_of_places  # noqa: F401  # importing it fills the table
from tests.hashing._edits import MUST, MUST_NOT
from tests.hashing._harness import ROOT, run, write
from tests.hashing._rules import RULES

LEFT_OUT = [edit for edit in MUST_NOT if edit.rule]
MUST_BE_SEEN = pytest.mark.parametrize("edit", [pytest.param(edit, id=edit.name) for edit in MUST])
MUST_GO_UNSEEN = pytest.mark.parametrize("edit", [pytest.param(edit, id=edit.name) for edit in MUST_NOT])


class Runs:
    """Digests of every scenario in every way of running it; each way is one process that forks."""

    def __init__(self, folder):
        self.known = {}
        self.scripts = {}
        for edit in (*MUST, *MUST_NOT):
            for side in ("before", "after"):
                name = f"{len(self.scripts):03}_{side}"
                self.scripts[edit.name, side] = write(folder / name, getattr(edit, side))

    def digest(self, edit, side, seed, *options, rule_is_off=False, **job):
        """Return the digest of one side of an edit, run in one way with all others of its kind."""
        edits = MUST if edit in MUST else LEFT_OUT if rule_is_off else MUST_NOT
        key = (edits is MUST, side, seed, options, rule_is_off, *job)
        if key not in self.known:
            jobs = [dict(job, script=self.scripts[each.name, side]) for each in edits]
            for each, rule in zip(jobs, edits, strict=True) if rule_is_off else ():
                each["rule"] = rule.rule
            numpy = "mode" not in job and any(each.numpy for each in edits)
            answers = run(jobs, seed, *options, numpy=numpy)
            self.known[key] = {each.name: answer for each, answer in zip(edits, answers, strict=True)}
        answer = self.known[key][edit.name]
        assert "error" not in answer, answer.get("traceback", answer["error"])
        return answer["digest"]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    return Runs(tmp_path_factory.mktemp("edits"))


def test_names_of_scenarios_are_unique_and_many():
    names = [edit.name for edit in (*MUST, *MUST_NOT)]
    assert len(set(names)) == len(names)
    assert len(MUST) >= 250
    assert len(MUST_NOT) >= 80


@MUST_BE_SEEN
def test_edit_that_can_change_the_result_changes_the_digest(runs, edit):
    assert runs.digest(edit, "before", 1) != runs.digest(edit, "after", 2)


@MUST_BE_SEEN
def test_digest_is_the_same_in_every_process_and_under_a_debugger(runs, edit):
    assert runs.digest(edit, "before", 3, trace=True) == runs.digest(edit, "before", 1)


@MUST_BE_SEEN
def test_edit_goes_unseen_when_its_rule_is_off(runs, edit):
    assert runs.digest(edit, "before", 1, rule_is_off=True) == runs.digest(edit, "after", 2, rule_is_off=True)


@pytest.mark.parametrize("edit", [pytest.param(edit, id=edit.name) for edit in LEFT_OUT])
def test_edit_that_is_left_out_by_a_rule_is_seen_when_the_rule_is_off(runs, edit):
    assert runs.digest(edit, "before", 1, rule_is_off=True) != runs.digest(edit, "after", 2, rule_is_off=True)


@MUST_GO_UNSEEN
def test_edit_that_cannot_change_the_result_keeps_the_digest(runs, edit):
    assert runs.digest(edit, "before", 1) == runs.digest(edit, "after", 2)


@MUST_GO_UNSEEN
@pytest.mark.parametrize("way", [{"mode": "import"}, {"trace": True}, {"coverage": True}], ids=" ".join)
def test_harmless_edit_stays_harmless_when_imported_traced_or_measured(runs, edit, way):
    assert runs.digest(edit, "after", 4, **way) == runs.digest(edit, "before", 1)


def test_optimised_run_agrees_with_itself(runs):
    for edit in MUST_NOT:
        assert runs.digest(edit, "before", 1, "-O") == runs.digest(edit, "after", 2, "-O"), edit.name


def test_every_rule_is_tested():
    assert {rule for edit in (*MUST, *LEFT_OUT) for rule in edit.rule.split("+")} == set(RULES)


def test_forked_scripts_give_what_real_ones_give(runs, tmp_path):
    """The server runs scripts in forks; a few are run for real, to show that it makes no difference."""
    tail = "\nfrom ezpyp.hashing.code.identity import function_identity\nprint(function_identity(step).digest.hex())\n"
    environ = {"PYTHONPATH": str(ROOT), "PYTHONHASHSEED": "9"}
    for edit in MUST[40:140:25]:
        files = {name: text + tail * (name == "script.py") for name, text in edit.before.items()}
        script = write(tmp_path / str(MUST.index(edit)), files)
        done = subprocess.run([sys.executable, script], env=environ, capture_output=True, text=True, cwd="/")
        assert done.stdout.strip()[:32] == runs.digest(edit, "before", 1)[:32], done.stderr
