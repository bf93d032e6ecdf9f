"""Whether results name files: asked often, and never answered from a listing that may be old."""

import os
import time
from pathlib import Path

import pytest

from ezpyp.hashing import files as _files
from ezpyp.hashing.encode import cutoff_digest
from ezpyp.hashing.files import name_existing_files

NAMES = ["data.one", "other.one"]


@pytest.fixture(params=["fresh", "quiet"])
def quiet(request, monkeypatch):
    """In a folder that was changed a moment ago, and in one that was not."""
    if request.param == "quiet":
        monkeypatch.setattr(_files, "_FILES_RACY_NS", -(10**18))
    monkeypatch.setattr(_files, "_HERE", _files._Here())


@pytest.mark.usefixtures("quiet")
def test_file_that_appears_or_goes_is_noticed():
    for _ in range(3):
        assert not name_existing_files(NAMES)
        Path("data.one").touch()
        assert name_existing_files(NAMES)
        time.sleep(0.02)  # a tick of the file system's clock
        Path("data.one").unlink()
        time.sleep(0.02)


@pytest.mark.usefixtures("quiet")
@pytest.mark.parametrize("name", ["data.one", "./data.one", "sub/data.one", ".", "sub", "link"])
def test_every_kind_of_name(name):
    Path("sub").mkdir()
    Path("data.one").touch()
    Path("sub/data.one").touch()
    Path("link").symlink_to("nowhere")

    assert name_existing_files([name])
    assert name_existing_files([name, "x", b"y"])
    assert name_existing_files([os.fsencode(name), "x"])
    assert name_existing_files([str(Path(name).absolute()), "x"])
    assert not name_existing_files([f"{name}z", "x/y", "", "a\0b", "z" * 300, "z" * 5000])


@pytest.mark.usefixtures("quiet")
def test_another_folder_has_another_listing(tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    (tmp_path / "two" / "data.one").touch()

    for folder, expected in (("one", False), ("two", True), ("one", False)):
        os.chdir(tmp_path / folder)
        assert name_existing_files(NAMES) is expected


def test_quiet_folder_is_listed_once(monkeypatch):
    monkeypatch.setattr(_files, "_FILES_RACY_NS", -(10**18))
    monkeypatch.setattr(_files, "_HERE", _files._Here())
    listings = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listings.append(path) or scandir(path))
    monkeypatch.setattr(os.path, "lexists", None)

    assert all(cutoff_digest({"mean": 0.5, "label": f"x{i}"}) for i in range(9))
    assert listings == ["."]


def test_folder_that_changed_a_moment_ago_is_not_listed(monkeypatch):
    monkeypatch.setattr(_files, "_HERE", _files._Here())
    Path("some").touch()
    monkeypatch.setattr(os, "scandir", None)

    assert not name_existing_files(NAMES)


def test_large_folder_is_not_listed(monkeypatch):
    monkeypatch.setattr(_files, "_FILES_RACY_NS", -(10**18))
    monkeypatch.setattr(_files, "_MOST", 3)
    monkeypatch.setattr(_files, "_HERE", _files._Here())
    for number in range(5):
        Path(f"f{number}").touch()

    assert name_existing_files(["f4", "x"])
    assert not name_existing_files(NAMES)
