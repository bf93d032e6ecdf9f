"""On a network file system the index has a rollback journal; everything else is as ever."""

import gc
from pathlib import Path

import pytest

from ezpyp import Pipeline
from ezpyp.pipeline import session as _root
from ezpyp.store.files import FileSystem

WAL = 2
"""Byte 18 of a database in WAL mode."""


def run(location: Path) -> list[object]:
    pipeline = Pipeline(location, "places")
    sweep = pipeline.step(abs).map([-1, -2, -3])
    pipeline.execute(output="none")
    return sweep.results()


def journal(location: Path) -> int:
    return (location / "ezpyp.sqlite").read_bytes()[18]


@pytest.mark.parametrize(("is_network", "is_wal"), [(False, True), (True, False)])
def test_journal_fits_the_file_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_network: bool, is_wal: bool
) -> None:
    monkeypatch.setattr(_root, "filesystem_of", lambda path: FileSystem("some", is_network))

    assert run(tmp_path) == [1, 2, 3]
    assert run(tmp_path) == [1, 2, 3]
    assert (journal(tmp_path) == WAL) is is_wal


def test_a_location_that_moves_to_a_network_file_system_changes_its_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path)
    gc.collect()  # a pipeline that is still alive may keep its connection, which forbids another journal
    monkeypatch.setattr(_root, "filesystem_of", lambda path: FileSystem("nfs4", True))

    assert run(tmp_path) == [1, 2, 3]
    assert journal(tmp_path) != WAL
