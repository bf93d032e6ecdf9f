"""kill -9 at random moments: each rerun is right, and no body runs again whose [PASS] was printed.

``python -m tests.acceptance.killing`` runs as many of these as one likes.
"""

from pathlib import Path

import pytest

from .killing import Trial, repeated, trial


def trials(folder: Path, ranks: int, first_seed: int, telling: int) -> list[Trial]:
    """Run trials until so many killed a run between its first line and its last; each is printed."""
    seen: list[Trial] = []
    while sum(one.is_telling for one in seen) < telling and len(seen) < 5 * telling:
        seed = first_seed + len(seen)
        (folder / str(seed)).mkdir()
        seen.append(trial(seed, ranks, folder / str(seed)))
        print(seen[-1])
    return seen


def test_a_killed_serial_run_loses_nothing_that_was_printed(tmp_path: Path) -> None:
    seen = trials(tmp_path, ranks=1, first_seed=1, telling=4)

    assert [one for one in seen if one.problems] == []
    assert sum(one.is_telling for one in seen) == 4


@pytest.mark.mpi
def test_a_killed_job_of_four_ranks_loses_nothing_that_was_printed(tmp_path: Path) -> None:
    seen = trials(tmp_path, ranks=4, first_seed=100, telling=3)

    assert [one for one in seen if one.problems] == []
    assert sum(one.is_telling for one in seen) == 3


def test_the_trial_itself_sees_a_body_that_ran_again() -> None:
    assert repeated(["draw[seed=1]", "total"], {"draw[seed=1]"}) == ["draw[seed=1] ran again"]
    assert repeated(["total", "total"], set()) == ["total ran twice in a run"]
