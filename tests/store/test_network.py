"""On a simulated network file system everything is as ever; ``EZPYP_TEST_FILE_SYSTEM=network`` runs all tests so."""

import errno
import os
from pathlib import Path

import pytest

from ezpyp import Pipeline
from ezpyp.store import files as _new_file
from ezpyp.store.files import filesystem_of
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


def test_the_simulation_refuses_links_and_shows_names_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network(monkeypatch)
    assert _new_file.os is network
    assert filesystem_of(tmp_path).is_network
    network.mkdir(str(tmp_path / "new"), 0o755)

    with pytest.raises(FileNotFoundError):
        network.open(str(tmp_path / "new" / "file"), os.O_WRONLY | os.O_CREAT)
    os.close(network.open(str(tmp_path / "new" / "file"), os.O_WRONLY | os.O_CREAT))
    with pytest.raises(PermissionError) as caught:
        network.link(str(tmp_path / "new" / "file"), str(tmp_path / "new" / "other"))
    assert caught.value.errno == errno.EPERM
    network.rename(str(tmp_path / "new" / "file"), str(tmp_path / "new" / "other"))
    with pytest.raises(FileNotFoundError):
        network.open(str(tmp_path / "new" / "other"), os.O_RDONLY)
    os.close(network.open(str(tmp_path / "new" / "other"), os.O_RDONLY))
