"""Objects come back, whole, from every kind of file system."""

import contextlib
import errno
import mmap
import os
import resource
import shutil
import stat
from pathlib import Path

import numpy as np
import pytest

from ezpyp.store.codecs.encoded import Encoded, decode_result, encode_result
from ezpyp.store.objects import ObjectStore
from tests.store.objects.tools import LARGE, SMALL, content, files, into_folder, opened, path_of, refuse, truncate

LINK = os.link


def test_an_object_comes_back(store: ObjectStore, encoded: Encoded) -> None:
    store.publish(encoded)

    assert opened(store, encoded) == content(encoded)
    assert opened(store, encoded, verify=False) == content(encoded)


def test_nothing_but_the_object_is_left(store: ObjectStore, encoded: Encoded, tmp_path: Path) -> None:
    store.publish(encoded)

    path = path_of(store, encoded)
    assert files(tmp_path) == [path]
    name = encoded.digest.hex()
    assert path == tmp_path / "objects" / name[:2] / f"{name[2:]}.pickle"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444 & ~umask()
    assert path.stat().st_nlink == 1


def umask() -> int:
    before = os.umask(0o022)
    os.umask(before)
    return before


def test_publishing_again_leaves_the_first(store: ObjectStore, encoded: Encoded, tmp_path: Path) -> None:
    store.publish(encoded)
    first = path_of(store, encoded).stat()

    store.publish(encoded)
    ObjectStore(tmp_path).publish(encoded)

    assert path_of(store, encoded).stat().st_ino == first.st_ino
    assert len(files(tmp_path)) == 1


def test_what_the_reader_changes_is_its_own(store: ObjectStore, encoded: Encoded) -> None:
    store.publish(encoded)

    opened(store, encoded)[:1] = b"?"

    assert opened(store, encoded) == content(encoded)


def test_a_loaded_array_outlives_everything(local: ObjectStore, tmp_path: Path) -> None:
    encoded = encode_result(LARGE, "numpy")
    local.publish(encoded)
    array = decode_result(opened(local, encoded), encoded.codec, encoded.version)

    shutil.rmtree(tmp_path / "objects")

    assert isinstance(array, np.ndarray)
    assert array.sum() == LARGE.sum()
    array += 1


def test_missing_objects_are_found_without_reading(store: ObjectStore, tmp_path: Path) -> None:
    results = [encode_result([number] * 10, "pickle") for number in range(60)]
    wanted = [(each.digest, each.suffix, each.size) for each in results]
    for each in results:
        store.publish(each)
    assert store.missing(wanted) == []

    truncate(path_of(store, results[5]))
    path_of(store, results[7]).unlink()
    into_folder(path_of(store, results[9]))

    assert {one[0] for one in store.missing(wanted)} == {results[number].digest for number in (5, 7, 9)}


def test_a_large_object_is_mapped_where_that_is_safe(store: ObjectStore) -> None:
    encoded = encode_result(LARGE, "numpy")
    store.publish(encoded)

    is_mapped = isinstance(opened(store, encoded).obj, mmap.mmap)

    assert is_mapped != store._filesystem.is_network


def test_durable_syncs_the_file_before_its_name_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    sync = os.fsync

    def record(descriptor: int) -> None:
        calls.append("folder" if stat.S_ISDIR(os.fstat(descriptor).st_mode) else "file")
        sync(descriptor)

    def link(source: str, target: str) -> None:
        LINK(source, target)
        calls.append("link")

    monkeypatch.setattr(os, "fsync", record)
    monkeypatch.setattr(os, "link", link)

    ObjectStore(tmp_path, durable=True).publish(encode_result(SMALL, "pickle"))

    assert calls == ["folder", "folder", "file", "link", "folder"]


def test_without_durable_nothing_is_synced(local: ObjectStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fsync", refuse(errno.EIO))

    local.publish(encode_result(LARGE, "numpy"))


def test_thousands_of_loaded_results_do_not_use_up_the_descriptors(tmp_path: Path) -> None:
    store = ObjectStore(tmp_path)
    encoded = encode_result(np.zeros(200_000), "numpy")
    store.publish(encoded)
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (128, hard))
    try:
        views = [opened(store, encoded, verify=False) for _ in range(300)]
        # Not one descriptor is left over, but many: the user's own code opens files too.
        with contextlib.ExitStack() as files_of_user:
            for _ in range(30):
                files_of_user.enter_context(Path(__file__).open())
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))

    assert all(view[-1:] == b"\0" for view in views)


def test_the_working_directory_may_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cache").mkdir()
    store = ObjectStore(Path("cache"))
    monkeypatch.chdir("/")
    encoded = encode_result(SMALL, "pickle")

    store.publish(encoded)

    assert (tmp_path / "cache" / "objects").is_dir()
