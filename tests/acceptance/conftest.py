"""Fixtures of the acceptance tests."""

import os
from pathlib import Path

import pytest

from .tools import Bodies


@pytest.fixture(autouse=True)
def _no_options_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away every option of ezpyp that the caller's environment sets, but those of `tests.mpi`."""
    for name in list(os.environ):
        if name.startswith("EZPYP_") and not name.startswith("EZPYP_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture
def location(tmp_path: Path) -> Path:
    """A folder for a pipeline, not made yet."""
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def bodies(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bodies:
    """The bodies that note themselves with `ran`."""
    path = tmp_path / "trace"
    monkeypatch.setenv("TRACE_FILE", str(path))
    return Bodies(path)
