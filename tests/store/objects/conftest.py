"""One location on each kind of file system that clusters have."""

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ezpyp.store import files as _new_file
from ezpyp.store import objects as _objects
from ezpyp.store.codecs.encoded import Encoded, encode_result
from ezpyp.store.files import FileSystem
from ezpyp.store.objects import ObjectStore
from tests.store.objects.tools import VALUES, Late, refuse

LINK, OPEN = os.link, os.open
IS_NETWORK = os.environ.get("EZPYP_TEST_FILE_SYSTEM") == "network"
MODES = [
    "local",
    "network",
    "no links (EPERM)",
    "no links (ENOTSUP)",
    "answers lost (EEXIST)",
    "answers lost (EIO)",
    "late folders",
    "durable",
]


def lose_answer(code: int) -> Callable[[str, str], None]:
    """What NFS may do: link, lose the answer, and report a second attempt or nothing that makes sense."""

    def link(source: str, target: str) -> None:
        LINK(source, target)
        raise OSError(code, os.strerror(code))

    return link


@pytest.fixture(params=MODES)
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """One location on each kind of file system that clusters have."""
    mode = request.param
    if mode != "local":
        monkeypatch.setattr(_objects, "filesystem_of", lambda _: FileSystem("nfs4", mode != "durable" or IS_NETWORK))
    if mode.startswith("no links"):
        monkeypatch.setattr(os, "link", refuse(errno.EPERM if "EPERM" in mode else errno.ENOTSUP))
    if mode.startswith("answers lost"):
        monkeypatch.setattr(os, "link", lose_answer(errno.EIO if "EIO" in mode else errno.EEXIST))
    if mode == "late folders":
        monkeypatch.setattr(_new_file, "LATE_S", (0.0, 0.001, 0.001, 0.001, 0.001))
        monkeypatch.setattr(os, "link", Late(LINK))
        monkeypatch.setattr(os, "open", Late(OPEN))
    return ObjectStore(tmp_path, durable=mode == "durable")


@pytest.fixture
def local(tmp_path: Path) -> ObjectStore:
    return ObjectStore(tmp_path)


@pytest.fixture(params=VALUES)
def encoded(request: pytest.FixtureRequest) -> Encoded:
    return encode_result(VALUES[request.param], "pickle")
