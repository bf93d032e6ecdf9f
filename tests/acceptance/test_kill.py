"""kill -9 at random moments: each rerun is right, and no body runs again whose [PASS] was printed."""

import os
from pathlib import Path

import pytest

from .killing import Trial, repeated, trial

TIMES = 20 if os.environ.get("HYPOTHESIS_PROFILE") == "long" else 1


@pytest.mark.parametrize(
    ("ranks", "first_seed", "telling"),
    [pytest.param(1, 1, 4 * TIMES, id="serial"), pytest.param(4, 100, 3 * TIMES, id="4 ranks", marks=pytest.mark.mpi)],
)
def test_a_killed_run_loses_nothing_that_was_printed(tmp_path: Path, ranks: int, first_seed: int, telling: int) -> None:
    seen: list[Trial] = []
    while sum(one.is_telling for one in seen) < telling and len(seen) < 5 * telling:
        seed = first_seed + len(seen)
        (tmp_path / str(seed)).mkdir()
        seen.append(trial(seed, ranks, tmp_path / str(seed)))
        print(seen[-1])

    assert [one for one in seen if one.problems] == []
    assert sum(one.is_telling for one in seen) == telling


def test_the_trial_itself_sees_a_body_that_ran_again() -> None:
    assert repeated(["draw[seed=1]", "total"], {"draw[seed=1]"}) == ["draw[seed=1] ran again"]
    assert repeated(["total", "total"], set()) == ["total ran twice in a run"]
