"""What the system refuses, or does by halves."""

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from ezpyp.errors import DamagedResultError, StoreError
from ezpyp.store import files as _new_file
from ezpyp.store import objects as _objects
from ezpyp.store.codecs.encoded import Encoded, encode_result
from ezpyp.store.files import FileSystem
from ezpyp.store.objects import ObjectStore
from tests.store.objects.tools import SMALL, Late, content, files, opened, path_of, refuse

OPEN = os.open


@pytest.mark.parametrize("at_most", [1, 7, 1000])
def test_a_system_that_writes_a_little_at_a_time_is_fine(
    local: ObjectStore, monkeypatch: pytest.MonkeyPatch, at_most: int
) -> None:
    encoded = encode_result([np.arange(3000), np.arange(5000), "x"], "pickle")
    write = os.write
    monkeypatch.setattr(os, "writev", lambda fd, views: write(fd, b"".join(views)[:at_most]))

    local.publish(encoded)

    assert opened(local, encoded) == content(encoded)


def test_a_system_that_reads_a_little_at_a_time_is_fine(local: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    encoded = encode_result(list(range(1000)), "pickle")
    local.publish(encoded)
    read = os.readv
    monkeypatch.setattr(os, "readv", lambda fd, views: read(fd, [views[0][:7]]))

    assert opened(local, encoded) == content(encoded)


def test_pieces_are_written_in_portions_of_bounded_size_and_number() -> None:
    pieces = [bytes(10)] * 2500 + [bytes(150 * 1024 * 1024)]

    batches = list(_new_file._batches(pieces))

    assert all(len(batch) <= 1000 and sum(map(len, batch)) <= 64 * 1024 * 1024 for batch in batches)
    assert sum(len(view) for batch in batches for view in batch) == sum(map(len, pieces))


@pytest.mark.parametrize(
    ("call", "code", "advice"),
    [
        ("writev", errno.ENOSPC, "make room"),
        ("writev", errno.EDQUOT, "quota"),
        ("writev", errno.EIO, "earlier results are intact"),
        ("close", errno.ENOSPC, "make room"),
        ("link", errno.ENOSPC, "make room"),
        ("open", errno.EROFS, "read-only"),
        ("open", errno.EACCES, "may not write"),
        ("open", errno.EMFILE, "ulimit"),
        ("open", errno.ENOSPC, "inodes"),
    ],
)
def test_what_the_system_refuses_is_told_and_leaves_nothing(
    local: ObjectStore,
    encoded: Encoded,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    call: str,
    code: int,
    advice: str,
) -> None:
    local.publish(encode_result("another", "pickle"))
    before = files(tmp_path)
    _ = local._filesystem
    monkeypatch.setattr(os, call, refuse(code))

    with pytest.raises(StoreError, match=rf"bytes cannot be stored .*{os.strerror(code)}; .*{advice}"):
        local.publish(encoded)

    monkeypatch.undo()
    assert files(tmp_path) == before
    local.publish(encoded)
    assert opened(local, encoded) == content(encoded)


def test_a_location_that_was_removed_is_not_made_again(
    local: ObjectStore, encoded: Encoded, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_new_file, "LATE_S", (0.0, 0.001))
    local.publish(encode_result("another", "pickle"))
    shutil.rmtree(tmp_path)

    with pytest.raises(StoreError, match="location was removed"):
        local.publish(encoded)

    assert not tmp_path.exists()


def test_a_file_in_the_place_of_a_folder_is_told(local: ObjectStore, tmp_path: Path) -> None:
    encoded = encode_result(SMALL, "pickle")
    (tmp_path / "objects").mkdir()
    path_of(local, encoded).parent.touch()

    with pytest.raises(StoreError, match="a file stands where a folder should be"):
        local.publish(encoded)
    with pytest.raises(DamagedResultError, match="not there"):
        opened(local, encoded)


def test_what_may_not_be_read_is_no_damage(
    local: ObjectStore, encoded: Encoded, monkeypatch: pytest.MonkeyPatch
) -> None:
    local.publish(encoded)
    monkeypatch.setattr(os, "open", refuse(errno.EACCES))

    with pytest.raises(StoreError, match="cannot be opened: Permission denied") as caught:
        opened(local, encoded)

    assert not isinstance(caught.value, DamagedResultError)


def test_an_object_that_arrives_late_on_a_network_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded = encode_result(SMALL, "pickle")
    ObjectStore(tmp_path).publish(encoded)
    monkeypatch.setattr(_objects, "filesystem_of", lambda _: FileSystem("nfs4", is_network=True))
    monkeypatch.setattr(_objects, "LATE_S", (0.0, 0.001, 0.001))
    monkeypatch.setattr(os, "open", Late(OPEN))

    assert opened(ObjectStore(tmp_path), encoded) == content(encoded)
