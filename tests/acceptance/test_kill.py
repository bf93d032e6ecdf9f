"""kill -9 at random moments: each rerun is right, and no body runs again whose [PASS] was printed.

``python -m tests.acceptance.killing`` runs as many of these as one likes.
"""

from pathlib import Path

import pytest

from .killing import repeated, trial


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_a_killed_serial_run_loses_nothing_that_was_printed(seed: int, tmp_path: Path) -> None:
    seen = trial(seed, 1, tmp_path)

    print(seen)
    assert seen.problems == ()


@pytest.mark.mpi
@pytest.mark.parametrize("seed", [11, 12, 13])
def test_a_killed_job_of_four_ranks_loses_nothing_that_was_printed(seed: int, tmp_path: Path) -> None:
    seen = trial(seed, 4, tmp_path)

    print(seen)
    assert seen.problems == ()


def test_the_trial_itself_sees_a_body_that_ran_again() -> None:
    assert repeated(["draw[seed=1]", "total"], {"draw[seed=1]"}) == ["draw[seed=1] ran again"]
    assert repeated(["total", "total"], set()) == ["total ran twice in a run"]
