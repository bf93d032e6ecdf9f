"""Whether a result names files: what is there at this moment counts."""

import os
from pathlib import Path

import pytest

from ezpyp.hashing.files import name_existing_files

FEW = ["x", b"y"]
MANY = [f"other{number}" for number in range(40)]
"""So many names are looked up in listings of their folders."""


@pytest.mark.parametrize("others", [[], FEW, MANY], ids=["alone", "few", "many"])
@pytest.mark.parametrize("name", ["data.one", "./data.one", "sub/data.one", ".", "sub", "sub/", "link"])
def test_every_kind_of_name(name, others):
    if name != ".":
        assert not name_existing_files([name, *others])
    Path("sub").mkdir()
    Path("data.one").touch()
    Path("sub/data.one").touch()
    Path("link").symlink_to("nowhere")

    assert name_existing_files([name, *others])
    assert name_existing_files([os.fsencode(name), *others])
    assert name_existing_files([str(Path(name).absolute()), *others])
    assert not name_existing_files([f"{name}z", "x/y", "", "a\0b", "z" * 300, "z" * 5000, *others])
