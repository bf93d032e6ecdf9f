"""What every test and every doctest stands on: a folder and an environment of its own."""

import os
from pathlib import Path

import hypothesis
import pytest

from tests.mpi import LAUNCHER_PREFIXES

hypothesis.settings.register_profile("short", deadline=None)
hypothesis.settings.register_profile("long", deadline=None, max_examples=10_000)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "short"))


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Relative paths, doctests' caches among them, land in a temporary folder."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """The suite gives the same answers in a batch job, and whatever the caller has set for ezpyp."""
    for name in list(os.environ):
        # EZPYP_TEST_MPIRUN and its like say how the suite itself is to be run.
        if name.startswith(LAUNCHER_PREFIXES) and not name.startswith("EZPYP_TEST_"):
            monkeypatch.delenv(name)
