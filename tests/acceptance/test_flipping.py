"""One byte or one file of a cache spoilt: every value is right or an error of ours, and a rerun mends it or says how.

``python -m tests.acceptance.flipping`` tries as many bytes as one likes.
"""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from ezpyp import Pipeline
from ezpyp.errors import EzpypError

from .flipping import VALUES, Spoil, asked, flips, template_in, trial, whole_files

SAMPLE = 200 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 20


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole cache, to be copied."""
    return template_in(tmp_path_factory.mktemp("flips"))


def test_a_flipped_byte_is_never_a_wrong_value(template: Path, tmp_path: Path) -> None:
    assert [problem for spoil in flips(template, SAMPLE, seed=7) for problem in trial(template, tmp_path, spoil)] == []


def test_a_file_spoilt_as_a_whole_is_never_a_wrong_value(template: Path, tmp_path: Path) -> None:
    assert [problem for spoil in whole_files(template) for problem in trial(template, tmp_path, spoil)] == []


GAMMA = "(SELECT id FROM steps WHERE name = 'gamma')"
GAMMAS = f"(SELECT result FROM step_rows WHERE step = {GAMMA})"


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE step_rows SET result = result + 1 WHERE step = {GAMMA}",
        f"UPDATE step_rows SET result = result - 1 WHERE step = {GAMMA}",
        f"UPDATE step_rows SET result = result + 100 WHERE step = {GAMMA}",
        f"UPDATE step_rows SET step = step + 100 WHERE step = {GAMMA}",
        f"UPDATE schema_changes SET present = 0 WHERE step = {GAMMA}",
        "UPDATE steps SET name = 'gamme' WHERE name = 'gamma'",
        "UPDATE steps SET key = x'00' WHERE name = 'gamma'",
        "UPDATE schema_changes SET revision = 2 WHERE step = 1",
        "UPDATE schema_changes SET revision = 9 WHERE step = 1",
        "UPDATE revisions SET revision = 0",
        "UPDATE revisions SET digest = x'00'",
        "UPDATE steps SET params = replace(params, '1', '2') WHERE name = 'alpha[x=1]'",
        "UPDATE steps SET params = '{{' WHERE name = 'alpha[x=1]'",
        "UPDATE steps SET args = '[7]', settings = 'x' WHERE name = 'alpha[x=1]'",
        f"UPDATE results SET codec_version = 9 WHERE id = {GAMMAS}",
        f"UPDATE results SET suffix = '.npy' WHERE id = {GAMMAS}",
        f"UPDATE results SET size = 9 WHERE id = {GAMMAS}",
    ],
)
def test_a_row_that_leads_elsewhere_is_no_wrong_value(template: Path, tmp_path: Path, statement: str) -> None:
    spoil = RowSpoil(statement)

    assert trial(template, tmp_path, spoil) == []  # type: ignore[arg-type]  # does what a Spoil does


class RowSpoil:
    """A row of the index changed."""

    def __init__(self, statement: str) -> None:
        self.statement = statement

    def __call__(self, location: Path) -> None:
        with closing(sqlite3.connect(location / "ezpyp.sqlite", isolation_level=None)) as connection:
            for table in ("steps", "schema_changes", "results", "revisions"):
                connection.execute(f"DROP TRIGGER {table}_no_update")  # a bad disk knows no triggers
            assert connection.execute(self.statement).rowcount > 0


def test_the_trial_itself_sees_a_wrong_value_and_a_foreign_error() -> None:
    wrong = asked(lambda name, **params: "wrong", complete=False)
    assert next(iter(wrong)) == "alpha[x=1]: a wrong value: 'wrong'"

    def fail(name: str, **params: int) -> object:
        raise ZeroDivisionError

    assert len(list(asked(fail, complete=False))) == len(VALUES) + 10


def test_the_trial_itself_sees_what_is_not_mended(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(self: Pipeline, name: object, **more: object) -> object:
        raise EzpypError("run the pipeline again")

    monkeypatch.setattr(Pipeline, "get_result", refuse)

    (problem,) = trial(template, tmp_path, Spoil("pipeline.summary", "delete"))
    assert "three reruns did not mend it" in problem
