"""``trust=True`` holds for everything of a location, large results too, in reading and in running."""

import os
from pathlib import Path

import pytest

import ezpyp
from ezpyp import Pipeline, open_cache
from ezpyp.errors import UntrustedCacheError

from .tools import declared

SOMEBODY = 54_321
STUDY = """
@as_pickle_step(pipeline)
def large(x):
    return bytes(100_000)

large(1)
"""


@pytest.fixture
def foreign(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache whose objects belong to somebody else."""
    location = tmp_path / "cache"
    declared(location, STUDY).execute(output="none")
    if os.geteuid() == 0:
        for path in (location / "objects").glob("*/*"):
            os.chown(path, SOMEBODY, -1)
    else:
        monkeypatch.setattr("ezpyp.store.trust.os.geteuid", lambda: SOMEBODY)
    return location


def extended(location: Path, *, trust: bool) -> Pipeline:
    """The study with one more step, which reads the large result."""
    pipeline = Pipeline(location, "study", trust=trust)

    @ezpyp.as_pickle_step(pipeline)
    def large(x: int) -> bytes:
        return bytes(100_000)

    @ezpyp.as_pickle_step(pipeline)
    def size(data: bytes) -> int:
        return len(data)

    size(large(1))
    return pipeline


def test_reading_takes_trust(foreign: Path) -> None:
    with pytest.raises(UntrustedCacheError, match="belongs to"):
        open_cache(foreign).get_result("large")
    assert open_cache(foreign, trust=True).get_result("large") == bytes(100_000)


def test_running_takes_trust(tmp_path: Path, foreign: Path) -> None:
    pipeline = extended(foreign, trust=True)
    pipeline.execute(output="none", check=True, revise=True)
    assert pipeline.get_result("size") == 100_000
