"""On a network file system a rank transfers a large result once, however many of its steps read it."""

import os
from pathlib import Path

import pytest

from ezpyp.errors import DamagedResultError
from ezpyp.store import objects as _last_read
from ezpyp.store import objects as _objects
from ezpyp.store.encoded import Encoded, encode_result
from ezpyp.store.filesystem import FileSystem
from ezpyp.store.objects import ObjectStore
from tests.store.objects.tools import LARGE, content, flip, opened, path_of


@pytest.fixture
def rank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ObjectStore:
    """The store as a rank of a job has it, on a network file system."""
    monkeypatch.setattr(_objects, "filesystem_of", lambda _: FileSystem("nfs4", True))
    return ObjectStore(tmp_path, keeps_last=True)


@pytest.fixture
def transferred(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of bytes that were taken from files."""
    counts: list[int] = []
    sendfile = os.sendfile

    def count(target: int, source: int, offset: int, most: int) -> int:
        counts.append(sendfile(target, source, offset, most))
        return counts[-1]

    monkeypatch.setattr(os, "sendfile", count)
    return counts


def stored(store: ObjectStore, value: object = LARGE) -> Encoded:
    encoded = encode_result(value, "pickle")
    store.publish(encoded)
    return encoded


def test_a_thousand_readers_transfer_it_once(rank: ObjectStore, transferred: list[int]) -> None:
    encoded = stored(rank)

    assert all(len(opened(rank, encoded)) == encoded.size for _ in range(1000))
    assert sum(transferred) == encoded.size
    assert bytes(opened(rank, encoded)) == content(encoded)


def test_what_one_reader_changes_no_other_sees(rank: ObjectStore) -> None:
    encoded = stored(rank)
    opened(rank, encoded)[:] = bytes(encoded.size)

    assert bytes(opened(rank, encoded)) == content(encoded)


def test_what_is_damaged_is_not_kept(rank: ObjectStore) -> None:
    encoded = stored(rank)
    right = path_of(rank, encoded).read_bytes()
    flip(path_of(rank, encoded))
    for _ in range(2):
        with pytest.raises(DamagedResultError):
            opened(rank, encoded)

    path_of(rank, encoded).unlink()
    path_of(rank, encoded).write_bytes(right)
    assert bytes(opened(rank, encoded)) == content(encoded)


def test_one_is_kept_at_most(rank: ObjectStore, transferred: list[int]) -> None:
    one, other = stored(rank), stored(rank, LARGE + 1)
    before = len(os.listdir("/proc/self/fd"))
    for encoded in (one, other, other, one):
        assert bytes(opened(rank, encoded)) == content(encoded)

    assert sum(transferred) == 2 * one.size + other.size
    assert len(os.listdir("/proc/self/fd")) <= before + 1


def test_what_is_gone_is_missed_though_a_copy_is_kept(rank: ObjectStore) -> None:
    encoded = stored(rank)
    opened(rank, encoded)
    path_of(rank, encoded).unlink()

    with pytest.raises(DamagedResultError):
        opened(rank, encoded)


def test_without_files_in_memory_each_reader_gets_a_copy(
    rank: ObjectStore, transferred: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systems other than Linux have none."""
    monkeypatch.delattr(_last_read.os, "memfd_create")
    encoded = stored(rank)

    assert bytes(opened(rank, encoded)) == content(encoded)
    assert not transferred
