"""On a simulated network file system everything is as ever; ``EZPYP_TEST_FILE_SYSTEM=network`` runs all tests so."""

from pathlib import Path

import pytest

from ezpyp import Pipeline
from tests.store.network import Network

WAL = 2
"""Byte 18 of a database in WAL mode."""


def results(location: Path) -> list[object]:
    pipeline = Pipeline(location, "network")
    sweep = pipeline.step(bytes)(1), pipeline.step(bytes, name="large")(2_000_000)
    pipeline.execute(output="none")
    return [step.get_result() for step in sweep]


def test_a_pipeline_runs_and_is_cached_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Network(monkeypatch)

    for _ in range(2):
        assert results(tmp_path / "cache") == [bytes(1), bytes(2_000_000)]

    assert (tmp_path / "cache" / "ezpyp.sqlite").read_bytes()[18] != WAL
    (folder,) = (tmp_path / "cache" / "objects").iterdir()
    assert [path.suffix for path in folder.iterdir()] == [".pickle"]
